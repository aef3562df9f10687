"""The page of the audit: filters in the address, an order, saved views, and files of what is shown."""

import csv
import io
import json
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from accounts.tests.factories import GroupFactory
from syncing.models import AuditAction, AuditEntry, SavedView

pytestmark = pytest.mark.django_db

PAGE = reverse("syncing:audit")
CSV, JSON = (reverse("syncing:audit_file", args=[format]) for format in ("csv", "json"))


@pytest.fixture(autouse=True)
def entries() -> None:
    """Anna changed a policy on a Monday, Bento paused on the Tuesday, the watcher started a run on the Wednesday."""
    facts = (
        {"actor": "anna", "via": "admin", "action": AuditAction.POLICY, "group": "Branches", "reason": "=Summer <b>"},
        {"actor": "bento", "via": "api", "action": AuditAction.PAUSED, "group": "Clinics", "run": 417},
        {"actor": "watcher", "via": "watch", "action": AuditAction.STARTED, "group": "Gone"},
    )
    for day, each in enumerate(facts, start=2):
        with time_machine.travel(datetime(2026, 3, day, 12, tzinfo=UTC), tick=False):
            AuditEntry.objects.create(**each)
    GroupFactory(name="Branches"), GroupFactory(name="Clinics")


def shown(client: Client, query: str) -> list[str]:
    return [entry.actor for entry in client.get(f"{PAGE}{query}").context["entries"]]


def rows(client: Client, query: str) -> list[dict[str, str]]:
    text = b"".join(client.get(f"{CSV}{query}").streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize(
    ("query", "actors"),
    [
        ("", ["watcher", "bento", "anna"]),
        ("?sort=oldest", ["anna", "bento", "watcher"]),
        ("?q=summer+anna", ["anna"]),
        ("?q=summer+bento", []),
        ("?q=417", ["bento"]),
        ("?q=%23417", ["bento"]),
        ("?action=paused", ["bento"]),
        ("?via=watch", ["watcher"]),
        ("?group=Branches", ["anna"]),
        ("?group=Gone", ["watcher"]),
        ("?since=2026-03-03", ["watcher", "bento"]),
        ("?since=2026-03-03&until=2026-03-03", ["bento"]),
        ("?until=2026-03-03&via=admin", ["anna"]),
    ],
)
def test_the_files_are_of_what_the_page_shows(admin_client: Client, query: str, actors: list[str]) -> None:
    assert shown(admin_client, query) == actors
    assert [row["actor"] for row in rows(admin_client, query)] == actors
    document = b"".join(admin_client.get(f"{JSON}{query}").streaming_content)
    assert [entry["actor"] for entry in json.loads(document)] == actors


def test_the_page_leads_to_the_files_with_its_filters_but_not_its_page(admin_client: Client) -> None:
    html = admin_client.get(f"{PAGE}?q=anna&p=1").content.decode()
    for address in (CSV, JSON):
        assert f'href="{address}?q=anna"' in html
    assert "attachment" in admin_client.get(CSV)["Content-Disposition"]
    assert admin_client.get(reverse("syncing:audit_file", args=["xml"])).status_code == 404


def test_no_cell_of_the_file_is_a_formula(admin_client: Client) -> None:
    assert rows(admin_client, "?q=anna")[0]["reason"] == "'=Summer <b>"
    assert "=Summer &lt;b&gt;" in admin_client.get(PAGE).content.decode()


def test_a_group_that_is_gone_stays_chosen_in_the_search(admin_client: Client) -> None:
    assert "<option selected>Gone</option>" in admin_client.get(f"{PAGE}?group=Gone").content.decode()


def test_who_finds_nothing_is_led_back_to_all(admin_client: Client) -> None:
    html = admin_client.get(f"{PAGE}?q=nobody").content.decode()
    assert 'No entry matches. <a href="?all=yes">' in html


def test_the_list_opens_with_the_view_that_was_saved_for_it(admin_client: Client) -> None:
    form = {"list": "audit", "name": "Pauses", "query": "action=paused", "default": "on", "back": PAGE}
    admin_client.post(reverse("syncing:save_view"), form)
    assert SavedView.objects.get().parameters == {"action": "paused"}
    assert admin_client.get(PAGE, follow=True).redirect_chain == [(f"{PAGE}?action=paused", 302)]
    assert shown(admin_client, "?all=yes") == ["watcher", "bento", "anna"]


def test_those_who_may_not_look_get_no_file(client: Client) -> None:
    client.force_login(User.objects.create_user("clerk", is_staff=True))
    assert [client.get(each).status_code for each in (PAGE, CSV, JSON)] == [403] * 3


def test_the_list_costs_the_same_for_few_and_many(admin_client: Client, django_assert_max_num_queries) -> None:
    for _ in range(100):
        AuditEntry.objects.create(actor="anna", via="admin", action=AuditAction.POLICY)
    with django_assert_max_num_queries(7):
        admin_client.get(PAGE)


def detailed(client: Client, action: str, details: dict[str, Any], **facts: Any) -> tuple[str, str]:
    """Returns the rows of the list, and the page of an entry with these details."""
    entry = AuditEntry.objects.create(actor="ana", via="admin", action=action, details=details, **facts)
    page = client.get(reverse("admin:syncing_auditentry_change", args=[entry.pk])).content.decode()
    return unescape(client.get(f"{PAGE}?action={action}").content.decode()), unescape(page)


@pytest.mark.parametrize(
    ("action", "details", "sentences"),
    [
        ("policy", {"watch": ["off", "plan"]}, ["Watch the master: Off → Make a plan for approval"]),
        ("policy", {"requires_approval": [False, True]}, ["Require approval of plans: no → yes"]),
        (
            "policy",
            {"exclusions": [["stage A"], ["stage B"]]},
            ["Left out of syncs: stage B", "No longer left out: stage A"],
        ),
        (
            "channel",
            {"channel": "Ops", "events": [["overdue"], []]},
            ["Channel: Ops", "Events: Something did not happen in time → —"],
        ),
        (
            "automation",
            {"schedule": 3, "added": {"kind": "drift", "cron": "0 3 * * *"}},
            ["Added: Kind: Check for drift, Cron expression: Every day at 03:00"],
        ),
        (
            "healing",
            {"name": "Offer", "kind": "stage", "mode": ["group", "reported"]},
            ["Name: Offer", "Kind: Stage", "Mode: As the group says → Report edits"],
        ),
        (
            "started",
            {"type": "full", "mode": "apply", "purpose": "sync", "accounts": 7},
            ["Type: Everything", "Accounts: 7"],
        ),
        ("approved", {"applied_by": 8, "accounts": ["a", "b"]}, ["Approved, applied by: #8", "Accounts: 2"]),
        ("started", {"type": "of a newer version", "unknown": {"x": [1]}}, ["Type: of a newer version"]),
        ("policy", {"gone_column": [1, 2], "watch": 5}, []),
    ],
)
def test_an_entry_says_what_was_changed(admin_client: Client, action: str, details: dict, sentences: list[str]) -> None:
    listed, page = detailed(admin_client, action, details)
    for sentence in sentences:
        assert sentence in listed
        assert f"<div>{sentence}</div>" in page
    assert "As it is stored" in page


def test_what_an_entry_says_is_text(admin_client: Client) -> None:
    entry = AuditEntry.objects.create(actor="ana", via="admin", action="channel", details={"channel": "<b>Ops</b>"})
    for path in (PAGE, reverse("admin:syncing_auditentry_change", args=[entry.pk])):
        html = admin_client.get(path).content.decode()
        assert "<b>Ops</b>" not in html
        assert "&lt;b&gt;Ops&lt;/b&gt;" in html
