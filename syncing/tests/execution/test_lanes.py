"""Lanes: what they do with each account, and what they learn."""

import logging

import pytest
from django.db import connection, connections

from accounts.kommo.client import KommoClient
from accounts.models import Account
from accounts.simulator.world import World
from accounts.tests.factories import GroupFactory
from syncing.adapters.outcomes import Outcome
from syncing.engine.refs import Kind, Ref
from syncing.models import IdMapping, LogEntry
from syncing.replication.contract import Checkpoint, Record, Result, StoreBefore, Target
from syncing.tests.house import SLAVES, House, result

CREATED = Outcome("create", "pipeline", "Sales", "", "done")


def test_a_lane_works_every_account_and_closes_the_run(house: House) -> None:
    run = house.start()

    assert not house.work()

    run.refresh_from_db()
    assert run.state == "succeeded"
    assert house.states(run) == dict.fromkeys(SLAVES, "changed")
    assert run.totals["requests"] == 28


def test_each_account_gets_its_own_mappings_and_the_masters_snapshot(house: House) -> None:
    IdMapping.objects.create(account=house.accounts["north"], kind="pipeline", master_key="7", slave_key="70")
    jobs: dict[str, Target] = {}

    def look(
        target: Target, client: KommoClient, record: Record, checkpoint: Checkpoint, store_before: StoreBefore
    ) -> Result:
        jobs[target.subdomain] = target
        return result()

    house.start()
    house.work(look)

    assert jobs["north"].known == {Ref(Kind.PIPELINE, "7"): "70"}
    assert jobs["south"].known == {}
    assert all(target.desired.pipelines and target.writes for target in jobs.values())


def test_no_thread_of_an_account_asks_the_database(house: House) -> None:
    """A connection opened there would be one per thread."""
    own: dict[str, list[str]] = {}

    def look(
        target: Target, client: KommoClient, record: Record, checkpoint: Checkpoint, store_before: StoreBefore
    ) -> Result:
        record([CREATED], [], [])
        own[target.subdomain] = [alias for alias in connections if connections[alias].connection is not None]
        return result()

    house.start()
    house.work(look)

    assert own == {name: [] for name in SLAVES}


def test_one_accounts_bug_is_tried_three_times_and_stops_nobody_else(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    def replicate(
        target: Target, client: KommoClient, record: Record, checkpoint: Checkpoint, store_before: StoreBefore
    ) -> Result:
        if target.subdomain == "south":
            raise KeyError("token-of-south")
        return result()

    run = house.start()
    with caplog.at_level(logging.CRITICAL):
        house.work(replicate)

    account_run = house.account_run(run, "south")
    assert (account_run.state, account_run.reason, account_run.errors) == ("failed", "internal", 3)
    assert "KeyError" in account_run.error["message"]
    assert "token-of-south" not in account_run.error["message"]
    run.refresh_from_db()
    assert run.state == "partial"


def test_an_account_without_a_token_fails_and_says_so(house: House) -> None:
    Account.objects.filter(subdomain="south").update(token="")
    run = house.start()

    house.work()

    account_run = house.account_run(run, "south")
    assert (account_run.state, account_run.reason) == ("failed", "unauthorised")
    assert "token" in account_run.error["remedy"]
    assert house.account_run(run, "north").state == "changed"


def test_a_secret_that_no_key_reads_fails_its_account_and_names_the_variable(house: House) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_account SET token = 'gAAAAAB' WHERE subdomain = 'south'")
    run = house.start()

    house.work()

    account_run = house.account_run(run, "south")
    assert (account_run.state, account_run.reason) == ("failed", "internal")
    assert "FIELD_ENCRYPTION_KEYS" in account_run.error["message"]
    assert house.account_run(run, "north").state == "changed"


@pytest.mark.parametrize(
    ("moved", "change", "note"),
    [(False, {"paused": True}, "paused"), (True, {"role": "master"}, "no longer a slave"), (True, {}, "another group")],
)
def test_an_account_taken_out_while_its_run_waited_is_not_touched(
    house: House, moved: bool, change: dict[str, object], note: str
) -> None:
    asked: list[str] = []

    def look(
        target: Target, client: KommoClient, record: Record, checkpoint: Checkpoint, store_before: StoreBefore
    ) -> Result:
        asked.append(target.subdomain)
        return result()

    run = house.start()
    group = GroupFactory(name="Others") if moved else house.group
    Account.objects.filter(subdomain="south").update(group=group, **change)
    house.work(look)

    account_run = house.account_run(run, "south")
    assert (account_run.state, account_run.reason) == ("skipped", "" if moved else "paused")
    assert note in account_run.note
    assert sorted(asked) == ["east", "north", "west"]
    run.refresh_from_db()
    assert run.state == "partial"


def test_a_lane_claims_no_more_when_its_slice_is_over(house: House) -> None:
    run = house.start()

    house.work(slice_s=60.0, threads=4)  # reads the master, works
    again = house.start()
    assert house.work(slice_s=0.0)

    run.refresh_from_db()
    again.refresh_from_db()
    assert (run.state, again.state) == ("succeeded", "queued")


def test_an_entry_that_leads_to_the_masters_account_is_never_written(house: House, world: World) -> None:
    """South's subdomain shows the master's account: by id, though it was never met under this entry."""
    Account.objects.filter(subdomain="master").update(kommo_id=world.accounts["south"].account_id)
    world.accounts["master"].account_id = world.accounts["south"].account_id
    written: list[str] = []

    def replicate(
        target: Target, client: KommoClient, record: Record, checkpoint: Checkpoint, store_before: StoreBefore
    ) -> Result:
        checkpoint("reading")
        client.get("/leads/pipelines")
        checkpoint("writing")
        written.append(target.subdomain)
        return result()

    run = house.start()
    house.work(replicate)

    account_run = house.account_run(run, "south")
    assert (account_run.state, account_run.reason) == ("failed", "wrong_account")
    assert sorted(written) == ["east", "north", "west"]


def test_the_end_of_an_account_is_told_to_its_health(house: House) -> None:
    def replicate(
        target: Target, client: KommoClient, record: Record, checkpoint: Checkpoint, store_before: StoreBefore
    ) -> Result:
        return result("failed", "unpaid") if target.subdomain == "east" else result(requests=1)

    house.start()
    house.work(replicate)

    health = dict(Account.objects.values_list("subdomain", "health"))
    assert (health["east"], health["north"], health["master"]) == ("unpaid", "connected", "connected")


def test_the_same_message_twice_does_the_work_once(house: House) -> None:
    run = house.start()

    house.work()
    assert not house.work()

    assert LogEntry.objects.filter(run=run, code="run_ended").count() == 1
    assert set(run.account_runs.values_list("fence", flat=True)) == {1}
