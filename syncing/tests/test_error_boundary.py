"""The boundary: an odd row or an odd answer ends its own run, or its own account, and the lane goes on."""

import logging
import re
from collections.abc import Iterator

import pytest
from django.db import OperationalError, connection

from accounts.models import Account, SyncGroup
from accounts.simulator.world import World
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.error_boundary import bounded, where
from syncing.execution import lanes, reaper
from syncing.models import AccountRun, AccountState, Exclusion, IdMapping, LogEntry, MasterSnapshot, SyncRun
from syncing.tests.house import SLAVES, House

SKIPPED = dict.fromkeys(SLAVES, "skipped")


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Every error here is meant, and logged with its traceback."""
    with caplog.at_level(logging.CRITICAL):
        yield


@pytest.fixture
def others(house: House, world: World) -> SyncGroup:
    """A second group that is well."""
    group = GroupFactory(name="Others")
    for role, name in (("master", "second-master"), ("slave", "second-slave")):
        AccountFactory(group=group, role=role, subdomain=name, token=world.add_account(name).token)
    return group


def by_hand(sql: str, *values: object) -> None:
    """What somebody wrote into the database, past everything that would refuse it."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA ignore_check_constraints = ON")
        cursor.execute(sql, values)
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA ignore_check_constraints = OFF")


def assert_ended_inside(run: SyncRun, states: dict[str, str], house: House) -> None:
    run.refresh_from_db()
    assert (run.state, run.reason, run.error["code"]) == ("failed", "internal", "internal")
    assert run.error["remedy"]
    assert run.finished_at is not None
    assert house.states(run) == states


# -- the policy --


@pytest.mark.parametrize(
    ("column", "value"),
    [("unmatched_pipelines", "bogus"), ("max_delete_share", -5), ("max_update_share", 101), ("wave_unit", "moons")],
)
def test_an_invalid_policy_value_ends_its_run_and_is_named(
    house: House, others: SyncGroup, column: str, value: object
) -> None:
    run, other = house.start(), house.start(group=others)
    by_hand(f"UPDATE accounts_syncgroup SET {column} = %s WHERE name <> 'Others'", value)

    assert not house.work()

    assert_ended_inside(run, SKIPPED, house)
    assert column in run.error["message"]
    assert "policy" in run.error["remedy"]
    other.refresh_from_db()
    assert other.state == "succeeded"


def test_after_an_invalid_policy_value_the_next_run_is_told_the_same_and_a_mended_one_works(house: House) -> None:
    house.group.__class__.objects.update(unmatched_fields="bogus")
    for _ in range(2):
        run = house.start()
        house.work()
        assert_ended_inside(run, SKIPPED, house)
    SyncGroup.objects.update(unmatched_fields="keep")

    run = house.start()
    house.work()

    run.refresh_from_db()
    assert run.state == "succeeded"


def test_a_policy_that_breaks_between_two_waves_ends_the_run(house: House) -> None:
    """SQLite keeps any text in a column of numbers."""
    SyncGroup.objects.update(wave_size=2)
    run = house.start()
    by_hand("UPDATE accounts_syncgroup SET max_failure_share = 'many'")
    SyncRun.objects.update(snapshot=MasterSnapshot.objects.create(**snapshot_of(house)), state="running", fence=1)

    assert not house.work()

    run.refresh_from_db()
    assert (run.state, run.reason) == ("failed", "internal")
    assert sorted(house.states(run).values()) == ["changed", "changed", "skipped", "skipped"]
    assert run.totals["changed"] == 2


# -- the master --


def snapshot_of(house: House, **document: object) -> dict[str, object]:
    empty = {"pipelines": [], "groups": [], "fields": []}
    return {"group": house.group, "type": "full", "document": empty | document, "fingerprint": "x", "accepted": True}


def test_what_the_last_master_is_kept_as_cannot_be_read_and_only_its_run_ends(house: House, others: SyncGroup) -> None:
    MasterSnapshot.objects.create(**snapshot_of(house, pipelines=[{"id": 1}]))
    run, other = house.start(), house.start(group=others)

    assert not house.work()

    assert_ended_inside(run, SKIPPED, house)
    assert "last reading of the master is damaged" in run.error["message"]
    assert "--force" in run.error["remedy"]
    other.refresh_from_db()
    assert other.state == "succeeded"


def test_a_forced_run_goes_without_what_the_last_master_is_kept_as_and_later_ones_go_by_its_own(house: House) -> None:
    MasterSnapshot.objects.create(**snapshot_of(house, pipelines=[{"id": 1}]))

    for facts in ({"forced": True, "force_reason": "A row was broken by hand"}, {}):
        run = house.start(**facts)
        house.work()
        run.refresh_from_db()
        assert run.state == "succeeded"

    assert MasterSnapshot.objects.count() == 2


def test_an_account_id_that_no_column_holds_ends_the_run(house: House, world: World) -> None:
    world.accounts["master"].account_id = 10**30
    run = house.start()

    assert not house.work()

    assert_ended_inside(run, SKIPPED, house)


def test_a_run_that_is_deleted_while_its_master_is_read_ends_no_lane(house: House, others: SyncGroup) -> None:
    house.start()
    other = house.start(group=others)

    assert not house.work(on_progress=lambda: SyncRun.objects.exclude(pk=other.pk).delete())

    other.refresh_from_db()
    assert other.state == "succeeded"


# -- accounts --


def odd_mapping(account: Account, account_run: AccountRun) -> None:
    IdMapping.objects.create(account=account, kind="bogus", master_key="7", slave_key="70")


def odd_exclusion(account: Account, account_run: AccountRun) -> None:
    Exclusion.objects.create(account=account, kind="bogus", name="Sales")


def odd_log_of_an_earlier_attempt(account: Account, account_run: AccountRun) -> None:
    AccountRun.objects.filter(pk=account_run.pk).update(fence=1)
    LogEntry.objects.create(
        run=account_run.run, account_run=account_run, action="create", kind="stage", code="done", details=[]
    )


@pytest.mark.parametrize("odd", [odd_mapping, odd_exclusion, odd_log_of_an_earlier_attempt])
def test_an_odd_row_of_one_account_fails_that_account_alone(house: House, odd: object) -> None:
    run = house.start()
    odd(house.accounts["south"], house.account_run(run, "south"))  # type: ignore[operator]

    while house.work():
        pass  # it is tried three times

    account_run = house.account_run(run, "south")
    assert (account_run.state, account_run.reason, account_run.errors) == ("failed", "internal", 3)
    assert account_run.error["remedy"]
    run.refresh_from_db()
    assert run.state == "partial"
    assert house.states(run) == {**dict.fromkeys(SLAVES, "changed"), "south": "failed"}


def test_accounts_that_end_before_their_work_leave_no_lane_dead_when_the_run_cannot_be_judged(house: House) -> None:
    run = house.start(accounts=[house.accounts["south"]])
    SyncRun.objects.update(snapshot=MasterSnapshot.objects.create(**snapshot_of(house)), state="running", fence=1)
    SyncRun.objects.update(mode="odd")
    Account.objects.filter(subdomain="south").update(paused=True)

    assert not house.work()

    run.refresh_from_db()
    assert (run.state, run.reason) == ("failed", "internal")
    assert house.states(run) == {"south": "skipped"}


def test_an_odd_document_of_one_account_takes_no_claim_from_the_others(house: House) -> None:
    run = house.start()
    by_hand("UPDATE syncing_accountrun SET document = '{' WHERE id = %s", house.account_run(run, "south").pk)

    house.work()

    assert set(house.states(run).values()) == {"changed"}


# -- the end of a run, and who looks for work --


def odd_run(house: House, state: str = "changed") -> SyncRun:
    """A run whose end cannot be judged: its mode is none."""
    run = house.start()
    AccountRun.objects.filter(run=run).update(state=state)
    SyncRun.objects.filter(pk=run.pk).update(mode="odd", state="running", fence=1)
    return run


def test_a_run_that_cannot_be_judged_is_closed_by_the_reaper_and_the_others_too(
    house: House, others: SyncGroup
) -> None:
    run, other = odd_run(house), house.start(group=others)
    AccountRun.objects.filter(run=other).update(state="changed")

    reaper.reap()

    assert_ended_inside(run, dict.fromkeys(SLAVES, "changed"), house)
    other.refresh_from_db()
    assert other.state == "succeeded"


def test_looking_for_work_is_not_ended_by_a_run_that_stands_in_the_way_and_cannot_be_judged(house: House) -> None:
    odd_run(house)
    SyncRun.objects.update(queued_to_workers=False, created_at="2020-01-01T00:00Z")
    waiting = house.start()

    assert lanes.has_claimable()
    assert not house.work()

    waiting.refresh_from_db()
    assert waiting.reason == "internal"


def test_a_database_that_is_away_is_nobodys_fault() -> None:
    with pytest.raises(OperationalError), bounded(pytest.fail):
        raise OperationalError("the database is away")


def test_the_cause_is_told_by_its_place_in_our_code_without_the_text_of_the_error() -> None:
    """It may hold a secret."""
    try:
        AccountState("secret-of-master")
    except ValueError as error:
        told = where(error)

    assert re.fullmatch(r"ValueError in test_error_boundary\.py, line \d+", told)
