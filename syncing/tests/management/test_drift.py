"""The command `drift`: what it says and how it ends; looking first, accepting, withdrawing."""

import io
import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command

from accounts.models import Account
from accounts.simulator.server import RunningServer
from accounts.simulator.world import World
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import AcceptedDifference, AuditEntry, Drift, RunPurpose, SyncRun
from syncing.tests.factories import DriftFactory, difference, extra, missing

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> dict[str, Account]:
    """North was edited, the others are in sync."""
    cast = AccountFactory.cast()
    DriftFactory(account=cast["north"], rows=[difference(), missing(), extra()])
    for name in ("south", "west", "east"):
        DriftFactory(account=cast[name], rows=[])
    return cast


@pytest.fixture
def ana() -> User:
    user = User.objects.create_user("ana", password="-")
    user.user_permissions.add(Permission.objects.get(codename="accept_drift"))
    return user


def drift(*args: str) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    out, errors = io.StringIO(), io.StringIO()
    code: Any = 0
    try:
        call_command("drift", *args, stdout=out, stderr=errors)
    except SystemExit as end:
        code = end.code
    except CommandError as error:
        code = error.returncode
        errors.write(str(error))
    return code, out.getvalue(), errors.getvalue()


def test_it_prints_a_line_per_account_then_what_differs(cast) -> None:
    code, out, _ = drift()
    assert code == 1
    lines = out.splitlines()
    assert lines[0].split()[:3] == ["account", "state", "differences"]
    assert [line.split()[:3] for line in lines[2:6]] == [
        ["east", "in_sync", "0"], ["north", "drifted", "2"], ["south", "in_sync", "0"], ["west", "in_sync", "0"],
    ]  # fmt: skip
    for words in (
        "~ stage 'Offer' in Sales  [stage:7/71:color]",
        'color: master "#fffeb2", account "#ff8f92"',
        "edited in the account, first seen ",
        "+ custom_field 'Budget' in leads  [custom_field:leads/12]",
        "= pipeline 'Old'  [pipeline:=old]",
        "4 accounts: 1 drifted, 3 in_sync",
    ):
        assert words in out


def test_it_ends_well_only_if_all_are_known_to_be_in_sync(cast) -> None:
    assert drift("--account", "south", "--account", "west")[0] == 0
    Drift.objects.filter(account=cast["west"]).delete()
    assert drift("--account", "south", "--account", "west")[0] == 1
    Drift.objects.filter(account=cast["south"]).update(state="conflict")
    assert drift("--account", "south")[0] == 1


def test_the_document_is_that_of_the_api(cast) -> None:
    code, out, _ = drift("--json", "--account", "north")
    (account,) = json.loads(out)["accounts"]
    assert (code, account["subdomain"], account["count"]) == (1, "north", 2)


def test_a_group_is_told_alone(cast) -> None:
    other = AccountFactory(group=GroupFactory(name="Others"))
    DriftFactory(account=other, rows=[])
    code, out, _ = drift("--group", "Others")
    assert (code, "1 accounts: 1 in_sync" in out, "north" in out) == (0, True, False)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--group", "Nobody"], "There is no sync group 'Nobody'."),
        (["--account", "nobody"], "No such account: nobody."),
        (["--account", "master"], "Not a slave: master."),
        (["--accept", "stage:7/71", "--withdraw", "1", "--by", "ana"], "Use only one of"),
        (["--accept", "stage:7/71", "--account", "north", "--reason", "So."], "Name a user with --by"),
        (["--accept", "stage:7/71", "--by", "ana", "--reason", "So."], "for one account"),
        (["--accept", "stage", "--account", "north", "--by", "ana", "--reason", "So."], "names no difference"),
        (["--accept", "stage:7/71", "--account", "north", "--by", "ana"], "an exception needs a reason"),
        (["--accept", "stage:7/99", "--account", "north", "--by", "ana", "--reason", "So."], "no such difference"),
        (["--accept", "stage:7/71", "--account", "north", "--by", "bob", "--reason", "So."], "no active user 'bob'"),
        (["--withdraw", "99", "--by", "ana"], "There is no exception 99."),
        (["--reason", "So."], "--reason is for --accept."),
        (["--by", "ana"], "--by is for"),
        (["--queue"], "--queue is for --check."),
        (["--check", "--queue", "--no-wait"], "--no-wait"),
    ],
)
def test_what_cannot_be_done_is_said_and_ends_with_2(cast, ana, args, words) -> None:
    code, out, errors = drift(*args)
    assert (code, out) == (2, "")
    assert words in errors
    assert not AcceptedDifference.objects.exists()


def test_refusals_come_as_a_document_too(cast) -> None:
    code, out, _ = drift("--group", "Nobody", "--json")
    assert (code, json.loads(out)["error"]["code"]) == (2, "no_group")


def test_a_difference_is_accepted_as_it_is_shown(cast, ana) -> None:
    code, out, _ = drift(
        "--accept", "stage:7/71:color", "--account", "north", "--reason", "Their colours.", "--by", "ana"
    )
    accepted = AcceptedDifference.objects.get()
    assert (code, f"exception {accepted.pk}" in out) == (0, True)
    assert (accepted.key, accepted.attribute, accepted.accepted_by) == ("7/71", "color", ana)
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.via, entry.reason) == ("ana", "command", "Their colours.")
    assert f"exception {accepted.pk}: stage 'Offer' in Sales, color: Their colours." in drift()[1]


def test_a_name_inside_of_a_key_may_hold_colons(cast, ana) -> None:
    DriftFactory._meta.model.objects.filter(account=cast["east"]).delete()
    DriftFactory(account=cast["east"], rows=[extra("leads/=text:a:b", kind="custom_field")])
    asked = ["--account", "east", "--reason", "Theirs.", "--by", "ana"]
    assert drift("--accept", "custom_field:leads/=text:a:b", *asked)[0] == 0
    assert AcceptedDifference.objects.get().key == "leads/=text:a:b"


def test_an_exception_is_withdrawn(cast, ana) -> None:
    accepted = AcceptedDifference.objects.create(account=cast["north"], kind="stage", key="7/72")
    code, out, _ = drift("--withdraw", str(accepted.pk), "--by", "ana", "--json")
    assert (code, json.loads(out)["id"]) == (0, accepted.pk)
    assert drift("--withdraw", str(accepted.pk), "--by", "ana")[0] == 2


def test_deciding_needs_the_permission(cast) -> None:
    User.objects.create_user("bob", password="-")
    asked = ["--account", "north", "--reason", "So.", "--by", "bob"]
    code, _, errors = drift("--accept", "stage:7/71:color", *asked)
    assert (code, "bob may not accept differences" in errors) == (2, True)


# -- looking first --


@pytest.fixture
def live(transactional_db: None, simulator: RunningServer, world: World) -> World:
    """The usual cast, over HTTP; the master has a pipeline that no slave has."""
    for name, account in AccountFactory.cast().items():
        account.token = world.add_account(name).token
        account.save()
    world.accounts["master"].add_pipeline("Sales", stages=["New", "Offer"])
    return world


def test_it_looks_first_when_asked_and_only_reads(live: World) -> None:
    code, out, errors = drift("--check", "--json")
    accounts = json.loads(out)["accounts"]
    assert (code, [each["state"] for each in accounts]) == (1, ["drifted"] * 4)
    run = SyncRun.objects.get()
    assert (run.purpose, run.trigger, run.state) == (RunPurpose.DRIFT, "command", "planned")
    assert {record.method for record in live.log} == {"GET"}
    assert f"run {run.pk}: 4/4" in errors


def test_an_account_that_cannot_be_seen_is_said(live: World) -> None:
    Account.objects.filter(subdomain="north").update(token="wrong")
    code, _, errors = drift("--check", "--account", "north")
    assert code == 1
    assert "is failed" in errors


def test_what_was_synced_is_in_sync_after_a_look(live: World) -> None:
    call_command("sync_all", stdout=io.StringIO(), stderr=io.StringIO())
    assert drift("--check")[0] == 0
