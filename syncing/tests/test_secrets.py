"""No secret is anywhere but encrypted: not in a column, log, page, export, e-mail or what a command prints."""

import io
import logging
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts.models import Account, Integration, TokenPair
from accounts.refusals import Refusal
from accounts.services.connecting import invites
from accounts.services.health.bulk_check import start_check
from accounts.services.importing import import_accounts
from accounts.services.upkeep import renewal
from accounts.simulator.seed import seed_demo
from accounts.simulator.server import RunningServer
from accounts.simulator.world import World
from accounts.tests.oauth import REDIRECT
from accounts.tests.services.test_connecting import begin, come_back, decide
from syncing.services import channels
from syncing.services.actors import COMMAND
from syncing.tests.commands import sync
from syncing.tests.notifications.channels import new_channel

pytestmark = pytest.mark.django_db(transaction=True)
SLAVES = 5


class Ear(logging.Handler):
    """Hears every logger at every level, with tracebacks."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard = io.StringIO()

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.write(self.format(record) + "\n")


@pytest.fixture
def ear() -> Iterator[Ear]:
    root, made = logging.getLogger(), Ear()
    level = root.level
    root.addHandler(made)
    root.setLevel(logging.DEBUG)
    yield made
    root.removeHandler(made)
    root.setLevel(level)


@pytest.fixture
def demo(simulator: RunningServer, world: World, settings: Any, tmp_path: Any) -> set[str]:
    """The demo's franchise, imported from a file: some branches by OAuth, one of them revoked. Gives every secret."""
    settings.KOMMO_OAUTH_URL = f"{simulator.url}/oauth"
    settings.STATIC_ROOT = tmp_path
    seed_demo(world, slaves=SLAVES)
    theirs = world.add_integration(redirect_uri=REDIRECT)
    rows, secrets = [], {theirs.client_secret}
    for at, account in enumerate(world.accounts.values()):
        role = "slave" if at else "master"
        if at % 2:
            pair = account.grants.issue(theirs.client_id)
            rows.append(
                f"{account.subdomain},{role},,{theirs.client_id},{theirs.client_secret},{pair.refresh},{REDIRECT}"
            )
        else:
            rows.append(f"{account.subdomain},{role},{account.token},,,,")
            secrets.add(account.token)
    header = "subdomain,role,token,client_id,client_secret,refresh_token,redirect_uri"
    report = import_accounts(io.BytesIO("\n".join([header, *rows]).encode()), "Demo")
    assert (report.created, report.errors) == (SLAVES + 1, [])
    world.accounts["unit-001"].uninstall(theirs)
    return secrets


def issued(world: World) -> set[str]:
    """Every token and code that Kommo has given out."""
    grants = [account.grants for account in world.accounts.values()]
    pairs = {each for grant in grants for pair in grant.pairs.values() for each in (pair.access, pair.refresh)}
    return pairs | {code for grant in grants for code in grant.codes}


def columns() -> str:
    """Every value of every table, as it lies in the database."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        dump = []
        for table in tables:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            dump.append(str(cursor.fetchall()))
    return "\n".join(dump)


def pages(client: Client) -> Iterator[str]:
    """Every list of the admin and every object's page, the dashboard, and the pages beside them."""
    for model, _ in admin.site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield shown(client, reverse(f"{name}_changelist"))
        for row in model._base_manager.values_list("pk", flat=True)[:8]:
            for page in ("change", "history", "delete"):
                yield shown(client, reverse(f"{name}_{page}", args=[row]), 200, 403)
    account = Account.objects.filter(integration__isnull=False).first()
    check = reverse("accounts:check", args=[start_check().pk])
    for url in ("/", "/connections/invite", reverse("accounts:connect", args=[account.pk]), check):
        yield shown(client, url)
    yield shown(client, "/oauth/callback?state=x&code=y", 400)


def shown(client: Client, url: str, *statuses: int) -> str:
    answer = client.get(url, follow=True)  # a list may have moved to a page of its own
    assert answer.status_code in (statuses or (200,)), (url, answer.status_code)
    return str(answer.text)


def exports(client: Client) -> Iterator[str]:
    """The export of accounts in every format, XLSX unpacked; dumpdata; the id maps."""
    url = reverse("admin:accounts_account_export")
    fields = client.get(url).context["form"].fields
    chosen = {name: "on" for name in fields if name not in ("format", "resource", "export_items")}
    for number, (_, label) in enumerate(field for field in fields["format"].choices if field[0] != ""):
        answer = client.post(url, {"format": str(number), "resource": "0", **chosen})
        assert answer.status_code == 200, label
        content = b"".join(answer) if answer.streaming else answer.content
        assert b"unit-001" in content or content.startswith(b"PK"), content[:300]
        if content.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(content)) as book:
                content = b"".join(book.read(name) for name in book.namelist())
        yield content.decode("utf-8", "replace")
    out = io.StringIO()
    call_command("dumpdata", "accounts", "syncing", stdout=out)
    yield out.getvalue()


def test_no_secret_of_the_demo_is_anywhere_in_clear(demo, world, ear, admin_client, mailoutbox) -> None:
    unit = Account.objects.get(subdomain="unit-003")
    come_back(admin_client, decide(begin(admin_client, unit), account="unit-003"))
    _, out, errors = sync("--json")
    _, planned, _ = sync("--plan")
    User.objects.filter(username="admin").update(email="admin@sync.example")
    chat = new_channel("slack://AAAAchannelsecret", name="Chat")
    with pytest.raises(Refusal):
        channels.test(chat, by=COMMAND)
    renewal.run_round()
    Account.objects.filter(pk=unit.pk).update(contact_email="boss@unit.example")
    invited = invites.invite(Account.objects.get(pk=unit.pk), unit.integration, by=None)
    invites.ask_for_mails([invited])
    invites.send_mails([invited.pk])
    call_command("doctor", stdout=(said := io.StringIO()))
    told = {
        "output": out + errors + planned + said.getvalue(),
        "columns": columns(),
        "pages": "\n".join(pages(admin_client)),
        "exports": "\n".join(exports(admin_client)),
        "mails": str([(mail.subject, mail.body) for mail in mailoutbox]),
        "reprs": repr([*Account.objects.all(), *Integration.objects.all(), *TokenPair.objects.all()]),
    }
    told["log"] = ear.heard.getvalue()  # the last: also of what was said over the pages
    secrets = demo | issued(world) | {"AAAAchannelsecret"}
    assert len(secrets) > 10
    assert [
        where for where in ("output", "log", "columns", "pages", "exports", "mails") if "unit-003" not in told[where]
    ] == []
    assert TokenPair.objects.get(account=unit).refresh_token in secrets  # what is looked for is what is stored
    found = [(where, secret[:12]) for where, text in told.items() for secret in secrets if secret in text]
    assert found == []
