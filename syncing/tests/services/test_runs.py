"""Starting, joining, cancelling and retrying runs."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import User
from django.db import connections, transaction
from django_q.models import OrmQ

from accounts.actors import Actor
from accounts.models import Account, SyncGroup
from accounts.refusals import Refusal
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import AccountRun, LogEntry, RunType, SyncRun
from syncing.services.actors import COMMAND, RETRY, WATCH, WEBHOOK
from syncing.services.runs.retry import retry_failed
from syncing.services.runs.start import cancel_run, start_run
from syncing.tests.factories import API

pytestmark = pytest.mark.django_db


@pytest.fixture
def group() -> SyncGroup:
    return AccountFactory.cast()["master"].group


def states(run: SyncRun) -> list[str]:
    return sorted(run.account_runs.values_list("state", flat=True))


def test_a_run_has_a_part_for_every_slave_and_none_for_the_master(group: SyncGroup) -> None:
    started = start_run(group=group, by=API)

    assert not started.joined
    assert set(started.run.account_runs.values_list("account__subdomain", flat=True)) == {
        "north",
        "south",
        "west",
        "east",
    }


@pytest.mark.django_db(transaction=True)
def test_messages_are_sent_after_the_commit_one_per_lane_and_say_nothing(group: SyncGroup) -> None:
    with transaction.atomic():
        start_run(group=group, by=API)
        assert not OrmQ.objects.exists()

    tasks = [row.task for row in OrmQ.objects.all()]
    assert [(task["func"], task["args"], task["kwargs"]) for task in tasks] == [("syncing.tasks.lane", (), {})] * 2


@pytest.mark.django_db(transaction=True)
def test_a_run_that_its_caller_works_sends_no_message(group: SyncGroup) -> None:
    start_run(group=group, by=COMMAND, to_workers=False)

    assert not OrmQ.objects.exists()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda group: group.accounts.filter(role="master").delete(), "no_master"),
        (lambda group: group.accounts.filter(role="slave").delete(), "no_slaves"),
        (lambda group: group.accounts.filter(role="master").update(paused=True), "paused"),
        (lambda group: group.accounts.filter(role="slave").update(paused=True), "paused"),
        (lambda group: SyncGroup.objects.update(sync_pipelines=False, sync_custom_fields=False), "not_in_policy"),
    ],
)
def test_a_group_that_cannot_be_synced_is_refused_with_a_remedy(group: SyncGroup, change, code: str) -> None:
    change(group)

    with pytest.raises(Refusal) as refused:
        start_run(group=group, by=API)

    assert refused.value.code == code
    assert refused.value.remedy
    assert not SyncRun.objects.exists()


def test_a_type_outside_the_policy_is_refused(group: SyncGroup) -> None:
    SyncGroup.objects.update(sync_pipelines=False)

    with pytest.raises(Refusal) as refused:
        start_run(group=group, type=RunType.PIPELINES, by=API)

    assert refused.value.code == "not_in_policy"


def test_an_account_of_another_group_is_refused_by_name(group: SyncGroup) -> None:
    stranger = AccountFactory(group=GroupFactory(name="Others"), subdomain="stranger")

    with pytest.raises(Refusal, match="stranger"):
        start_run(group=group, by=API, accounts=[stranger])


def test_the_master_is_no_target(group: SyncGroup) -> None:
    with pytest.raises(Refusal, match="master"):
        start_run(group=group, by=API, accounts=[group.accounts.get(role="master")])


def test_forcing_needs_a_reason(group: SyncGroup) -> None:
    with pytest.raises(Refusal) as refused:
        start_run(group=group, by=API, forced=True, force_reason="  ")

    assert refused.value.code == "no_reason"


def test_a_paused_account_is_skipped_and_says_so(group: SyncGroup) -> None:
    Account.objects.filter(subdomain="east").update(paused=True)

    run = start_run(group=group, by=API).run

    account_run = run.account_runs.get(account__subdomain="east")
    assert (account_run.state, account_run.reason) == ("skipped", "paused")
    assert states(run) == ["queued", "queued", "queued", "skipped"]


# -- joining --


def test_a_second_trigger_joins_the_run_that_waits(group: SyncGroup) -> None:
    first = start_run(group=group, by=API)
    second = start_run(group=group, by=WEBHOOK)

    assert second.joined
    assert second.run.pk == first.run.pk


@pytest.mark.django_db(transaction=True)
def test_bug_6_two_triggers_at_once_make_one_run(group: SyncGroup) -> None:
    def trigger(_: int) -> int:
        try:
            return start_run(group=group, by=WEBHOOK).run.pk
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        runs = set(pool.map(trigger, range(16)))

    assert len(runs) == SyncRun.objects.count() == 1


def test_a_run_whose_master_is_being_read_is_not_joined(group: SyncGroup) -> None:
    first = start_run(group=group, by=API).run
    SyncRun.objects.filter(pk=first.pk).update(state="running", fence=1)

    assert not start_run(group=group, by=API).joined


@pytest.mark.parametrize(
    "other",
    [{"type": RunType.PIPELINES}, {"mode": "plan"}, {"forced": True, "force_reason": "I know"}, {"delta": True}],
)
def test_a_run_of_another_kind_is_not_joined(group: SyncGroup, other: dict[str, object]) -> None:
    start_run(group=group, by=API)

    assert not start_run(group=group, by=API, **other).joined  # type: ignore[arg-type]


def test_a_run_for_other_accounts_is_not_joined(group: SyncGroup) -> None:
    start_run(group=group, by=API)
    north = group.accounts.get(subdomain="north")

    assert not start_run(group=group, by=API, accounts=[north]).joined


@pytest.mark.parametrize("by", [WATCH, RETRY])
def test_what_a_person_asks_for_does_not_become_a_run_that_may_not_delete(group: SyncGroup, by: Actor) -> None:
    start_run(group=group, by=by)

    assert not start_run(group=group, by=COMMAND).joined
    assert start_run(group=group, by=RETRY).joined


def test_a_waiting_run_of_a_command_goes_to_the_workers_when_somebody_counts_on_them(group: SyncGroup) -> None:
    own = start_run(group=group, by=COMMAND, to_workers=False).run

    assert start_run(group=group, by=WEBHOOK).joined
    own.refresh_from_db()
    assert own.queued_to_workers


# -- cancelling and retrying --


def test_a_cancelled_run_that_nobody_works_ends_at_once(group: SyncGroup) -> None:
    run = start_run(group=group, by=API).run

    cancel_run(run, by=Actor.of_user(User(username="ana"), "admin"))

    assert run.state == "cancelled"
    assert states(run) == ["cancelled"] * 4
    assert LogEntry.objects.filter(run=run, code="cancelled", message__contains="ana").exists()


def test_cancelling_leaves_an_ended_run_as_it_is(group: SyncGroup) -> None:
    run = start_run(group=group, by=API).run
    AccountRun.objects.filter(run=run).update(state="in_sync")
    SyncRun.objects.filter(pk=run.pk).update(state="succeeded")

    cancel_run(run, by=COMMAND)

    assert SyncRun.objects.get(pk=run.pk).cancel_requested_at is None
    assert states(run) == ["in_sync"] * 4


def test_a_retry_is_a_run_of_the_accounts_that_are_not_good(group: SyncGroup) -> None:
    run = start_run(group=group, by=API).run
    AccountRun.objects.filter(run=run).update(state="changed")
    AccountRun.objects.filter(run=run, account__subdomain="west").update(state="failed")
    AccountRun.objects.filter(run=run, account__subdomain="south").update(state="partial")
    SyncRun.objects.filter(pk=run.pk).update(state="partial")
    run.refresh_from_db()

    again = retry_failed(run, by=API).run

    assert set(again.account_runs.values_list("account__subdomain", flat=True)) == {"west", "south"}
    assert not again.whole_group


def test_nothing_to_retry_is_said(group: SyncGroup) -> None:
    run = start_run(group=group, by=API).run
    AccountRun.objects.filter(run=run).update(state="changed")
    SyncRun.objects.filter(pk=run.pk).update(state="succeeded")
    run.refresh_from_db()

    with pytest.raises(Refusal) as refused:
        retry_failed(run, by=API)

    assert refused.value.code == "nothing_failed"
