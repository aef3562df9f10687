"""The pages of ids: of one account, of all, and the file of what is found."""

import csv
import io
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from accounts.models import Account
from accounts.tests.factories import AccountFactory
from syncing.models import IdMapping

pytestmark = pytest.mark.django_db

ALL, CSV = reverse("syncing:ids"), reverse("syncing:ids_csv")


@pytest.fixture
def cast() -> dict[str, Account]:
    """The stage Offer in two accounts; in the first also its funnel, which was there before, and a field."""
    cast = AccountFactory.cast()
    offer = {"kind": "stage", "master_key": "7/71", "name": "Offer", "parent": "Sales", "created_by_us": True}
    sales = {"kind": "pipeline", "master_key": "7", "name": "Sales"}
    budget = {"kind": "custom_field", "master_key": "leads/12", "name": "Budget", "parent": "leads"}
    IdMapping.objects.create(account=cast["north"], slave_key="907/971", **offer)
    IdMapping.objects.create(account=cast["north"], slave_key="907", **sales)
    IdMapping.objects.create(account=cast["north"], slave_key="leads/912", **budget)
    IdMapping.objects.create(account=cast["south"], slave_key="807/871", **offer)
    return cast


def of_account(account: Account) -> str:
    return reverse("syncing:account_ids", args=[account.pk])


def shown(client: Client, page: str = ALL, **asked: str) -> list[tuple[str, str]]:
    rows = client.get(page, asked).context["rows"]
    return [(row.account.subdomain, row.name) for row in rows]


def test_the_ids_of_an_account_are_listed_and_found(admin_client: Client, cast: dict[str, Account]) -> None:
    page = of_account(cast["north"])
    html = admin_client.get(page).content.decode()
    assert '<code class="ks-id">971</code>' in html
    assert shown(admin_client, page, q="offer") == [("north", "Offer")]
    assert shown(admin_client, page, q="907") == [("north", "Sales"), ("north", "Offer")]
    assert shown(admin_client, page, kind="custom_field") == [("north", "Budget")]
    assert shown(admin_client, page, made="no") == [("north", "Budget"), ("north", "Sales")]
    assert shown(admin_client, page, sort="newest") == [("north", "Budget"), ("north", "Sales"), ("north", "Offer")]
    assert "Nothing matches." in admin_client.get(page, {"q": "zzz"}).content.decode()
    assert admin_client.get(of_account(cast["master"])).status_code == 404


def test_the_ids_of_all_accounts_are_found_by_name_by_account_and_by_number(
    admin_client: Client, cast: dict[str, Account]
) -> None:
    assert shown(admin_client, q="offer") == [("north", "Offer"), ("south", "Offer")]
    assert shown(admin_client, q="871") == [("south", "Offer")]
    assert shown(admin_client, account="south") == [("south", "Offer")]
    assert shown(admin_client, account="nowhere") == []
    assert shown(admin_client, group=str(cast["north"].group_id), kind="pipeline") == [("north", "Sales")]
    assert shown(admin_client, sort="account")[-1] == ("south", "Offer")
    page = admin_client.get(ALL, {"q": "offer", "kind": "pipeline"})
    assert page.context["counts"] == [("stage", 2)]


def test_the_page_of_an_account_leads_there(admin_client: Client, cast: dict[str, Account]) -> None:
    html = admin_client.get(of_account(cast["north"]), {"q": "offer"}).content.decode()
    assert f'href="{ALL}?q=offer&amp;all=yes"' in html
    assert f'href="{CSV}?q=offer&amp;account=north"' in html


def test_the_file_is_of_what_is_found(admin_client: Client, cast: dict[str, Account]) -> None:
    IdMapping.objects.filter(kind="pipeline").update(name="=Sales")
    answer = admin_client.get(CSV, {"account": "north", "made": "no"})
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))
    assert [tuple(row.values()) for row in rows] == [
        ("north", "custom_field", "leads", "Budget", "leads", "12", "912"),
        ("north", "pipeline", "leads", "'=Sales", "", "7", "907"),
    ]


def test_who_may_not_look_sees_no_ids(client: Client, cast: dict[str, Account]) -> None:
    client.force_login(User.objects.create_user("clerk", is_staff=True))
    assert [client.get(each).status_code for each in (ALL, CSV, of_account(cast["north"]))] == [403] * 3


def test_many_ids_cost_no_more_queries(
    admin_client: Client, cast: dict[str, Account], django_assert_max_num_queries: Any
) -> None:
    for number in range(110):
        IdMapping.objects.create(account=cast["south"], kind="enum", master_key=f"1/{number}", slave_key=f"2/{number}")
    with django_assert_max_num_queries(8):
        assert len(shown(admin_client)) == 100
