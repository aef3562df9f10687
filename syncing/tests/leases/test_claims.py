"""Claims: one winner, a lease, a fence, and the way back from a lane that died."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import IntegrityError, connections, transaction

from accounts import clock
from accounts.models import SyncGroup
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing import conf
from syncing.leases import claims
from syncing.models import AccountRun, MasterSnapshot, PromotionProposal, SyncRun
from syncing.services.runs.close import end_without_master
from syncing.tests.factories import AccountRunFactory, RunFactory

pytestmark = pytest.mark.django_db


def read_run(group: SyncGroup, **facts: object) -> SyncRun:
    """A run whose master has been read."""
    snapshot = MasterSnapshot.objects.create(group=group, type="full", document={}, fingerprint="x")
    return RunFactory(group=group, state="running", snapshot=snapshot, **facts)


@pytest.fixture
def run() -> SyncRun:
    run = read_run(GroupFactory())
    for _ in range(6):
        AccountRunFactory(run=run, account=AccountFactory(group=run.group), state="queued")
    return run


def expire(*account_runs: AccountRun) -> None:
    past = clock.now() - timedelta(seconds=1)
    AccountRun.objects.filter(pk__in=[account_run.pk for account_run in account_runs]).update(lease_until=past)


def test_a_claim_adds_one_to_the_fence_and_begins_a_lease(run: SyncRun) -> None:
    (claim,) = claims.claim_accounts("lane", 1)

    account_run = AccountRun.objects.get(pk=claim.account_run_id)
    assert (account_run.state, account_run.lane, account_run.fence, claim.fence) == ("running", "lane", 1, 1)
    assert account_run.lease_until is not None
    assert timedelta(0) < account_run.lease_until - clock.now() <= conf.lease()


@pytest.mark.django_db(transaction=True)
def test_of_many_lanes_no_two_get_the_same_account(run: SyncRun) -> None:
    def lane(number: int) -> list[int]:
        try:
            return [claim.account_run_id for claim in claims.claim_accounts(f"lane {number}", 2)]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        taken = [pk for pks in pool.map(lane, range(6)) for pk in pks]

    assert sorted(taken) == sorted(set(taken))
    assert len(taken) == AccountRun.objects.filter(state="running").count()


def test_accounts_of_an_unread_a_cancelled_or_a_commands_run_are_not_for_a_lane(run: SyncRun) -> None:
    for facts in ({"snapshot": None}, {"cancel_requested_at": clock.now()}, {"queued_to_workers": False}):
        before = SyncRun.objects.filter(pk=run.pk).values(*facts).get()
        SyncRun.objects.filter(pk=run.pk).update(**facts)
        assert claims.claim_accounts("lane", 6) == []
        SyncRun.objects.filter(pk=run.pk).update(**before)
    assert len(claims.claim_accounts("lane", 6)) == 6


def test_a_promotion_is_read_when_it_has_its_proposal(run: SyncRun) -> None:
    SyncRun.objects.filter(pk=run.pk).update(snapshot=None, purpose="promotion")
    assert list(claims.unread()) == [run]

    SyncRun.objects.update(proposal=PromotionProposal.objects.create(group=run.group, type="full", document={}))

    assert not claims.unread().exists()
    run.refresh_from_db()
    assert claims.claim_master(run) is None
    assert not end_without_master(run, "guard", {"code": "guard", "message": "Too late.", "remedy": "None."})
    assert len(claims.claim_accounts("lane", 6)) == 6


def test_one_account_is_never_in_work_in_two_runs(run: SyncRun) -> None:
    busy = run.account_runs.order_by("pk").first()
    AccountRun.objects.filter(pk=busy.pk).update(state="running", lease_until=clock.now() + conf.lease())
    other = AccountRunFactory(run=read_run(run.group), account=busy.account, state="queued")

    assert not claims.claimable().filter(pk=other.pk).exists()  # or a lane would begin again and again for it
    assert other.pk not in [claim.account_run_id for claim in claims.claim_accounts("lane", 50)]


def test_the_database_itself_refuses_a_second_writer_of_an_account(run: SyncRun) -> None:
    busy = run.account_runs.order_by("pk").first()
    AccountRun.objects.filter(pk=busy.pk).update(state="running")

    with pytest.raises(IntegrityError), transaction.atomic():
        AccountRunFactory(run=read_run(run.group), account=busy.account, state="running")


def test_a_heartbeat_extends_only_what_the_lane_still_holds(run: SyncRun) -> None:
    mine, lost = claims.claim_accounts("lane", 2)
    AccountRun.objects.filter(pk=lost.account_run_id).update(lane="other", fence=2)
    soon = clock.now() + timedelta(seconds=1)
    AccountRun.objects.update(lease_until=soon)

    fences = claims.extend_accounts([mine.account_run_id, lost.account_run_id], "lane")

    assert fences == {mine.account_run_id: 1}
    assert AccountRun.objects.get(pk=mine.account_run_id).lease_until > soon
    assert AccountRun.objects.get(pk=lost.account_run_id).lease_until == soon


# -- the way back --


@pytest.fixture
def dead(run: SyncRun) -> AccountRun:
    """In the hands of a lane whose lease is over."""
    (claim,) = claims.claim_accounts("dead lane", 1)
    account_run = AccountRun.objects.get(pk=claim.account_run_id)
    expire(account_run)
    return account_run


def test_what_a_dead_lane_held_goes_back_to_the_queue_and_counts_as_a_crash(dead: AccountRun) -> None:
    assert claims.release_expired() == 1

    dead.refresh_from_db()
    assert (dead.state, dead.crashes, dead.errors, dead.fence) == ("queued", 1, 0, 2)


def test_a_living_lane_keeps_what_it_holds(run: SyncRun) -> None:
    claims.claim_accounts("lane", 6)

    assert claims.release_expired() == 0


def test_after_ten_crashes_an_account_is_failed(dead: AccountRun) -> None:
    AccountRun.objects.filter(pk=dead.pk).update(crashes=conf.MAX_CRASHES)

    claims.release_expired()

    dead.refresh_from_db()
    assert (dead.state, dead.reason, dead.error["code"]) == ("failed", "internal", "internal")


def test_what_a_dead_lane_held_of_a_cancelled_run_is_cancelled(dead: AccountRun) -> None:
    SyncRun.objects.update(cancel_requested_at=clock.now())

    claims.release_expired()

    dead.refresh_from_db()
    assert (dead.state, dead.reason) == ("cancelled", "cancelled")


# -- masters --


@pytest.fixture
def waiting() -> SyncRun:
    return RunFactory(state="queued")


def test_the_master_is_read_by_one_lane_only(waiting: SyncRun) -> None:
    assert claims.claim_master(waiting) is not None
    assert claims.claim_master(waiting) is None


def test_a_lane_that_died_while_reading_is_followed_by_another(waiting: SyncRun) -> None:
    first = claims.claim_master(waiting)
    SyncRun.objects.update(lease_until=clock.now() - timedelta(seconds=1))
    waiting.refresh_from_db()

    second = claims.claim_master(waiting)

    assert second is not None
    assert first is not None
    assert (second.fence, second.attempts) == (first.fence + 1, 2)


def test_a_younger_run_of_the_group_is_not_begun_before_the_older_one_has_ended(waiting: SyncRun) -> None:
    younger = RunFactory(state="queued", group=waiting.group)
    other_group = RunFactory(state="queued", group=GroupFactory(name="Others"))

    assert claims.claim_master(younger) is None
    assert claims.claim_master(other_group) is not None
    SyncRun.objects.filter(pk=waiting.pk).update(state="failed")
    assert claims.claim_master(younger) is not None
