"""Times are shown, and read, in the time zone of the reader's browser."""

from datetime import UTC, datetime

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from accounts.tests.factories import AccountFactory
from syncing.middleware import ZONE_COOKIE, ReadersZone
from syncing.models import SyncRun
from syncing.tests.factories import RunFactory

pytestmark = pytest.mark.django_db

RUNS = reverse("syncing:runs")
PAUSE = {"action": "pause_selected", "reason": "Holiday", "confirmed": "yes"}


def run_at(moment: datetime) -> int:
    run = RunFactory(started_at=moment, finished_at=moment)
    SyncRun.objects.filter(pk=run.pk).update(created_at=moment)
    return run.pk


def shown(client: Client, zone: str, **query: str) -> str:
    client.cookies[ZONE_COOKIE] = zone
    return client.get(RUNS, query).content.decode()


@pytest.mark.parametrize(
    ("zone", "clock"),
    [
        ("UTC", "01:30"),
        ("America/Sao_Paulo", "22:30"),  # of the day before
        ("Asia/Kathmandu", "07:15"),
    ],
)
def test_a_time_is_that_of_the_readers_clock_and_the_page_names_the_zone(
    admin_client: Client, zone: str, clock: str
) -> None:
    run_at(datetime(2026, 7, 2, 1, 30, tzinfo=UTC))
    html = shown(admin_client, zone)
    assert clock in html
    assert f"Times are shown in the time zone {zone}." in html


def test_summer_time_is_counted(admin_client: Client) -> None:
    run_at(datetime(2026, 3, 29, 0, 30, tzinfo=UTC))
    run_at(datetime(2026, 3, 29, 1, 30, tzinfo=UTC))  # an hour later two hours later on the wall
    html = shown(admin_client, "Europe/Berlin")
    assert "01:30" in html
    assert "03:30" in html


@pytest.mark.parametrize(
    "cookie", ["", "Nowhere/City", "../../etc/passwd", "/etc/localtime", "utc", "%00", "a" * 5000, "America", "\u0007"]
)
def test_of_a_cookie_that_is_no_zone_the_installations_is_taken(admin_client: Client, settings, cookie: str) -> None:
    settings.TIME_ZONE = "America/Lima"
    assert "Times are shown in the time zone America/Lima." in shown(admin_client, cookie)


def test_a_zone_ends_with_its_request(admin_client: Client) -> None:
    shown(admin_client, "Asia/Kathmandu")
    assert timezone.get_current_timezone_name() == timezone.get_default_timezone_name()


def test_a_day_is_that_of_the_reader(admin_client: Client) -> None:
    run = run_at(datetime(2026, 7, 2, 1, 30, tzinfo=UTC))
    link = f"/syncing/syncrun/{run}/change/"
    days = {"since": "2026-07-01", "until": "2026-07-01"}
    assert link in shown(admin_client, "America/Sao_Paulo", **days)
    assert link not in shown(admin_client, "UTC", **days)
    assert link in shown(admin_client, "UTC", since="2026-07-02", until="2026-07-02")


def test_a_day_that_begins_with_a_change_of_the_clock_is_whole(admin_client: Client) -> None:
    midnight = datetime(2026, 4, 23, 22, 0, tzinfo=UTC)  # in Cairo it becomes 01:00 at once
    first, before = run_at(midnight), run_at(datetime(2026, 4, 23, 21, 59, tzinfo=UTC))
    html = shown(admin_client, "Africa/Cairo", since="2026-04-24", until="2026-04-24")
    assert f"/syncing/syncrun/{first}/change/" in html
    assert f"/syncing/syncrun/{before}/change/" not in html


def test_the_end_of_a_pause_is_read_as_it_is_shown(admin_client: Client) -> None:
    account = AccountFactory(group__time_zone="UTC")
    url = reverse("admin:accounts_account_changelist")
    admin_client.cookies[ZONE_COOKIE] = "America/Sao_Paulo"
    year = timezone.now().year + 1
    asked = {**PAUSE, "_selected_action": account.pk}
    page = admin_client.post(url, {name: value for name, value in asked.items() if name != "confirmed"})
    assert "In the time zone America/Sao_Paulo." in page.content.decode()
    admin_client.post(url, {**asked, "until": f"{year}-01-05T18:00"})
    account.refresh_from_db()
    assert account.paused_until == datetime(year, 1, 5, 21, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("path", "zone"), [("/api/sync/runs", "UTC"), ("/metrics", "UTC"), ("/runs/", "Asia/Kathmandu")]
)
def test_machines_are_answered_in_the_zone_of_the_installation(rf: RequestFactory, path: str, zone: str) -> None:
    def names_the_zone(_request: HttpRequest) -> HttpResponse:
        return HttpResponse(timezone.get_current_timezone_name())

    rf.cookies[ZONE_COOKIE] = "Asia/Kathmandu"
    assert ReadersZone(names_the_zone)(rf.get(path)).content.decode() == zone
