"""How long snapshots of slaves are kept, and what is kept because of them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import SyncGroup
from accounts.refusals import Refusal
from syncing.engine.snapshot import Snapshot, packed, unpacked
from syncing.execution.reaper import reap
from syncing.models import (
    AccountRun,
    LogEntry,
    MasterSnapshot,
    Message,
    Notice,
    PromotionProposal,
    RunState,
    SlaveSnapshot,
    SyncRun,
)
from syncing.records import retention
from syncing.records.log import log
from syncing.records.snapshots import store_snapshot
from syncing.services import rollback
from syncing.tests.crm import ANNA, account_runs, synced, work
from syncing.tests.engine.items import field, pipeline, snapshot, stage
from syncing.tests.factories import AccountRunFactory, RunFactory
from syncing.tests.house import House
from syncing.tests.notifications.channels import new_channel, new_message

pytestmark = pytest.mark.django_db
SALES = snapshot(pipeline(1, "Sales", stage(10, "New")), field(30, "Source", "select", enums=["Web"]))


def kept(account_run: AccountRun, *, days: int = 0, what: Snapshot = SALES) -> None:
    store_snapshot(account_run.pk, account_run.account_id, packed(what))
    SlaveSnapshot.objects.filter(pk=account_run.pk).update(taken_at=timezone.now() - timedelta(days=days))


def before(account_run: AccountRun) -> Snapshot:
    return unpacked(bytes(SlaveSnapshot.objects.get(pk=account_run.pk).document))


def test_a_snapshot_comes_back_as_it_was_stored() -> None:
    account_run = AccountRunFactory()
    kept(account_run)

    assert before(account_run) == SALES


def test_of_several_attempts_the_first_snapshot_stays() -> None:
    account_run = AccountRunFactory()
    kept(account_run)

    kept(account_run, what=Snapshot(()))

    assert before(account_run) == SALES


def test_they_are_kept_as_many_days_as_the_group_says() -> None:
    young, old = AccountRunFactory(), AccountRunFactory()
    kept(young, days=6)
    kept(old, days=8)
    SyncGroup.objects.update(snapshot_days=7)

    assert retention.prune_slave_snapshots() == 1

    assert list(SlaveSnapshot.objects.values_list("pk", flat=True)) == [young.pk]


def test_not_while_a_rollback_goes_by_them() -> None:
    old = AccountRunFactory()
    kept(old, days=100)
    RunFactory(group=old.run.group, reverts=old.run, purpose="rollback", state=RunState.QUEUED)

    assert retention.prune_slave_snapshots() == 0


def test_the_log_and_the_master_of_a_run_that_can_be_rolled_back_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncing.conf.KEEP_LOGS_OF", 0)
    facts = {"type": "full", "document": {}, "accepted": True}
    account_run = AccountRunFactory()
    group = account_run.run.group
    masters = [MasterSnapshot.objects.create(group=group, fingerprint=str(n), **facts) for n in range(3)]
    SyncRun.objects.filter(pk=account_run.run_id).update(snapshot=masters[0])
    other = RunFactory(group=group, snapshot=masters[1])
    for run in (account_run.run, other):
        log(run.pk, "Something.")
    kept(account_run)

    reap()

    assert list(LogEntry.objects.values_list("run", flat=True)) == [account_run.run_id]
    assert set(MasterSnapshot.objects.values_list("pk", flat=True)) == {masters[0].pk, masters[2].pk}
    SlaveSnapshot.objects.all().delete()
    reap()
    assert not LogEntry.objects.exists()


def test_what_a_promotion_left_is_not_taken_for_the_master_that_the_guard_compares_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("syncing.conf.KEEP_LOGS_OF", 0)
    run = RunFactory()
    facts = {"group": run.group, "type": "full", "document": {}}
    accepted = MasterSnapshot.objects.create(fingerprint="a", accepted=True, **facts)
    MasterSnapshot.objects.create(fingerprint="b", accepted=False, **facts)

    reap()

    assert list(MasterSnapshot.objects.all()) == [accepted]


def test_a_proposal_is_kept_as_long_as_the_log_of_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncing.conf.KEEP_LOGS_OF", 1)
    group = RunFactory(state="planned").group
    for state in ("queued", "planned", "planned"):
        proposal = PromotionProposal.objects.create(group=group, type="full", document={})
        RunFactory(group=group, purpose="promotion", state=state, proposal=proposal)

    retention.prune_logs()

    opened, old, latest = SyncRun.objects.filter(purpose="promotion").order_by("pk")
    assert (opened.proposal is None, old.proposal is None, latest.proposal is None) == (False, True, False)
    assert PromotionProposal.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_an_account_whose_snapshot_goes_while_its_rollback_waits_says_so(house: House) -> None:
    house.world.accounts["master"].add_pipeline("Sales")
    run = synced(house)
    waiting = rollback.start(run, mode="apply", by=ANNA)
    SlaveSnapshot.objects.filter(account_run__run=run, account=house.accounts["north"]).delete()

    ended = work(house, waiting)

    account_run = account_runs(ended)["north"]
    assert (account_run.state, account_run.reason) == ("failed", "not_found")
    assert "has expired" in account_run.error["message"]
    assert account_runs(ended)["south"].state == "changed"


def test_without_any_snapshot_there_is_nothing_to_start() -> None:
    account_run = AccountRunFactory()

    with pytest.raises(Refusal) as refusal:
        rollback.start(account_run.run, mode="apply", by=ANNA)

    assert refusal.value.code == "no_snapshots"


def test_messages_and_notices_are_kept_for_two_weeks() -> None:
    channel = new_channel()
    for days in (13, 15):
        at = timezone.now() - timedelta(days=days)
        Message.objects.filter(pk=new_message(channel).pk).update(created_at=at, title=str(days))
        Notice.objects.filter(pk=Notice.objects.create(event="overdue").pk).update(at=at)

    reap()

    assert [message.title for message in Message.objects.all()] == ["13"]
    assert Notice.objects.count() == 1
