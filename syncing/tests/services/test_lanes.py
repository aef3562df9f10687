"""Lanes: what is worked, what is kept alive, and what stops them."""

import logging
import threading
import time
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, connections
from pytest_django import Settings

from accounts import clock
from accounts.kommo.client import KommoClient
from accounts.kommo.errors import Halted
from accounts.models import Account
from accounts.simulator.world import World
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.engine.refs import Kind, Ref
from syncing.models import AccountRun, IdMapping, LogEntry, SyncRun
from syncing.replication.contract import Checkpoint, Interrupted, Job, Keep, Mapped, Outcome, Record, Result
from syncing.services.runs.starting import cancel_run
from syncing.services.work import lanes
from syncing.services.work.hands import Hand, Pulse
from syncing.tests.services.conftest import SLAVES, House, all_well, database, result

CREATED = Outcome("create", "pipeline", "Sales", "", "done")


def wait_for(event: threading.Event) -> None:
    assert event.wait(10)


def test_a_lane_works_every_account_and_closes_the_run(house: House) -> None:
    run = house.start()

    assert not house.work()

    run.refresh_from_db()
    assert run.state == "succeeded"
    assert house.states(run) == dict.fromkeys(SLAVES, "changed")
    assert run.totals["requests"] == 28


def test_each_account_gets_its_own_mappings_and_the_masters_snapshot(house: House) -> None:
    IdMapping.objects.create(account=house.accounts["north"], kind="pipeline", master_key="7", slave_key="70")
    jobs: dict[str, Job] = {}

    def look(job: Job, client: KommoClient, record: Record, checkpoint: Checkpoint, keep: Keep) -> Result:
        jobs[job.subdomain] = job
        return result()

    house.start()
    house.work(look)

    assert jobs["north"].known == {Ref(Kind.PIPELINE, "7"): "70"}
    assert jobs["south"].known == {}
    assert all(job.desired.pipelines and job.writes for job in jobs.values())


def test_no_thread_of_an_account_asks_the_database(house: House) -> None:
    """A connection opened there would be one per thread."""
    own: dict[str, list[str]] = {}

    def look(job: Job, client: KommoClient, record: Record, checkpoint: Checkpoint, keep: Keep) -> Result:
        record([CREATED], [], [])
        own[job.subdomain] = [alias for alias in connections if connections[alias].connection is not None]
        return result()

    house.start()
    house.work(look)

    assert own == {name: [] for name in SLAVES}


def test_one_accounts_bug_is_tried_three_times_and_stops_nobody_else(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    def replicate(job: Job, client: KommoClient, record: Record, checkpoint: Checkpoint, keep: Keep) -> Result:
        if job.subdomain == "south":
            raise KeyError("token-of-south")
        return result()

    run = house.start()
    with caplog.at_level(logging.CRITICAL):
        house.work(replicate)

    part = house.part(run, "south")
    assert (part.state, part.reason, part.errors) == ("failed", "internal", 3)
    assert "KeyError" in part.error["message"]
    assert "token-of-south" not in part.error["message"]
    run.refresh_from_db()
    assert run.state == "partial"


def test_an_account_without_a_token_fails_and_says_so(house: House) -> None:
    Account.objects.filter(subdomain="south").update(token="")
    run = house.start()

    house.work()

    part = house.part(run, "south")
    assert (part.state, part.reason) == ("failed", "unauthorised")
    assert "token" in part.error["remedy"]
    assert house.part(run, "north").state == "changed"


def test_a_secret_that_no_key_reads_fails_its_account_and_names_the_variable(house: House) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_account SET token = 'gAAAAAB' WHERE subdomain = 'south'")
    run = house.start()

    house.work()

    part = house.part(run, "south")
    assert (part.state, part.reason) == ("failed", "internal")
    assert "FIELD_ENCRYPTION_KEYS" in part.error["message"]
    assert house.part(run, "north").state == "changed"


@pytest.mark.parametrize(
    ("moved", "change", "note"),
    [(False, {"paused": True}, "paused"), (True, {"role": "master"}, "no slave"), (True, {}, "another group")],
)
def test_an_account_taken_out_while_its_run_waited_is_not_touched(
    house: House, moved: bool, change: dict[str, object], note: str
) -> None:
    asked: list[str] = []

    def look(job: Job, client: KommoClient, record: Record, checkpoint: Checkpoint, keep: Keep) -> Result:
        asked.append(job.subdomain)
        return result()

    run = house.start()
    group = GroupFactory(name="Others") if moved else house.group
    Account.objects.filter(subdomain="south").update(group=group, **change)
    house.work(look)

    part = house.part(run, "south")
    assert (part.state, part.reason) == ("skipped", "" if moved else "paused")
    assert note in part.note
    assert sorted(asked) == ["east", "north", "west"]
    run.refresh_from_db()
    assert run.state == "partial"


# -- stopping --


def test_a_stopping_lane_hands_back_what_it_holds_and_the_next_one_goes_on(house: House) -> None:
    def begin(job: Job, client: KommoClient, record: Record, checkpoint: Checkpoint, keep: Keep) -> Result:
        record([CREATED], [Mapped(Ref(Kind.PIPELINE, "7"), "70", "Sales", "", True)], [])
        house.stop.set()
        while True:
            checkpoint("reading")
            time.sleep(0.005)  # as a request takes: spinning would starve the lane\'s own thread

    run = house.start()
    assert house.work(begin)

    run.refresh_from_db()
    assert run.state == "running"
    assert set(house.states(run).values()) == {"queued"}
    assert not AccountRun.objects.exclude(errors=0, crashes=0).exists()

    house.stop.clear()
    house.work(lambda job, client, record, checkpoint, keep: result("in_sync"))
    run.refresh_from_db()
    assert run.state == "succeeded"
    assert house.states(run)["north"] == "changed"  # by the first attempt
    assert house.part(run, "north").created == 1


def test_a_cancel_stops_between_two_requests_and_says_how_far_it_came(house: House, settings: Settings) -> None:
    settings.SYNC_LEASE = 1
    begun = threading.Event()

    def replicate(job: Job, client: KommoClient, record: Record, checkpoint: Checkpoint, keep: Keep) -> Result:
        record([CREATED], [], [])
        begun.set()
        while True:
            checkpoint("writing pipelines")
            time.sleep(0.005)  # as a request takes: spinning would starve the lane\'s own thread

    run = house.start()
    lane = threading.Thread(target=in_a_thread, args=(house, replicate, 2))
    lane.start()
    wait_for(begun)
    cancel_run(run, by=None)
    lane.join(10)

    run.refresh_from_db()
    assert run.state == "cancelled"
    assert set(house.states(run).values()) == {"cancelled"}
    notes = set(run.account_runs.exclude(note="").values_list("note", flat=True))
    assert notes == {"stopped after 0 requests: 1 created; last: writing pipelines"}


def in_a_thread(house: House, replicate: object, threads: int) -> None:
    with database():
        house.work(replicate, threads=threads)  # type: ignore[arg-type]


def test_a_lane_that_lost_its_claim_stops_and_stores_nothing(house: House, settings: Settings) -> None:
    settings.SYNC_LEASE = 1
    seen: list[str] = []

    def replicate(job: Job, client: KommoClient, record: Record, checkpoint: Checkpoint, keep: Keep) -> Result:
        if not seen:
            seen.append(job.subdomain)
            with database():
                part = AccountRun.objects.filter(account__subdomain=job.subdomain)
                part.update(fence=99, lane="other", lease_until=clock.now() + timedelta(minutes=1))
            try:
                while True:
                    checkpoint("reading")
                    time.sleep(0.005)  # as a request takes: spinning would starve the lane\'s own thread
            except Interrupted as lost:
                seen.append(lost.code)
                raise
        return result()

    run = house.start()
    house.work(replicate)

    assert seen[1] == "lost_claim"
    part = house.part(run, seen[0])
    assert (part.state, part.fence, part.errors) == ("running", 99, 0)


def test_without_a_heartbeat_nothing_more_is_sent(house: House, settings: Settings) -> None:
    settings.SYNC_LEASE = 0.6
    codes: list[str] = []

    def replicate(job: Job, client: KommoClient, record: Record, checkpoint: Checkpoint, keep: Keep) -> Result:
        hand: Hand = checkpoint.__self__  # type: ignore[attr-defined]
        hand.pulse.beaten = lambda at: None  # type: ignore[method-assign]
        try:
            while True:
                checkpoint("reading")
                time.sleep(0.005)  # as a request takes: spinning would starve the lane\'s own thread
        except Interrupted as lost:
            codes.append(lost.code)
            raise

    house.start(accounts=[house.accounts["north"]])
    house.work(replicate)

    assert set(codes) == {"lost_claim"}


def test_a_lane_claims_no_more_when_its_slice_is_over(house: House) -> None:
    run = house.start()

    house.work(slice_s=60.0, threads=4)  # reads the master, works
    again = house.start()
    assert house.work(slice_s=0.0)

    run.refresh_from_db()
    again.refresh_from_db()
    assert (run.state, again.state) == ("succeeded", "queued")


def test_a_lane_whose_database_went_away_leaves_no_thread_behind(
    house: House, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.SYNC_LEASE = 1
    before = set(threading.enumerate())

    def gone(name: str) -> None:
        raise OperationalError("the connection is closed")

    def replicate(job: Job, client: KommoClient, record: Record, checkpoint: Checkpoint, keep: Keep) -> Result:
        monkeypatch.setattr(lanes.processes, "beat", gone)
        time.sleep(0.6)  # a long answer: the next two heartbeats fail
        checkpoint("reading")
        return result()

    house.start()
    with pytest.raises(OperationalError):
        house.work(replicate)

    mine = [thread for thread in set(threading.enumerate()) - before if thread.name.startswith(("account_", "pulse"))]
    for thread in mine:
        thread.join(2)
    assert not [thread.name for thread in mine if thread.is_alive()]


# -- a blocked IP --


def test_a_plain_403_stops_everything_in_every_group(
    house: House, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    other = GroupFactory(name="Others")
    AccountFactory(group=other, role="master", subdomain="other-master")
    AccountFactory(group=other, subdomain="other-slave")
    run, waiting = house.start(), house.start(group=other)
    SyncRun.objects.filter(pk=waiting.pk).update(queued_to_workers=False)

    def replicate(job: Job, client: KommoClient, record: Record, checkpoint: Checkpoint, keep: Keep) -> Result:
        world.limiter.blocked.add("127.0.0.1")
        while True:
            client.get("/leads/pipelines")
            checkpoint("reading")

    with caplog.at_level(logging.CRITICAL):
        house.work(replicate, threads=2)

    run.refresh_from_db()
    waiting.refresh_from_db()
    assert (run.state, run.reason) == ("failed", "ip_blocked")
    assert (waiting.state, waiting.reason) == ("failed", "ip_blocked")
    reasons = set(run.account_runs.values_list("state", "reason"))
    assert reasons == {("failed", "ip_blocked")}
    assert {part.error["code"] for part in run.account_runs.all()} == {"ip_blocked"}
    refused = [record for record in world.log if record.status == 403]
    assert len(refused) <= 2 + 1 + 3  # what was in flight, the account itself once more, up to three others


def test_a_block_that_another_lane_met_stops_this_one(house: House, settings: Settings) -> None:
    settings.SYNC_LEASE = 1

    def replicate(job: Job, client: KommoClient, record: Record, checkpoint: Checkpoint, keep: Keep) -> Result:
        if job.subdomain == "north":
            with database():
                lanes.block.announce()
        while True:
            client.get("/leads/pipelines")
            checkpoint("reading")

    run = house.start()
    house.work(replicate)

    run.refresh_from_db()
    assert (run.state, run.reason) == ("failed", "ip_blocked")


def test_a_block_is_announced_once_by_who_met_it(
    house: House, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SYNC_LEASE = 1
    announced: list[bool] = []
    announce = lanes.block.announce
    monkeypatch.setattr(lanes.block, "announce", lambda: (announced.append(True), announce()))

    def replicate(job: Job, client: KommoClient, record: Record, checkpoint: Checkpoint, keep: Keep) -> Result:
        if job.subdomain == "north":
            with database():
                announce()
        while True:
            client.get("/leads/pipelines")
            checkpoint("reading")

    house.start()
    house.work(replicate)

    assert not announced


def test_a_run_begun_after_a_block_may_try_again(house: House) -> None:
    lanes.block.announce()

    run = house.start()
    house.work()

    run.refresh_from_db()
    assert run.state == "succeeded"


# -- whose account it is --


def test_an_entry_that_leads_to_the_masters_account_is_never_written(house: House, world: World) -> None:
    """South's subdomain shows the master's account: by id, though it was never met under this entry."""
    Account.objects.filter(subdomain="master").update(kommo_id=world.accounts["south"].account_id)
    world.accounts["master"].account_id = world.accounts["south"].account_id
    written: list[str] = []

    def replicate(job: Job, client: KommoClient, record: Record, checkpoint: Checkpoint, keep: Keep) -> Result:
        checkpoint("reading")
        client.get("/leads/pipelines")
        checkpoint("writing")
        written.append(job.subdomain)
        return result()

    run = house.start()
    house.work(replicate)

    part = house.part(run, "south")
    assert (part.state, part.reason) == ("failed", "wrong_account")
    assert sorted(written) == ["east", "north", "west"]


# -- what is learnt --


def test_the_end_of_an_account_is_told_to_its_health(house: House) -> None:
    def replicate(job: Job, client: KommoClient, record: Record, checkpoint: Checkpoint, keep: Keep) -> Result:
        return result("failed", "unpaid") if job.subdomain == "east" else result(requests=1)

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


def test_a_wait_for_a_turn_ends_when_the_lanes_own_thread_hangs(house: House, settings: Settings) -> None:
    """A hand that is not between two requests but within one: it waits for its turn, or to repeat."""
    settings.SYNC_LEASE = 0.5
    codes: list[str] = []

    def replicate(job: Job, client: KommoClient, record: Record, checkpoint: Checkpoint, keep: Keep) -> Result:
        hand: Hand = checkpoint.__self__  # type: ignore[attr-defined]
        hand.pulse.beaten = lambda at: None  # type: ignore[method-assign]
        try:
            hand.stop.sleep(10)
        except Halted as halted:
            codes.append(halted.reason)
            raise Interrupted(halted.reason) from halted
        return result()

    house.start(accounts=[house.accounts["north"]])
    house.work(replicate)

    assert codes == ["lost_claim"]


def test_a_lane_whose_machine_slept_sends_nothing_when_it_wakes(house: House, world: World) -> None:
    """Not even the request that had its turn already: its thread slept between that and the sending."""
    slept = 0.0

    def replicate(job: Job, client: KommoClient, record: Record, checkpoint: Checkpoint, keep: Keep) -> Result:
        hand: Hand = checkpoint.__self__  # type: ignore[attr-defined]
        pacer = client._transport.pacer
        turn = pacer.wait

        def turn_and_sleep() -> None:
            nonlocal slept
            turn()
            slept = 60

        hand.pulse.beaten = lambda at: None  # type: ignore[method-assign]
        hand.pulse._clocks = (time.monotonic, lambda: time.monotonic() + slept)
        hand.pulse._at = hand.pulse.moment()
        pacer.wait = turn_and_sleep  # type: ignore[method-assign]
        checkpoint("writing")
        client.post("/leads/pipelines", [{"name": "Sales"}])
        return result()

    run = house.start(accounts=[house.accounts["north"]])
    house.work(replicate)

    assert [record.method for record in world.log.of("north")] == []
    assert house.part(run, "north").state == "running"  # until its lease has ended; then another lane takes it
    run.refresh_from_db()
    assert run.state == "running"


def test_leases_count_from_before_they_were_extended(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that sleeps while they are extended has lost them, though its lane has just had a heartbeat."""
    now = 0.0

    def extend_and_sleep(*args: object) -> dict[int, int]:
        nonlocal now
        now += 60
        return {}

    monkeypatch.setattr(lanes, "Pulse", lambda: Pulse((lambda: now,)))
    monkeypatch.setattr(lanes.claims, "extend_masters", extend_and_sleep)
    lane = lanes.LaneAtWork("lane", 60.0, 1, house.stop, None, all_well)
    try:
        lane._beat()
        assert lane._pulse.is_stale
    finally:
        lane.leave()
