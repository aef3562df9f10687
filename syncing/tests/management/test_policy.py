"""`policy`: shows, sets, and takes back what it has printed."""

import json
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import SyncGroup
from accounts.tests.factories import GroupFactory
from syncing.models import AuditEntry
from syncing.services.policy import fields
from syncing.tests.admin.test_audit import form_of
from syncing.tests.commands import command, command_document

pytestmark = pytest.mark.django_db


@pytest.fixture
def group() -> SyncGroup:
    return GroupFactory()


def test_it_shows_every_key_with_its_value_and_what_it_means(group: SyncGroup) -> None:
    code, out, _ = command("policy")

    rows = {line.split()[0]: line for line in out.splitlines()[2:]}
    assert code == 0
    assert rows.keys() == fields().keys()
    assert rows["look_seconds"].split()[1] == "240"
    assert "Each look is one request." in rows["look_seconds"]
    assert "(off, report, plan, apply)" in rows["watch"]
    assert rows["sync_pipelines"].split()[1] == "true"


def test_it_sets_all_pairs_and_says_what_changed(group: SyncGroup) -> None:
    code, out, _ = command("policy", "--group", group.name, "watch=apply", "quiet_seconds=120", "heal=off")

    assert (code, out.splitlines()) == (0, ["watch: off -> apply", "quiet_seconds: 300 -> 120"])
    group.refresh_from_db()
    assert (group.watch, group.quiet_seconds) == ("apply", 120)
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.via, entry.action) == ("command line", "command", "policy")
    assert command("policy", "watch=apply")[1] == "Nothing to change.\n"
    assert AuditEntry.objects.count() == 1


def test_the_document_has_the_group_and_its_whole_policy(group: SyncGroup) -> None:
    code, document = command_document("policy", "requires_approval=on")

    assert (code, document.keys(), document["group"]) == (0, {"group", "policy"}, group.name)
    assert document["policy"]["requires_approval"] is True
    assert document["policy"]["look_seconds"] == 240
    assert document["policy"].keys() == fields().keys()


def test_the_admin_and_the_command_write_down_the_same(group: SyncGroup, admin_client: Client) -> None:
    values = {"watch": "plan", "requires_approval": "on", "wave_size": 10}
    page = reverse("admin:accounts_syncgroup_change", args=[group.pk])
    assert admin_client.post(page, form_of(group) | values).status_code == 302
    SyncGroup.objects.update(watch="off", requires_approval=False, wave_size=0)

    assert command("policy", *(f"{key}={value}" for key, value in values.items()))[0] == 0

    by_command, by_admin = AuditEntry.objects.all()
    assert by_command.details == by_admin.details
    assert (by_command.group, by_command.action) == (by_admin.group, by_admin.action)


def test_a_file_gives_back_what_was_printed_and_a_pair_goes_before_it(group: SyncGroup, tmp_path: Path) -> None:
    command("policy", "watch=plan", "look_seconds=60")
    file = tmp_path / "policy.json"
    file.write_text(command("policy", "--json")[1])
    SyncGroup.objects.update(watch="off", look_seconds=240)
    GroupFactory(name="Others")

    code, _, errors = command("policy", "--from", str(file), "look_seconds=90")

    assert (code, errors) == (0, "")
    group.refresh_from_db()
    assert (group.watch, group.look_seconds) == ("plan", 90)
    assert SyncGroup.objects.get(name="Others").watch == "off"


def test_a_file_without_a_group_is_for_any(group: SyncGroup, tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text('\ufeff{"policy": {"watch": "report"}}', encoding="utf-8")
    GroupFactory(name="Others")

    assert command("policy", "--from", str(file))[0] == 2
    assert command("policy", "--from", str(file), "--group", "Others")[0] == 0
    assert SyncGroup.objects.get(name="Others").watch == "report"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["watch"], "'watch' is not of the form KEY=VALUE"),
        (["watch=aply"], "off, report, plan, apply"),
        (["wach=apply"], "Did you mean watch?"),
        (["watch=plan", "watch=apply"], "Given twice: 'watch'"),
        (["wave_size=3", "quiet_seconds=-5"], "quiet_seconds"),
        (["=apply"], "There is no policy key ''"),
        (["--group", "Nobody"], "Groups: Branches."),
        (["--from", "/nowhere.json"], "No such file"),
        (["--from", "/"], "Is a directory"),
    ],
)
def test_what_is_wrong_is_a_sentence_and_nothing_is_set(group: SyncGroup, arguments: list[str], says: str) -> None:
    code, out, errors = command("policy", *arguments)

    assert (code, out) == (2, "")
    assert says in errors
    assert SyncGroup.objects.values_list("watch", "wave_size").get() == ("off", 0)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"\xff\xfe\xfd", "no JSON"),
        (b"[" * 50_000, "no JSON"),
        (b'{"policy": {"wave_size": %s}}' % (b"9" * 5000), "no JSON"),
        (b" " * 70_000, "larger than 65536 bytes"),
        (b"[]", "no policy"),
        (b'{"policy": {"watch": "plan"}, "name": "x"}', "'name'"),
        (b'{"policy": {"watch": "plan", "watch": "apply"}}', "Given twice: 'watch'"),
        (b'{"group": "Others", "policy": {"watch": "plan"}}', "of the group 'Others', not of 'Branches'"),
        (b'{"policy": {"watch": "plan", "wave_size": "many"}}', "wave_size: 'many'"),
        (b'{"policy": {"watch": "plan", "wave_size": NaN}}', "wave_size: 'nan'"),
    ],
)
def test_a_file_that_is_no_policy_is_a_sentence(group: SyncGroup, tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "policy.json"
    file.write_bytes(content)

    code, out, errors = command("policy", "--group", group.name, "--from", str(file))

    assert (code, out) == (2, "")
    assert says in errors
    assert SyncGroup.objects.get().watch == "off"


def test_with_several_groups_one_has_to_be_named(group: SyncGroup) -> None:
    GroupFactory(name="Others")

    assert command("policy", "watch=plan")[0] == 2
    assert json.loads(command("policy", "--group", "Others", "--json")[1])["group"] == "Others"
