"""Exporting accounts: what the list shows, no secret, no formula, and back in without a change."""

import csv
import io
from datetime import UTC, datetime

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from openpyxl import load_workbook

from accounts.models import Account, Integration
from accounts.services.credentials import token_pairs
from accounts.services.importing import import_accounts
from accounts.tests.factories import AccountFactory, GroupFactory

pytestmark = pytest.mark.django_db
LIST = reverse("admin:accounts_account_changelist")
EXPORT = reverse("admin:accounts_account_export")
CSV, XLSX = "0", "1"


@pytest.fixture(autouse=True)
def collected(settings, tmp_path) -> None:
    """A directory of collected static files: without one whitenoise warns."""
    settings.STATIC_ROOT = tmp_path


@pytest.fixture
def cast(db) -> dict[str, Account]:
    """Two groups; north is connected by OAuth."""
    accounts = AccountFactory.cast()
    AccountFactory(master=True, subdomain="head", group=GroupFactory(name="Franchise"))
    integration = Integration.objects.create(
        name="Sync", client_id="uuid-1", client_secret="secret-of-sync", redirect_uri="https://sync.example/cb"
    )
    token_pairs.store_refresh_token(accounts["north"], integration, "refresh-of-north")
    Account.objects.filter(subdomain="south").update(
        contact_email="boss@south.example",
        paused=True,
        kommo_id=30000000001,
        health=Account.Health.UNPAID,
        health_reason="Pay\nat Kommo.",
        checked_at=datetime(2026, 3, 1, 12, 30, tzinfo=UTC),
    )
    return accounts


def export(client, kind: str = CSV, query: str = "") -> bytes:
    answer = client.post(f"{EXPORT}{query}", {"format": kind})
    assert "attachment" in answer["Content-Disposition"]
    return answer.content


def rows(content: bytes) -> dict[str, dict[str, str]]:
    lines = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
    return {line["subdomain"].lstrip("'"): line for line in lines}


def sheet(content: bytes) -> list[list]:
    return [list(row) for row in load_workbook(io.BytesIO(content)).active.iter_rows(values_only=True)]


def test_an_export_has_what_an_operator_wants_to_know(cast, admin_client) -> None:
    south = rows(export(admin_client))["south"]
    assert south == {
        "subdomain": "south",
        "role": "slave",
        "name": "South",
        "group": "Branches",
        "email": "boss@south.example",
        "client_id": "",
        "redirect_uri": "",
        "credential": "long_lived",
        "health": "Unpaid",
        "health_reason": "Pay at Kommo.",
        "checked": "2026-03-01 12:30+00:00",
        "token_expires": "",
        "kommo_id": "30000000001",
        "paused": "yes",
    }


@pytest.mark.parametrize("kind", [CSV, XLSX])
def test_what_was_exported_comes_back_without_a_change(cast, admin_client, kind) -> None:
    Account.objects.filter(subdomain="west").update(name="=HYPERLINK(1)")
    Account.objects.filter(subdomain="east").update(name="'-quoted")
    report = import_accounts(io.BytesIO(export(admin_client, kind)))
    assert (report.created, report.updated, report.unchanged, report.errors) == (0, 0, 6, [])
    assert "not read" in report.notes[0]


@pytest.mark.parametrize("kind", [CSV, XLSX])
def test_no_secret_goes_into_an_export(cast, admin_client, kind) -> None:
    content = export(admin_client, kind)
    text = str(sheet(content)) if kind == XLSX else content.decode()
    assert "uuid-1" in text
    assert not any(secret in text for secret in ("token-of-", "secret-of-sync", "refresh-of-north", "gAAAA"))


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "'=", "\uff1d", "\uff20"])
def test_no_spreadsheet_takes_a_name_for_a_formula(admin_client, sign) -> None:
    AccountFactory(subdomain="north", name=f"{sign}cmd|'/c calc'!A1")
    assert rows(export(admin_client))["north"]["name"].startswith(f"'{sign}cmd")
    book = load_workbook(io.BytesIO(export(admin_client, XLSX)))
    cells = [cell for row in book.active.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s"}


def test_signs_that_no_workbook_can_hold_do_not_stop_an_export(admin_client) -> None:
    AccountFactory(subdomain="north", name="No\x07rth", health_reason="a\x1bb")
    assert sheet(export(admin_client, XLSX))[1][2] == "No rth"


def test_an_export_never_opens_a_secret(cast, admin_client, settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert len(rows(export(admin_client))) == 6


def test_an_export_costs_the_same_queries_for_any_number_of_accounts(admin_client) -> None:
    counts = []
    for many in (3, 300):
        AccountFactory.create_batch(many)
        with CaptureQueriesContext(connection) as queries:
            export(admin_client)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_list_as_it_was_filtered_and_searched_is_what_goes_out(cast, admin_client) -> None:
    assert set(rows(export(admin_client, query="?q=outh"))) == {"south"}
    assert set(rows(export(admin_client, query="?paused__exact=1"))) == {"south"}
    assert "1 account, as the list was filtered." in admin_client.get(f"{EXPORT}?q=outh").content.decode()
    assert f'href="{EXPORT}?q=outh"' in admin_client.get(f"{LIST}?q=outh").content.decode()


def test_a_nonsense_filter_leads_back_to_the_list(cast, admin_client) -> None:
    assert admin_client.get(f"{EXPORT}?group__id__exact=x").url == LIST


def test_selected_accounts_go_out_at_once_as_a_workbook(cast, admin_client) -> None:
    data = {"action": "export_selected", "_selected_action": [cast["north"].pk, cast["west"].pk]}
    content = admin_client.post(LIST, data).content
    assert sorted(row[0] for row in sheet(content)[1:]) == ["north", "west"]


@pytest.mark.parametrize("data", [{}, {"format": "7"}, {"format": "x"}])
def test_a_format_that_there_is_not_is_told(cast, admin_client, data) -> None:
    answer = admin_client.post(EXPORT, {"csrf": "-", **data})
    assert answer.status_code == 200
    assert answer.context["form"].errors["format"]


def test_an_export_needs_its_own_permission_and_that_to_see_accounts(cast, client) -> None:
    user = User.objects.create_user("viewer", password="-", is_staff=True)
    client.force_login(user)
    user.user_permissions.add(Permission.objects.get(codename="export_account"))
    assert client.get(EXPORT).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_account"))
    assert EXPORT in client.get(LIST).content.decode()
    assert len(rows(export(client))) == 6
    user.user_permissions.remove(Permission.objects.get(codename="export_account"))
    assert client.post(EXPORT, {"format": CSV}).status_code == 403
    html = client.get(LIST).content.decode()
    assert EXPORT not in html
    assert "export_selected" not in html


def test_from_the_list_of_the_console_goes_out_what_it_shows(cast, admin_client) -> None:
    listed, wanted = reverse("syncing:accounts"), reverse("syncing:export_accounts")
    html = admin_client.get(f"{listed}?health=unpaid&sort=token&p=1").content.decode()
    assert f'href="{wanted}?health=unpaid&amp;sort=token"' in html
    assert "1 account, as the list was filtered." in admin_client.get(f"{wanted}?health=unpaid").content.decode()
    answer = admin_client.post(f"{wanted}?health=unpaid", {"format": CSV})
    assert set(rows(answer.content)) == {"south"}
    assert len(rows(admin_client.post(wanted, {"format": CSV}).content)) == 6
    order = list(rows(admin_client.post(f"{wanted}?q=st&sort=health", {"format": CSV}).content))
    assert order == [each.subdomain for each in admin_client.get(f"{listed}?q=st&sort=health").context["accounts"]]
