"""`sync_all`: what it says, where, and how it ends."""

import json

import pytest
from django_q.models import OrmQ
from pytest_django import Settings

from accounts.models import Account
from accounts.simulator.account import SimAccount
from accounts.simulator.faults import Fault
from accounts.simulator.world import World
from accounts.tests.factories import GroupFactory
from syncing.execution.reaper import reap
from syncing.execution.stop_signs import StopOnSignal
from syncing.leases import processes
from syncing.models import AccountRun, ProcessKind, SyncRun
from syncing.tests.commands import document, sync

pytestmark = pytest.mark.django_db(transaction=True)
TOTALS = ["queued", "running", "planned", "in_sync", "changed", "partial", "failed", "refused", "skipped", "cancelled"]
ACCOUNT_KEYS = {
    *("subdomain", "state", "reason", "requests", "created", "updated", "deleted", "adopted", "plan", "note", "error"),
    *("changes", "extras", "conflicts", "manual", "wave", "delta"),
}


def test_it_syncs_here_and_ends_with_a_table(master: SimAccount) -> None:
    code, out, errors = sync()

    assert code == 0
    assert "north    changed" in out
    assert "succeeded: 4 changed" in out
    assert "4/4 (4 changed)" in errors


def test_its_document_is_the_one_of_the_house_plan(master: SimAccount) -> None:
    code, said = document()

    assert code == 0
    assert list(said) == [
        *("run", "type", "mode", "trigger", "name", "why", "requested_by", "first_attempt", "sent_back"),
        *("state", "reason", "error", "duration_s", "master", "totals", "accounts", "plans", "waves"),
    ]
    assert said["trigger"] == "command"
    assert (said["type"], said["mode"], said["state"], said["reason"], said["error"]) == (
        *("full", "apply", "succeeded", None, None),
    )
    assert said["master"]["subdomain"] == "master"
    assert said["master"]["requests"] >= 7
    assert said["totals"] == {state: 4 if state == "changed" else 0 for state in TOTALS}
    assert [set(account) for account in said["accounts"]] == [ACCOUNT_KEYS] * 4
    created = [change for change in said["accounts"][0]["changes"] if change["action"] == "create"]
    assert {change["outcome"] for change in created} == {"done"}


def test_a_second_run_finds_everything_in_sync(master: SimAccount) -> None:
    document()
    code, said = document()

    assert code == 0
    assert said["totals"]["in_sync"] == 4
    assert {account["requests"] for account in said["accounts"]} == {7}


def test_one_bad_account_ends_in_1_with_its_reason_and_the_others_go_on(master: SimAccount, world: World) -> None:
    world.faults.add(Fault("402", subdomain="east", times=None))

    code, out, _ = sync()

    assert code == 1
    assert "unpaid" in out
    assert "renew it" in out
    assert "partial: 3 changed, 1 failed" in out


def test_a_master_that_cannot_be_reached_ends_in_1_with_a_document(master: SimAccount, world: World) -> None:
    world.faults.add(Fault("401", subdomain="master", times=None))

    code, said = document()

    assert code == 1
    assert (said["state"], said["reason"], said["error"]["code"]) == ("failed", "unauthorised", "unauthorised")
    assert said["totals"]["skipped"] == 4


def test_only_the_named_accounts_are_touched(master: SimAccount, world: World) -> None:
    code, said = document("--account", "north", "--account", "south")

    assert code == 0
    assert [account["subdomain"] for account in said["accounts"]] == ["north", "south"]
    assert not world.log.of("west")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--account", "nowhere"], "nowhere"),
        (["--account", "master"], "master"),
        (["--group", "Nobody"], "Branches"),
        (["--force"], "--reason"),
        (["--reason", "because"], "--force"),
        (["--no-wait"], "--queue"),
    ],
)
def test_wrong_usage_ends_in_2_with_a_sentence_and_a_document(master: SimAccount, args: list[str], said: str) -> None:
    code, out, errors = sync("--json", *args)

    assert code == 2
    assert said in errors
    found = json.loads(out)
    assert (found["run"], found["state"]) == (None, "failed")
    assert said in found["error"]["message"] + found["error"]["remedy"]
    assert not SyncRun.objects.exists()


def test_without_a_group_several_are_listed(master: SimAccount) -> None:
    GroupFactory(name="Others")

    code, _, errors = sync()

    assert code == 2
    assert "Branches, Others" in errors


def test_without_any_group_the_way_to_one_is_said(transactional_db: None) -> None:
    code, _, errors = sync()

    assert code == 2
    assert "import_accounts" in errors


def test_a_forced_run_keeps_its_reason(master: SimAccount) -> None:
    document("--force", "--reason", "We moved")

    assert list(SyncRun.objects.values_list("forced", "force_reason")) == [(True, "We moved")]


# -- the queue --


def test_no_wait_prints_the_run_and_leaves_it_to_the_workers(master: SimAccount) -> None:
    code, said = document("--queue", "--no-wait")

    run = SyncRun.objects.get()
    assert (code, said) == (0, {"run": run.pk, "state": "queued"})
    assert run.queued_to_workers
    assert OrmQ.objects.count() == 2


def test_waiting_for_the_workers_says_when_there_are_none(master: SimAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StopOnSignal, "wait", lambda self, seconds: end_all())

    code, _, errors = sync("--queue")

    assert code == 1
    assert "No worker is alive" in errors


def test_waiting_for_living_workers_says_nothing_of_the_kind(
    master: SimAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes.arrive("worker", ProcessKind.WORKER)
    monkeypatch.setattr(StopOnSignal, "wait", lambda self, seconds: end_all())

    _, _, errors = sync("--queue")

    assert "No worker" not in errors


def end_all() -> bool:
    """As workers would, with an account that failed."""
    AccountRun.objects.update(state="failed", reason="unpaid")
    reap()
    return False


def test_tokens_are_in_no_output(master: SimAccount, settings: Settings) -> None:
    tokens = Account.objects.values_list("token", flat=True)

    said = "".join(str(part) for args in (["--json"], []) for part in sync(*args))

    assert not [token for token in tokens if token in said]
