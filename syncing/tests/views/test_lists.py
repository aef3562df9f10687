"""Lists: every one survives any address, and says what it left out of it."""

from urllib.parse import urlencode

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Account, ConnectionCheck, Integration, Invite
from accounts.tests.factories import AccountFactory
from syncing.models import AuditEntry, Channel, IdMapping, LogEntry, Message, SyncRun
from syncing.selectors.account_list import AccountListFilters
from syncing.selectors.audit import AuditListFilters
from syncing.selectors.drift import DriftListFilters
from syncing.selectors.drift_items import DriftItemFilters
from syncing.selectors.fleet import FleetFilters
from syncing.selectors.ids import AccountIdFilters, IdListFilters
from syncing.selectors.invites import InviteListFilters
from syncing.selectors.messages import MessageListFilters
from syncing.selectors.run_list import RunListFilters
from syncing.selectors.run_log import RunLogFilters
from syncing.selectors.sessions import SessionListFilters
from syncing.selectors.todo import TodoFilters
from syncing.tests.factories import AccountRunFactory, DriftFactory, difference

pytestmark = pytest.mark.django_db

FREE = {"q", "person", "account"}  # any text may be looked for
ALSO_FREE = {"audit": {"group"}}  # the name of one that may be gone
LISTS = {
    "dashboard": FleetFilters,
    "accounts": AccountListFilters,
    "runs": RunListFilters,
    "drift": DriftListFilters,
    "drift items": DriftItemFilters,
    "todo": TodoFilters,
    "run_log": RunLogFilters,
    "audit": AuditListFilters,
    "ids": IdListFilters,
    "account_ids": AccountIdFilters,
    "sessions": SessionListFilters,
    "messages": MessageListFilters,
    "invites": InviteListFilters,
}
BAD = ("x", "9" * 40, "²", "\0", "\ud800", "%", "' or 1=1 --", "2026-13-45", "0001-01-01", "9999-12-31", "y" * 60_000)


@pytest.fixture
def cast() -> dict[str, Account]:
    """Every list has a row."""
    cast = AccountFactory.cast()
    task = {"kind": "stage", "name": "Won", "parent": "Sales", "message": "Rename it."}
    account_run = AccountRunFactory(account=cast["north"], document={"manual": [task]})
    LogEntry.objects.create(run=account_run.run, account_run=account_run, message="Done")
    DriftFactory(account=cast["north"])
    return cast


def address(name: str) -> str:
    if name == "run_log":
        return reverse("syncing:run_log", args=[LogEntry.objects.get().run_id])
    if name == "account_ids":
        return reverse("syncing:account_ids", args=[Account.objects.get(subdomain="north").pk])
    return reverse(f"syncing:{name.partition(' ')[0]}") + ("?by=item" if name == "drift items" else "?")


@pytest.mark.parametrize("name", LISTS)
def test_no_address_breaks_a_list_and_what_it_left_out_is_told(admin_client, cast, name) -> None:
    free = FREE | ALSO_FREE.get(name, set()) | {"p"}
    for parameter in (*LISTS[name].names(), "p"):
        for value in BAD:
            query = urlencode({parameter: value}, errors="surrogatepass")
            url = f"{address(name)}{'&' if '?' in address(name) else '?'}{query}"
            answer = admin_client.get(url)
            assert answer.status_code == 200, (parameter, value[:40])
            is_told = "this list has no such filter" in answer.content.decode()
            is_text = bool(value.replace("\0", "").strip())
            assert is_told == (parameter not in free and is_text), (parameter, value[:40])


@pytest.fixture
def accented() -> dict[str, Account]:
    """In each list something is called São João."""
    cast, name = AccountFactory.cast(), "São João"
    Account.objects.filter(role=Account.Role.SLAVE).update(name=name)
    account_run = AccountRunFactory(account=cast["north"], document={"manual": [{"kind": "stage", "name": name}]})
    SyncRun.objects.update(name=name, reason=name)
    LogEntry.objects.create(run=account_run.run, account_run=account_run, name=name)
    AuditEntry.objects.create(actor=name, via="admin", action="started")
    IdMapping.objects.create(account=cast["north"], kind="stage", master_key="1", slave_key="2", name=name)
    channel = Channel.objects.create(name="Ops", kind="email", address="ops@example.com")
    Message.objects.create(channel=channel, title=name)
    integration = Integration.objects.create(name="App", client_id="1", redirect_uri="https://x.example/")
    Invite.objects.create(
        account=cast["north"], integration=integration, email="a@example.com", expires_at=timezone.now()
    )
    DriftFactory(account=cast["north"], rows=[difference(name=name)])
    return cast


@pytest.mark.parametrize("name", sorted(set(LISTS) - {"sessions"}))
def test_every_list_is_searched_whatever_the_case_and_the_accents(admin_client, accented, name) -> None:
    def shown(text: str) -> int:
        url = f"{address(name)}{'&' if '?' in address(name) else '?'}{urlencode({'q': text})}"
        return admin_client.get(url).content.decode().count("São João")

    for text in ("sao JOAO", "JOÃO", "sa\u0303o j"):
        assert shown(text) > shown("nobody is called so"), text


def test_what_is_left_out_is_shown_as_text(admin_client, cast) -> None:
    html = admin_client.get(reverse("syncing:runs"), {"state": "<b>bad</b>"}).content.decode()
    assert "Ignored, because this list has no such filter: state=&lt;b&gt;bad&lt;/b&gt;" in html
    assert len(admin_client.get(reverse("syncing:runs"), {"state": "x"}).context["runs"]) == 1


OF_GROUPS = [name for name in LISTS if "group" in LISTS[name].names() and name not in ALSO_FREE]


@pytest.mark.parametrize("name", OF_GROUPS)
def test_a_group_that_was_deleted_is_left_out_and_named(admin_client, cast, name: str) -> None:
    """Else an old link, or a saved view, would show nothing, and no filter that is the cause."""
    group = cast["north"].group_id
    pages = [admin_client.get(f"{address(name)}&group={each}").content.decode() for each in (group, group + 1)]
    assert [f"has no such filter: group={group + 1}" in html for html in pages] == [False, True]


@pytest.mark.parametrize("odd", ["state=gone", "wave=9", "wave=x", "reason=unpaid"])
def test_the_page_of_a_run_names_what_it_does_not_know(admin_client, cast, odd: str) -> None:
    run = LogEntry.objects.get().run_id
    html = admin_client.get(f"{reverse('syncing:run', args=[run])}?{odd}").content.decode()
    assert (f"has no such filter: {odd}" in html) is not odd.startswith("reason")


@pytest.mark.parametrize("health", [*BAD, "nonsense"])
def test_the_page_of_a_check_of_connections_does_so_too(admin_client, health: str) -> None:
    check = ConnectionCheck.objects.create()
    url = reverse("accounts:check", args=[check.pk])
    answer = admin_client.get(f"{url}?{urlencode({'health': health.encode('utf-8', 'replace'), 'q': '_' * 60_000})}")
    assert answer.status_code == 200
    assert ("has no such filter" in answer.content.decode()) is bool(health.strip("\0"))
    assert "has no such filter" not in admin_client.get(url, {"health": "waiting"}).content.decode()
