"""Waves: who is worked when, and what stops the ones behind."""

from datetime import timedelta
from typing import Any

import pytest

from accounts import clock
from accounts.models import Account
from accounts.simulator.faults import Fault
from accounts.simulator.world import World
from accounts.tests.factories import AccountFactory
from syncing import replication
from syncing.models import LogEntry, RunMode, RunPurpose, SyncRun
from syncing.replication.contract import Checkpoint, Record, Result, StoreBefore, Target
from syncing.tests.house import House, result
from syncing.tests.waving import OTHERS, PILOT, Slaves, claimed, end, numbers, policy

# -- numbers --


def test_without_pilots_and_size_a_run_is_one_wave(house: House) -> None:
    assert set(numbers(house.start()).values()) == {0}


def test_the_pilots_are_the_first_wave_and_the_others_follow_by_size(house: House) -> None:
    policy(house, wave_size=2)

    assert numbers(house.start()) == {"north": 0, "south": 1, "west": 1, "east": 2}


def test_sizes_may_be_percent_of_all_accounts(house: House) -> None:
    policy(house, wave_size=25, wave_unit="percent")

    assert numbers(house.start()) == {"north": 0, "south": 1, "west": 2, "east": 3}


def test_a_pilot_that_is_not_in_the_run_and_one_among_pilots_only_change_nothing(house: House) -> None:
    policy(house)

    for names in (OTHERS, PILOT):
        run = house.start(accounts=[house.accounts[name] for name in names])
        assert set(numbers(run).values()) == {0}


def test_a_paused_pilot_is_no_pilot(house: House) -> None:
    policy(house)
    Account.objects.filter(subdomain="north").update(paused=True)

    assert set(numbers(house.start()).values()) == {0}


@pytest.mark.parametrize(
    "facts", [{"mode": RunMode.PLAN}, {"mode": RunMode.PLAN, "purpose": RunPurpose.DRIFT}], ids=["plan", "drift"]
)
def test_a_run_that_only_reads_is_one_wave(house: House, facts: dict[str, str]) -> None:
    policy(house, wave_size=1)

    assert set(numbers(house.start(**facts)).values()) == {0}


# -- who may be claimed --


def test_only_accounts_of_the_present_wave_are_claimed(house: House) -> None:
    policy(house, wave_size=1)
    run = house.start()
    end(run)

    assert claimed() == {"north"}
    SyncRun.objects.filter(pk=run.pk).update(wave=2)
    assert claimed() == {"south", "west"}


@pytest.mark.parametrize("held", [True, False], ids=["held", "paused"])
def test_nothing_is_claimed_while_a_run_rests(house: House, held: bool) -> None:
    policy(house)
    run = house.start()
    end(run, "north")
    due = None if held else clock.now() + timedelta(hours=1)
    SyncRun.objects.filter(pk=run.pk).update(wave=1, wave_held=held, wave_due_at=due)

    assert claimed() == set()
    SyncRun.objects.filter(pk=run.pk).update(wave_held=False, wave_due_at=clock.now() - timedelta(seconds=1))
    assert claimed() == set(OTHERS)


# -- from wave to wave --


def test_waves_go_one_after_the_other_and_end_in_success(house: House) -> None:
    policy(house, wave_size=2, max_failure_share=0)
    run, slaves = house.start(), Slaves()

    assert not house.work(slaves)

    run.refresh_from_db()
    assert (run.state, run.wave, run.note) == ("succeeded", 2, "")
    assert [slaves.worked[0], set(slaves.worked[1:3]), slaves.worked[3]] == ["north", {"south", "west"}, "east"]
    said = list(LogEntry.objects.filter(run=run, code="wave").values_list("message", flat=True))
    assert said == [
        "Wave 1 of 3 is done: 0 of 1 accounts failed. Wave 2 starts now.",
        "Wave 2 of 3 is done: 0 of 2 accounts failed. Wave 3 starts now.",
    ]


@pytest.mark.parametrize("state", ["failed", "refused", "partial"])
def test_a_pilot_that_fails_leaves_the_others_untouched_and_says_why_and_what_to_do(house: House, state: str) -> None:
    policy(house)
    run, slaves = house.start(), Slaves(north=state)

    house.work(slaves)

    assert slaves.worked == ["north"]
    assert house.states(run) == {"north": state, **dict.fromkeys(OTHERS, "skipped")}
    run.refresh_from_db()
    account_run = house.account_run(run, "south")
    assert (run.reason, run.error, account_run.reason) == ("guard", account_run.error, "guard")
    assert run.state in ("failed", "partial")
    assert "1 of 1 accounts of wave 1 of 2 failed (100.00%; 10% are allowed)" in account_run.error["message"]
    assert "north (" in account_run.error["message"]
    assert "retry" in account_run.error["remedy"]
    assert "raise" in account_run.error["remedy"]
    assert (
        LogEntry.objects.filter(run=run, code="guard", level="error", message=account_run.error["message"]).count() == 1
    )


def test_the_sentence_names_a_few_of_the_failed_and_their_reasons(house: House) -> None:
    policy(house, pilots=[], wave_size=5)
    for name in ("one", "two"):
        house.accounts[name] = AccountFactory(group=house.group, subdomain=name)
    run, slaves = house.start(), Slaves(**dict.fromkeys(("north", "south", "west", "east"), "failed"))

    house.work(slaves)

    message = house.account_run(run, "two").error["message"]
    assert "4 of 5 accounts of wave 1 of 2 failed (80.00%" in message
    assert message.count("(unpaid): It did") == 3
    assert "and 1 more" in message


def test_failures_within_the_limit_let_the_next_wave_start(house: House) -> None:
    policy(house, pilots=[], wave_size=2, max_failure_share=50)
    run, slaves = house.start(), Slaves(north="failed")

    house.work(slaves)

    assert len(slaves.worked) == 4
    run.refresh_from_db()
    assert (run.state, run.reason) == ("partial", "")


def test_each_wave_is_judged_by_its_own_failures(house: House) -> None:
    policy(house, pilots=[], wave_size=1, max_failure_share=0)
    run, slaves = house.start(), Slaves(west="failed")

    house.work(slaves)

    assert slaves.worked == ["north", "south", "west"]
    run.refresh_from_db()
    assert (run.state, run.reason, house.states(run)["east"]) == ("partial", "guard", "skipped")


def test_an_account_paused_meanwhile_and_one_that_changed_since_its_approval_are_no_failures(house: House) -> None:
    policy(house, pilots=["north", "south"], max_failure_share=0)
    run = house.start()
    Account.objects.filter(subdomain="north").update(paused=True)

    def replicate(
        target: Target, client: Any, record: Record, checkpoint: Checkpoint, store_before: StoreBefore
    ) -> Result:
        return result("refused", "stale_plan") if target.subdomain == "south" else result()

    house.work(replicate)

    states = house.states(run)
    assert (states["north"], states["south"], states["west"], states["east"]) == (
        *("skipped", "refused", "changed", "changed"),
    )
    run.refresh_from_db()
    assert run.state == "partial"


def test_a_last_account_of_a_wave_that_is_not_touched_any_more_starts_the_next_one(house: House) -> None:
    policy(house)
    run = house.start()
    Account.objects.filter(subdomain="north").update(paused=True)

    while house.work(threads=1):  # the lane ends, its continuation goes on
        pass

    assert house.states(run) == {"north": "skipped", **dict.fromkeys(OTHERS, "changed")}


def test_a_failing_pilot_leaves_118_accounts_without_a_single_request(house: House, world: World) -> None:
    """The request log of the simulator is the witness."""
    for number in range(115):
        name = f"branch-{number}"
        AccountFactory(group=house.group, subdomain=name, token=world.add_account(name).token)
    world.accounts["master"].add_pipeline("Sales", stages=["New", "Offer"])
    policy(house, wave_size=10, wave_unit="percent")
    world.faults.add(Fault("402", subdomain="north", times=None))
    run = house.start()

    house.work(replication.replicate, threads=16)

    assert {record.subdomain for record in world.log} == {"master", "north"}
    assert {record.method for record in world.log} == {"GET"}
    run.refresh_from_db()
    assert (run.state, run.reason, run.totals["skipped"], run.totals["failed"]) == ("failed", "guard", 118, 1)
    assert "north (unpaid): " in run.error["message"]
