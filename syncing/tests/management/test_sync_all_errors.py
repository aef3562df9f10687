"""`sync_all` that is stopped or breaks: there is always one document."""

import errno
import io
import json
import signal
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import OutputWrapper
from django.db import OperationalError, connection

from accounts.models import SyncGroup
from accounts.simulator.account import SimAccount
from accounts.simulator.faults import Fault
from accounts.simulator.world import World
from accounts.tests.factories import GroupFactory
from syncing.management.console import running
from syncing.management.console.output import write_json
from syncing.models import AccountRun, SyncRun, Window
from syncing.selectors.documents import run_document
from syncing.tests.commands import document, sync

pytestmark = pytest.mark.django_db(transaction=True)


# -- being stopped --


def test_a_stop_in_the_middle_cancels_and_still_says_one_document(master: SimAccount, world: World) -> None:
    slow: dict[str, Any] = {"path": "/custom_fields", "subdomain": "north", "seconds": 0.5}
    world.faults.add(Fault("slow", **slow, meanwhile=lambda: signal.raise_signal(signal.SIGTERM)))
    world.faults.add(Fault("slow", **slow, times=None))
    before = signal.getsignal(signal.SIGTERM)

    code, said = document("--account", "north")

    assert code == 1
    assert said["state"] == "cancelled"
    assert "stopped after" in said["accounts"][0]["note"]
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("stays_away", [False, True])
def test_a_database_that_fails_in_the_middle_ends_in_1_with_the_run(
    master: SimAccount, monkeypatch: pytest.MonkeyPatch, stays_away: bool
) -> None:
    def fail(*args: object, **facts: object) -> None:
        raise OperationalError("the connection is closed")

    monkeypatch.setattr(running, "run_to_the_end", fail)
    if stays_away:
        monkeypatch.setattr(running, "run_document", fail)

    code, said = document("--account", "north")

    assert (code, said["run"]) == (1, SyncRun.objects.get().pk)
    if stays_away:
        assert (said["state"], said["error"]["code"]) == ("failed", "internal")
    else:
        assert (said["state"], len(said["accounts"])) == ("queued", 1)


# -- errors of our own --


@pytest.mark.parametrize("column", ["unmatched_pipelines", "wave_unit"])
def test_an_invalid_policy_value_ends_the_run_with_its_document_and_so_does_the_next_call(
    master: SimAccount, caplog: pytest.LogCaptureFixture, column: str
) -> None:
    SyncGroup.objects.update(**{column: "bogus"})

    for number in (1, 2):
        code, said = document()
        assert (code, said["state"], said["reason"]) == (1, "failed", "internal")
        assert column in said["error"]["message"]
        assert said["totals"]["skipped"] == 4
        assert SyncRun.objects.filter(state="failed").count() == number


def test_an_error_of_this_command_itself_ends_the_run_and_prints_the_document(
    master: SimAccount, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def odd(*args: object, **facts: object) -> None:
        raise KeyError("secret")

    monkeypatch.setattr(running, "run_to_the_end", odd)
    code, out, errors = sync("--json")

    said = json.loads(out)
    assert (code, said["state"], said["reason"]) == (1, "failed", "internal")
    assert said["run"] == SyncRun.objects.get(state="failed").pk
    assert "KeyError in test_sync_all_errors.py" in errors
    assert "secret" not in out + errors


def test_an_error_before_the_run_is_made_prints_a_document_too(
    master: SimAccount, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLite keeps any text in a column of numbers."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA ignore_check_constraints = ON")
        cursor.execute("UPDATE accounts_syncgroup SET wave_size = 'many'")
        cursor.execute("PRAGMA ignore_check_constraints = OFF")

    code, said = document()

    assert (code, said["run"], said["state"], said["error"]["code"]) == (1, None, "failed", "internal")
    assert not SyncRun.objects.exists()


def test_a_stored_half_of_a_surrogate_pair_does_not_keep_the_document_from_being_printed(master: SimAccount) -> None:
    sync()
    broken = {"changes": [{"action": "create", "kind": "stage", "name": "Sal\ud800es", "parent": "", "fields": {}}]}
    AccountRun.objects.update(document=broken)
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    write_json(OutputWrapper(out), run_document(SyncRun.objects.get()))
    out.seek(0)

    assert json.loads(out.read())["accounts"][0]["changes"][0]["name"] == "Sal\ud800es"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_json_is_printed_whatever_the_terminal_can_show(encoding: str) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    write_json(OutputWrapper(out), {"name": "Vendas às 5 😀"})
    out.seek(0)

    assert json.loads(out.read()) == {"name": "Vendas às 5 😀"}


def test_a_full_disk_for_the_document_is_no_error_of_ours(master: SimAccount, caplog) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        call_command("sync_all", "--json", stdout=Full(), stderr=io.StringIO())

    assert "error of our own" not in caplog.text
    assert SyncRun.objects.get().state == "succeeded"


@pytest.mark.parametrize("broken", ["Sal\ud800es", "Sal\x00es"])
def test_a_name_that_can_be_neither_stored_nor_sent_is_held_back_and_the_rest_goes_on(
    master: SimAccount, world: World, broken: str
) -> None:
    master.add_pipeline(broken, stages=["New"])
    master.add_field("leads", "Colour", "select", enums=["red", f"green{broken}"])
    SyncGroup.objects.update(unmatched_pipelines="delete_all", unmatched_fields="delete_all")
    GroupFactory(name="Others")
    own = world.accounts["south"].add_pipeline(f"Own {broken}", stages=["New"])

    for state in ("changed", "in_sync"):
        code, said = document("--group", "Branches")
        assert (code, said["state"]) == (0, "succeeded"), said["error"]
        assert {account["state"] for account in said["accounts"]} == {state}
        held = [(item["kind"], item["message"]) for item in said["accounts"][0]["manual"]]
        assert {kind for kind, message in held if "neither stored nor sent" in message} == {"pipeline", "custom_field"}
    names = {pipeline.name for pipeline in world.accounts["north"].pipelines.values()}
    assert "Sales <b>" in names
    assert not any("Sal" in name and "es" in name and name != "Sales <b>" for name in names)
    assert own.id in world.accounts["south"].pipelines


def test_a_frozen_group_is_refused_with_the_reason(master: SimAccount) -> None:
    Window.objects.create(group=SyncGroup.objects.get(), kind="deny", cron="* * * * *", minutes=5)
    code, said = document()
    assert (code, said["run"], said["state"], said["reason"]) == (2, None, "refused", "frozen")
    assert (said["trigger"], said["error"]["code"]) == ("command", "frozen")
    code, said = document("--force", "--reason", "the branch waits")
    assert (code, said["state"], said["trigger"]) == (0, "succeeded", "command")
