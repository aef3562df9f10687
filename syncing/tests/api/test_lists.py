"""Lists: pages that hold while rows are added, filters, few queries; and ETags of all that is read."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Account
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import AuditEntry, Schedule, Window
from syncing.services.keys import create_key
from syncing.tests.api.conftest import NIGHT, WEEKEND
from syncing.tests.factories import AccountRunFactory, DriftFactory, RunFactory

pytestmark = pytest.mark.django_db
LISTS = {
    "/api/sync/runs": "runs",
    "/api/accounts": "accounts",
    "/api/drift": "accounts",
    "/api/audit": "entries",
    "/api/sync/schedules": "schedules",
    "/api/sync/windows": "windows",
    "/api/sync/channels": "channels",
}
PAGED = {path: name for path, name in LISTS.items() if path != "/api/sync/channels"}
LINK = {"/api/audit": "next_url"}
FIRST = {"/api/sync/runs": "run", "/api/accounts": "subdomain", "/api/drift": "subdomain"}


@pytest.fixture
def headers(db: None) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {create_key(name='reader', scopes=['read'])[1]}"}
    Client().get("/api/sync/status", headers=headers)  # notes the use of the key
    return headers


def fill(count: int = 7) -> None:
    group = GroupFactory()
    for account in AccountFactory.create_batch(count, group=group):
        AccountRunFactory(run=RunFactory(group=group), account=account)
        DriftFactory(account=account)
        AuditEntry.objects.create(actor="ana", via="admin", action="paused", account=account.subdomain)
        Schedule.objects.create(group=group, **NIGHT)
        Window.objects.create(group=group, **WEEKEND)


def get(url: str, headers: dict[str, str], **more: str) -> Any:
    return Client().get(url, headers={**headers, **more})


def pages(path: str, headers: dict[str, str], limit: int) -> list[list[Any]]:
    """The keys of the rows of each page, as one who follows the addresses sees them."""
    found, url = [], f"{path}?limit={limit}"
    while url:
        document = get(url, headers).json()
        found.append([row[FIRST.get(path, "id")] for row in document[LISTS[path]]])
        url = document[LINK.get(path, "next")]
    return found


@pytest.mark.parametrize("path", PAGED)
def test_the_pages_together_are_the_whole_list(headers, path) -> None:
    fill()
    (whole,) = pages(path, headers, 1000)
    found = pages(path, headers, 3)
    assert [len(page) for page in found][:2] == [3, 3]
    assert [key for page in found for key in page] == whole
    assert len(set(whole)) == len(whole) >= 7


@pytest.mark.parametrize("path", PAGED)
def test_a_last_page_that_is_full_has_no_next(headers, path) -> None:
    fill(3)
    count = sum(map(len, pages(path, headers, 1000)))
    assert len(pages(path, headers, count)) == 1


@pytest.mark.parametrize("path", PAGED)
def test_rows_that_are_added_meanwhile_repeat_none_and_lose_none(headers, path) -> None:
    fill(4)
    (before,) = pages(path, headers, 1000)
    first = get(f"{path}?limit=2", headers).json()
    fill(3)
    seen, url = first[LISTS[path]], first[LINK.get(path, "next")]
    while url:
        document = get(url, headers).json()
        seen, url = seen + document[LISTS[path]], document[LINK.get(path, "next")]
    keys = [row[FIRST.get(path, "id")] for row in seen]
    assert len(set(keys)) == len(keys)
    assert set(before) <= set(keys)


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("limit", ["0", "-1", "1001", "x", "", "1.5", "9" * 30, "true"])
def test_a_limit_has_bounds(headers, path, limit) -> None:
    answer = get(f"{path}?limit={limit}", headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_limit")


@pytest.mark.parametrize("since", ["0213-02-14T11:46:23.21%2B22:09", "2026-12-01T00:00:00Z", "2026-12-01t00:00:00z"])
def test_a_time_may_have_any_offset(headers, since) -> None:
    assert get(f"/api/audit?since={since}", headers).status_code == 200


@pytest.mark.parametrize("since", ["0.5", "1700000000", "2026-12-01", "noon", "0001-01-01T00:00:00%2B05:00", "%00", ""])
def test_what_is_no_time_is_refused(headers, since) -> None:
    answer = get(f"/api/audit?since={since}", headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_since")


@pytest.mark.parametrize("path", sorted(set(LISTS) - {"/api/audit", "/api/drift"}))
@pytest.mark.parametrize("cursor", ["0", "x", "9" * 30, "%00"])
def test_a_cursor_is_one_that_we_gave(headers, path, cursor) -> None:
    answer = get(f"{path}?cursor={cursor}", headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor")


@pytest.mark.parametrize(
    ("query", "allowed"),
    [
        ("/api/sync/runs?state=done", "queued, running, planned, succeeded, partial, failed, refused, cancelled"),
        ("/api/sync/runs?type=x", "full, pipelines, custom_fields"),
        ("/api/sync/runs?mode=x", "plan, apply"),
        ("/api/sync/runs?trigger=x", "admin, command, api, webhook, schedule, watch, retry, heal"),
        ("/api/sync/runs?group=x", "Branches"),
        ("/api/accounts?role=x", "master, slave"),
        ("/api/accounts?health=x", "unknown, connected"),
        ("/api/accounts?group=x", "Branches"),
        ("/api/drift?state=x", "in_sync, drifted, conflict, unknown"),
        ("/api/audit?action=x", "started, approved"),
    ],
)
def test_a_value_that_is_none_is_told_what_it_may_be(headers, query, allowed) -> None:
    GroupFactory()
    answer = get(query, headers)
    assert answer.status_code == 400
    assert allowed in answer.json()["remedy"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("/api/sync/runs?state=partial", 1),
        ("/api/sync/runs?trigger=watch&state=succeeded", 1),
        ("/api/sync/runs?trigger=watch&state=partial", 0),
        ("/api/sync/runs?type=pipelines", 1),
        ("/api/sync/runs?mode=plan", 1),
        ("/api/sync/runs?group=Others", 1),
        ("/api/accounts?role=master", 1),
        ("/api/accounts?health=unpaid", 1),
        ("/api/accounts?group=Others", 1),
        ("/api/accounts?q=NOR", 1),
        ("/api/accounts?q=%00nor", 0),
        ("/api/accounts?q=master&role=slave", 0),
        ("/api/drift?state=drifted", 1),
        ("/api/drift?state=unknown", 4),
        ("/api/audit?action=paused&account=north", 1),
        ("/api/audit?group=nor%00th", 0),
        ("/api/audit?run=7", 1),
        ("/api/audit?since=2999-01-01T00:00:00Z", 0),
    ],
)
def test_a_list_is_narrowed_down(headers, query, found) -> None:
    cast = AccountFactory.cast()
    group, north = cast["north"].group, cast["north"]
    AccountFactory(group=GroupFactory(name="Others"), subdomain="far")
    for facts in ({"state": "partial"}, {"trigger": "watch"}, {"type": "pipelines"}, {"mode": "plan"}):
        RunFactory(group=group, **facts)
    RunFactory(group=GroupFactory(name="Others"))
    DriftFactory(account=north)
    Account.objects.filter(subdomain="south").update(health="unpaid")
    AuditEntry.objects.create(actor="ana", via="admin", action="paused", account="north", run=7)
    path = query.partition("?")[0]
    assert len(get(query, headers).json()[LISTS[path]]) == found


@pytest.mark.parametrize("path", LISTS)
def test_many_rows_cost_as_many_queries_as_few(headers, path) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert get(f"{path}?limit=100", headers).status_code == 200
        return len(asked)

    fill(2)
    few = queries()
    fill(12)
    assert queries() == few <= 8


def test_many_named_accounts_cost_as_many_queries_as_one(headers, django_assert_num_queries) -> None:
    fill(8)
    names = Account.objects.values_list("subdomain", flat=True)
    query = "&".join(f"account={name}" for name in [*names, *names])
    with django_assert_num_queries(5):
        assert len(get(f"/api/drift?{query}", headers).json()["accounts"]) == 8


def test_no_list_tells_a_secret(headers) -> None:
    AccountFactory.cast()
    assert "token-of-" not in get("/api/accounts", headers).content.decode()


# -- ETags --


@pytest.mark.parametrize("path", [*LISTS, "/api/sync/status", "/api/accounts/north/ids", "/api/sync/policy"])
def test_what_a_client_has_is_not_sent_again(headers, path) -> None:
    AccountFactory.cast()
    first = get(path, headers)
    etag = first["ETag"]
    assert first.content
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = get(path, headers, **{"If-None-Match": known})
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
        assert "no-cache" in again["Cache-Control"]
    for other in ('"other"', "", "nonsense", etag.strip('"')):
        assert get(path, headers, **{"If-None-Match": other}).content == first.content


def test_head_has_the_same_etag_and_may_be_answered_304(headers) -> None:
    etag = get("/api/sync/runs", headers)["ETag"]
    head = Client().head("/api/sync/runs", headers=headers)
    known = Client().head("/api/sync/runs", headers={**headers, "If-None-Match": etag})
    assert (head.status_code, head["ETag"], known.status_code) == (200, etag, 304)


def test_another_answer_has_another_etag(headers) -> None:
    run = RunFactory()
    path = f"/api/sync/runs/{run.pk}"
    etag = get(path, headers)["ETag"]
    assert get(path, headers)["ETag"] == etag
    AccountRunFactory(run=run, account=AccountFactory(group=run.group))
    changed = get(path, headers, **{"If-None-Match": etag})
    assert changed.status_code == 200
    assert changed["ETag"] != etag
