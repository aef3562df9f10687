"""The search of the header: what is on some page is found, and leads to where it is drawn."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from accounts.models import Account
from accounts.tests.factories import AccountFactory
from syncing.models import IdMapping
from syncing.presentation.links import run_url
from syncing.tests.factories import DriftFactory, RunFactory, difference, extra

pytestmark = pytest.mark.django_db

SEARCH = reverse("syncing:search")
DRIFT = reverse("syncing:drift")


@pytest.fixture
def cast() -> dict[str, Account]:
    """The master's stage Offer, which south calls Fechamento; north has a pipeline of its own."""
    cast = AccountFactory.cast()
    Account.objects.filter(pk=cast["west"].pk).update(name="Loja São Paulo")
    for name in ("north", "south"):
        mapping = {"master_key": "7/71", "slave_key": "9/91", "name": "Offer", "parent": "Sales"}
        IdMapping.objects.create(account=cast[name], kind="stage", **mapping)
        mapping = {"master_key": "7", "slave_key": "9", "name": "Sales"}
        IdMapping.objects.create(account=cast[name], kind="pipeline", **mapping)
    renamed = difference(attribute="name", ours="Offer", theirs="Fechamento")
    DriftFactory(account=cast["south"], rows=[renamed, difference()])
    DriftFactory(account=cast["north"], rows=[extra(name="Visita extra")])
    return cast


def found(client: Client, text: str) -> str:
    return client.get(SEARCH, {"q": text}).content.decode().partition('id="content-main"')[2]


def drift_link(html: str) -> dict[str, list[str]]:
    """Returns the query of the only link to the page of drift."""
    (url,) = (part.partition('"')[0] for part in html.split('href="')[1:] if part.startswith(DRIFT))
    return parse_qs(urlsplit(url.replace("&amp;", "&")).query)


def test_an_account_is_found_without_its_accents(admin_client: Client, cast: dict[str, Account]) -> None:
    assert reverse("syncing:account", args=[cast["west"].pk]) in found(admin_client, "sao paulo")


def test_an_item_is_found_by_the_name_that_accounts_gave_it(admin_client: Client, cast: dict[str, Account]) -> None:
    html = found(admin_client, "fechamento")
    assert "some call it “Fechamento”" in html
    assert "differs in 1 account" in html
    query = drift_link(html)
    assert query["q"] == ["Offer"]
    shown = admin_client.get(DRIFT, {name: value[0] for name, value in query.items()}).context["items"]
    assert {row["item"].attribute for row in shown} == {"name", "color"}


def test_an_item_is_found_once_by_the_name_that_the_master_gives_it(
    admin_client: Client, cast: dict[str, Account]
) -> None:
    html = found(admin_client, "offer")
    assert html.count(">Offer</a>") == 1
    assert "in 2 accounts" in html
    assert drift_link(html)["by"] == ["item"]


def test_an_item_that_nobody_changed_leads_to_the_drawing_of_the_master(
    admin_client: Client, cast: dict[str, Account]
) -> None:
    html = found(admin_client, "sales")
    assert f'href="{reverse("syncing:account", args=[cast["master"].pk])}#funnels"' in html
    assert reverse("syncing:ids") not in html


def test_what_only_an_account_has_is_found(admin_client: Client, cast: dict[str, Account]) -> None:
    html = found(admin_client, "visita")
    assert "only in 1 account" in html
    query = {name: value[0] for name, value in drift_link(html).items()}
    assert len(admin_client.get(DRIFT, query).context["items"]) == 1


@pytest.mark.parametrize("text", ["12", "#12", "run 12", "Run #12", "carnaval", "PEDIDO DE JOAO"])
def test_a_run_is_found_by_its_number_its_name_and_its_reason(admin_client: Client, text: str) -> None:
    RunFactory(pk=12, name="Antes do Carnaval", wish="Pedido de João")
    assert run_url(12) in found(admin_client, text)


def test_a_number_in_another_name_is_no_run(admin_client: Client) -> None:
    RunFactory(pk=2000)
    assert run_url(2000) not in found(admin_client, "Own stage 2000")


def test_a_run_is_found_by_its_number_in_the_readers_words(admin_client: Client) -> None:
    RunFactory(pk=12)
    page = admin_client.get(SEARCH, {"q": "execucao 12"}, headers={"accept-language": "pt-br"})
    assert run_url(12) in page.content.decode()


def test_who_finds_nothing_is_told_what_was_looked_at(admin_client: Client, cast: dict[str, Account]) -> None:
    html = found(admin_client, "<zebra>")
    assert escape("<zebra>") in html
    assert "numbers, names and reasons of runs" in html


def test_only_what_the_person_may_see_is_found(client: Client, cast: dict[str, Account]) -> None:
    clerk = User.objects.create_user("clerk", is_staff=True)
    client.force_login(clerk)
    assert "Nothing is called" in found(client, "o")
    clerk.user_permissions.add(Permission.objects.get(codename="view_idmapping"))
    html = found(client, "offer")
    assert "Offer" in html
    assert DRIFT not in html
    assert "Fechamento" not in found(client, "fechamento").replace("“fechamento”", "")


def test_many_accounts_take_a_handful_of_queries(admin_client: Client, cast: dict[str, Account]) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            found(admin_client, "o")
        return len(captured)

    few = queries()
    for account in AccountFactory.create_batch(20, group=cast["north"].group):
        DriftFactory(account=account, rows=[extra(name=f"Own {account.pk}")])
    assert queries() == few
    assert few < 12


def test_no_section_is_marked_on_the_page_of_the_search(admin_client: Client) -> None:
    assert 'aria-current="page"' not in admin_client.get(SEARCH).content.decode()
    assert 'aria-current="page"' in admin_client.get(reverse("syncing:settings")).content.decode()
