"""The log of a run as a page and as a file, by the same filters; and the phases of a run."""

import csv
import io
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Account
from accounts.tests.factories import AccountFactory
from syncing.models import LogEntry, SyncRun
from syncing.selectors.run_times import times_of
from syncing.tests.factories import AccountRunFactory, RunFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast(db) -> dict[str, Account]:
    return AccountFactory.cast()


@pytest.fixture
def run(cast) -> SyncRun:
    run = RunFactory(group=cast["north"].group)
    for name in ("north", "south"):
        account_run = AccountRunFactory(run=run, account=cast[name])
        for action, level in (("create", "info"), ("delete", "warning")):
            entry = {"action": action, "level": level, "kind": "stage", "name": f"=Offer {name}", "code": "done"}
            LogEntry.objects.create(run=run, account_run=account_run, details={"parent": "Sales"}, **entry)
    LogEntry.objects.create(run=run, message="It began.")
    LogEntry.objects.create(run=RunFactory(group=cast["north"].group), message="Another run.")
    return run


def lines(client: Client, run: SyncRun, **parameters: str) -> list[dict[str, str]]:
    answer = client.get(reverse("syncing:run_log_csv", args=[run.pk]), parameters)
    assert "attachment" in answer["Content-Disposition"]
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize(
    ("parameters", "count"),
    [
        ({}, 5),
        ({"account": "north"}, 2),
        ({"level": "warning"}, 2),
        ({"action": "delete", "account": "south"}, 1),
        ({"q": "OFFER n"}, 2),
        ({"q": "began"}, 1),
        ({"kind": "pipeline"}, 0),
    ],
)
def test_the_page_and_the_file_show_what_the_filters_find(admin_client, run, parameters, count) -> None:
    answer = admin_client.get(reverse("syncing:run_log", args=[run.pk]), parameters)
    assert answer.context["entries"].paginator.count == count
    assert len(lines(admin_client, run, **parameters)) == count
    assert ("No entry matches." in answer.content.decode()) == (count == 0)


def test_a_line_of_the_file_has_the_account_and_no_formula(admin_client, run) -> None:
    line = lines(admin_client, run, account="north", action="delete")[0]
    known = {name: line[name] for name in ("account", "item", "parent", "outcome")}
    assert known == {"account": "north", "item": "'=Offer north", "parent": "Sales", "outcome": "done"}


def test_the_log_costs_the_same_for_few_and_many(admin_client, run, django_assert_num_queries) -> None:
    with django_assert_num_queries(7):
        admin_client.get(reverse("syncing:run_log", args=[run.pk]))


def test_the_log_needs_its_permission(django_user_model, run) -> None:
    client = Client()
    client.force_login(django_user_model.objects.create_user("clerk", is_staff=True))
    for name in ("run_log", "run_log_csv"):
        assert client.get(reverse(f"syncing:{name}", args=[run.pk])).status_code == 403


def test_the_phases_of_a_run_add_up_to_the_whole(cast) -> None:
    end = timezone.now()
    run = RunFactory(group=cast["north"].group, started_at=end - timedelta(seconds=90), finished_at=end)
    SyncRun.objects.update(created_at=end - timedelta(seconds=100), master_requests=30)
    run.refresh_from_db()
    started = end - timedelta(seconds=60)
    AccountRunFactory(run=run, account=cast["north"], started_at=started, finished_at=end, requests=150)
    times = times_of(run)
    assert [(phase.code, phase.lasted) for phase in times.phases] == [
        ("waited", "10 s"),
        ("master", "30 s"),
        ("accounts", "1 min 0 s"),
    ]
    assert sum(phase.share for phase in times.phases) == pytest.approx(100)
    assert (times.requests, times.per_second) == (180, 2.0)


def test_a_run_that_waits_has_one_phase_and_no_pace(cast) -> None:
    times = times_of(RunFactory(group=cast["north"].group, state="queued", started_at=None))
    assert [phase.code for phase in times.phases] == ["waited"]
    assert times.per_second is None
