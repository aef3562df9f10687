"""The list of runs: filters in the address, a search, pages, and what an empty list says."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Account
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import AccountState, RunState, SyncRun, Trigger
from syncing.tests.factories import AccountRunFactory, RunFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast(db) -> dict[str, Account]:
    return AccountFactory.cast()


@pytest.fixture
def found(admin_client: Client):
    """Returns the numbers of the runs that the list shows."""

    def ask(**parameters: str) -> list[int]:
        return [run.pk for run in admin_client.get(reverse("syncing:runs"), parameters).context["runs"]]

    return ask


def test_a_run_that_failed_for_several_reasons_says_how_many(admin_client, cast) -> None:
    run = RunFactory(group=cast["north"].group, state=RunState.FAILED, reason="unpaid")
    reasons = (("north", "unpaid"), ("south", "unauthorised"), ("west", "unauthorised"))
    for name, reason in reasons:
        AccountRunFactory(run=run, account=cast[name], state="failed", reason=reason)
    AccountRunFactory(run=run, account=cast["east"], state="skipped", reason="paused")
    html = admin_client.get(reverse("syncing:runs")).content.decode()
    assert "2 reasons" in html
    assert "Not paid in Kommo" not in html
    SyncRun.objects.update(reason="guard")  # its own
    assert "Stopped by a limit" in admin_client.get(reverse("syncing:runs")).content.decode()
    SyncRun.objects.update(reason="unpaid")
    run.account_runs.update(reason="unpaid")
    html = admin_client.get(reverse("syncing:runs")).content.decode()
    assert "Not paid in Kommo" in html
    SyncRun.objects.update(reason="ip_blocked")
    run.account_runs.filter(account=cast["south"]).update(reason="ip_blocked")
    assert "Our address is blocked" in admin_client.get(reverse("syncing:runs")).content.decode()


def test_the_filters_are_in_the_address_and_narrow_each_other(cast, found) -> None:
    group, other = cast["north"].group, GroupFactory(name="Others")
    failed = RunFactory(group=group, state=RunState.FAILED, trigger=Trigger.SCHEDULE)
    RunFactory(group=other, state=RunState.FAILED, type="pipelines")
    at_work = RunFactory(group=group, state=RunState.RUNNING, purpose="drift")
    assert found(state="failed", group=str(group.pk)) == [failed.pk]
    assert found(state="open") == [at_work.pk]
    assert found(purpose="drift") == [at_work.pk]
    assert found(trigger="schedule", type="full") == [failed.pk]
    assert found(group=str(GroupFactory(name="Empty").pk)) == []
    assert len(found()) == len(found(group="x")) == len(found(group="0")) == 3


def test_a_person_is_found_by_the_name_of_that_time_and_nobody_by_a_choice_of_its_own(cast, found) -> None:
    group = cast["north"].group
    ana = RunFactory(group=group, requester_name="Ana", requester_user_id=1)
    bot = RunFactory(group=group, requester_name="watcher")
    assert found(person="Ana") == [ana.pk]
    assert found(person="watcher") == []  # no person
    assert found(person="-") == [bot.pk]


def test_runs_are_found_by_account_and_say_how_it_did(admin_client, cast, found) -> None:
    group = cast["north"].group
    run, other = RunFactory(group=group), RunFactory(group=group)
    AccountRunFactory(run=run, account=cast["north"], state=AccountState.FAILED, reason="unpaid")
    AccountRunFactory(run=other, account=cast["south"])
    assert found(account="north") == [run.pk]
    assert found(account="nowhere") == []
    html = admin_client.get(reverse("syncing:runs"), {"account": "north"}).content.decode()
    own = reverse("admin:syncing_accountrun_change", args=[run.account_runs.get().pk])
    assert f'<a href="{own}">north</a>' in html
    page = admin_client.get(reverse("syncing:account", args=[cast["north"].pk])).content.decode()
    assert 'href="/runs/?account=north"' in page


def test_runs_are_found_by_day_and_told_in_other_orders(cast, found) -> None:
    times = [datetime(2026, 3, day, 23, 30, tzinfo=UTC) for day in (1, 2, 3)]
    runs = []
    for number, moment in enumerate(times):
        with time_machine.travel(moment):
            ended = moment + timedelta(minutes=10 if number == 1 else 1)
            runs.append(RunFactory(group=cast["north"].group, started_at=moment, finished_at=ended).pk)
    assert found(since="2026-03-02") == [runs[2], runs[1]]
    assert found(until="2026-03-02") == [runs[1], runs[0]]
    assert found(since="2026-03-02", until="2026-03-02") == [runs[1]]
    assert found(sort="oldest") == runs
    assert found(sort="longest") == [runs[1], runs[2], runs[0]]


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_no_day_is_too_early_or_too_late_to_be_looked_for(cast, found, settings, zone) -> None:
    settings.TIME_ZONE = zone
    run = RunFactory(group=cast["north"].group)
    assert found(since="0001-01-02", until="9999-12-30") == [run.pk]
    assert found(since="0001-01-01", until="9999-12-31") == [run.pk]
    assert found(since="9999-12-30") == found(until="0001-01-02") == []


def test_a_plan_that_was_sent_back_says_so_in_the_list(admin_client, cast, found) -> None:
    facts = {"sent_back_at": timezone.now(), "sent_back_by": "Ana", "sent_back_comment": "Keep the <old> stage."}
    back = RunFactory(group=cast["north"].group, state=RunState.PLANNED, **facts)
    RunFactory(group=cast["north"].group, state=RunState.PLANNED)
    html = admin_client.get(reverse("syncing:runs")).content.decode()
    assert "Ana: Keep the &lt;old&gt; stage." in html
    assert 'href="/runs/?state=sent_back">1 Sent back</a>' in html
    assert found(state="sent_back") == [back.pk]


@pytest.mark.parametrize("text", ["#{pk}", "{pk}", "branch", "nort", "unpa", "ANA"])
def test_a_run_is_found_by_number_group_account_reason_and_person(cast, found, text) -> None:
    other = RunFactory(group=GroupFactory(name="Others"))
    run = RunFactory(group=cast["north"].group, reason="unpaid", requester_name="Ana", requester_user_id=1)
    AccountRunFactory(run=run, account=cast["north"])
    assert found(q=text.format(pk=run.pk)) == [run.pk] != [other.pk]


def test_a_text_of_digits_that_is_no_number_of_a_run_finds_nothing(cast, found) -> None:
    RunFactory(group=cast["north"].group)
    assert found(q="9" * 40) == found(q="²") == []


def test_counts_of_states_follow_the_other_filters_and_lead_to_the_filtered_list(admin_client, cast) -> None:
    group = cast["north"].group
    for state in (RunState.FAILED, RunState.FAILED, RunState.SUCCEEDED):
        RunFactory(group=group, state=state)
    RunFactory(group=GroupFactory(name="Others"), state=RunState.FAILED)
    html = admin_client.get(reverse("syncing:runs"), {"group": str(group.pk), "state": "succeeded"}).content.decode()
    assert f'href="/runs/?group={group.pk}&amp;state=failed">2 Failed</a>' in html


def test_an_empty_list_says_what_to_do_next(admin_client, cast) -> None:
    assert "There is no run yet." in admin_client.get(reverse("syncing:runs")).content.decode()
    RunFactory(group=cast["north"].group)
    assert "No run matches." in admin_client.get(reverse("syncing:runs"), {"q": "zzz"}).content.decode()


def test_the_list_costs_the_same_for_few_and_many(admin_client, cast, django_assert_num_queries) -> None:
    for _number in range(60):
        AccountRunFactory(run=RunFactory(group=cast["north"].group), account=cast["north"])
    with django_assert_num_queries(9):
        answer = admin_client.get(reverse("syncing:runs"))
    assert len(answer.context["rows"]) == 50
    assert "Page 1 of 2" in answer.content.decode()


def test_the_list_is_live_while_a_run_of_it_is_open(admin_client, cast) -> None:
    run = RunFactory(group=cast["north"].group, state=RunState.RUNNING)
    AccountRunFactory(run=run, account=cast["north"], state=AccountState.CHANGED)
    answer = admin_client.get(reverse("syncing:runs_live")).json()
    assert answer["open"] is True
    assert "1 Changed and verified" in answer["parts"]["ks-runs"]
    SyncRun.objects.update(state=RunState.SUCCEEDED)
    assert admin_client.get(reverse("syncing:runs_live")).json()["open"] is False


def test_the_list_is_for_those_who_may_see_runs(django_user_model) -> None:
    client = Client()
    client.force_login(django_user_model.objects.create_user("clerk", is_staff=True))
    assert client.get(reverse("syncing:runs")).status_code == 403
    assert client.get(reverse("syncing:runs_live")).status_code == 403
