"""One account whose stored token no key opens: it alone fails, and the others notice nothing."""

import io
import json

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Account
from accounts.services.health.check import check_connections
from accounts.simulator.server import RunningServer
from accounts.simulator.world import World
from accounts.tests.factories import AccountFactory
from syncing.models import AccountRun, Drift, SyncRun
from syncing.services.keys import create_key
from syncing.tests.factories import AccountRunFactory, RunFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cast(settings) -> dict[str, Account]:
    """The usual cast; the token of `south` was encrypted with a key that is lost."""
    kept = settings.FIELD_ENCRYPTION_KEYS
    accounts = AccountFactory.cast()
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    accounts["south"].save()
    settings.FIELD_ENCRYPTION_KEYS = kept
    return accounts


@pytest.fixture
def headers() -> dict[str, str]:
    return {"Authorization": f"Bearer {create_key(name='bot', scopes=['read', 'trigger'])[1]}"}


@pytest.mark.parametrize("body", [{}, {"accounts": ["north"]}, {"accounts": ["south"]}])
def test_a_trigger_starts_a_run(cast, client: Client, headers: dict[str, str], body: dict[str, object]) -> None:
    answer = client.post("/api/sync/trigger", json.dumps(body), content_type="application/json", headers=headers)

    assert answer.status_code == 202


def test_the_api_answers_as_ever(cast, client: Client, headers: dict[str, str]) -> None:
    run = RunFactory(group=cast["south"].group)
    AccountRunFactory(run=run, account=cast["south"])
    paths = ["sync/status", f"sync/runs/{run.pk}", f"sync/runs/{run.pk}/plan", "accounts/south/ids", "drift"]

    answers = {path: client.get(f"/api/{path}", headers=headers).status_code for path in paths}

    assert answers == dict.fromkeys(paths, 200)


def test_every_page_of_the_admin_opens(cast, admin_client: Client) -> None:
    run = RunFactory(group=cast["south"].group, purpose="promotion", source=cast["south"])
    AccountRunFactory(run=run, account=cast["south"])
    Drift.objects.create(account=cast["south"], run=run, checked_at=timezone.now())
    names = ["index", "accounts_account_changelist", "accounts_syncgroup_changelist", "syncing_syncrun_changelist"]
    pages = [reverse(f"admin:{name}") for name in names]
    pages += [reverse("admin:accounts_account_change", args=[cast[name].pk]) for name in ("north", "south")]
    pages += [reverse("admin:syncing_syncrun_change", args=[run.pk])]
    pages += [reverse("admin:accounts_syncgroup_change", args=[cast["south"].group_id])]

    answers = {page: admin_client.get(page).status_code for page in pages}

    assert answers == dict.fromkeys(pages, 200)


def test_a_run_fails_it_alone_and_says_what_to_do(cast, simulator: RunningServer, world: World) -> None:
    for name in cast:
        Account.objects.filter(subdomain=name).exclude(subdomain="south").update(token=world.add_account(name).token)

    with pytest.raises(SystemExit):
        call_command("sync_all", stdout=io.StringIO(), stderr=io.StringIO())

    assert SyncRun.objects.get().state == "partial"
    states = dict(AccountRun.objects.values_list("account__subdomain", "state"))
    assert states == {"north": "in_sync", "south": "failed", "west": "in_sync", "east": "in_sync"}
    account_run = AccountRun.objects.get(account__subdomain="south")
    assert (account_run.reason, account_run.requests) == ("internal", 0)
    assert "FIELD_ENCRYPTION_KEYS" in account_run.error["message"] + account_run.error["remedy"]


def test_a_master_that_cannot_be_opened_ends_its_run_and_says_what_to_do(cast, settings) -> None:
    Account.objects.filter(subdomain="north").update(role="slave")
    Account.objects.filter(subdomain="master").update(role="slave")
    Account.objects.filter(subdomain="south").update(role="master")

    with pytest.raises(SystemExit):
        call_command("sync_all", stdout=io.StringIO(), stderr=io.StringIO())

    run = SyncRun.objects.get()
    assert (run.state, run.reason) == ("failed", "internal")
    assert run.attempts == 1
    assert "FIELD_ENCRYPTION_KEYS" in run.error["message"] + run.error["remedy"]


def test_a_check_of_all_names_it_and_asks_the_others(cast, simulator: RunningServer, world: World) -> None:
    for name in cast:
        Account.objects.filter(subdomain=name).exclude(subdomain="south").update(token=world.add_account(name).token)

    reports = check_connections([account.pk for account in cast.values()])

    assert reports[cast["south"].pk].health == "error"
    assert "FIELD_ENCRYPTION_KEYS" in reports[cast["south"].pk].reason
    assert {reports[cast[name].pk].health for name in ("master", "north", "west", "east")} == {"connected"}


def test_a_process_that_cannot_read_one_of_them_is_not_ready_and_tells_it(cast, client: Client) -> None:
    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert "FIELD_ENCRYPTION_KEYS does not open 1 of" in answer.json()["problems"][0]
    assert "south" not in answer.content.decode()
