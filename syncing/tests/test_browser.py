"""A person in a real browser: from the login to the page of a run, without one complaint of the browser."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client

from accounts.models import Account, ConnectionCheck
from accounts.services import checking
from accounts.tests.factories import AccountFactory
from syncing.models import AccountState, RunState, SyncRun
from syncing.tests.factories import AccountRunFactory, RunFactory

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install -r requirements-dev.txt")

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
# Without these the browser asks the outside world for updates at every start.
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"needs {CHROMIUM}: apt-get install chromium, or set CHROMIUM"),
]


@pytest.fixture
def page(live_server, admin_user, monkeypatch) -> Iterator:
    """A page of a browser whose user is logged in; at the end the browser must not have complained."""
    # Playwright keeps an event loop in this thread, where Django would refuse every query.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    complaints: list[str] = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=SWITCHES)
        made = browser.new_page(base_url=live_server.url)
        made.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        made.on("pageerror", lambda error: complaints.append(str(error)))
        made.goto("/")
        made.fill("#id_username", "admin")
        made.fill("#id_password", "password")
        made.click("[type=submit]")
        yield made
        browser.close()
    assert complaints == []


@pytest.fixture
def cast(db) -> dict[str, Account]:
    return AccountFactory.cast()


def test_sync_now_asks_and_leads_to_the_run(cast, page) -> None:
    page.click("text=Sync now")
    assert page.locator("text=North").is_visible()
    assert not SyncRun.objects.exists()
    page.click("text=Yes, sync now")
    page.wait_for_url("**/syncing/syncrun/*/change/")
    assert page.locator("#ks-parts tbody tr").count() == 4
    page.click("text=Cancel the run")
    page.locator(".ks-badge:has-text('Cancelled')").first.wait_for()
    assert SyncRun.objects.get().state == RunState.CANCELLED


def test_the_page_of_a_run_follows_it_to_its_end(cast, page) -> None:
    run = RunFactory(group=cast["north"].group, state=RunState.RUNNING)
    part = AccountRunFactory(run=run, account=cast["north"], state=AccountState.RUNNING, note="reads fields")
    page.goto(f"/syncing/syncrun/{run.pk}/change/")
    page.locator("text=reads fields").wait_for()
    type(part).objects.update(note="writes stages")
    page.locator("text=writes stages").wait_for()
    type(part).objects.update(state=AccountState.FAILED, note="", reason="unpaid")
    SyncRun.objects.update(state=RunState.FAILED)
    page.locator("text=Retry what failed").wait_for()


def test_a_selection_is_confirmed_on_a_page_of_its_own(cast, page) -> None:
    page.goto("/accounts/account/")
    for name in ("north", "south"):
        page.locator(f"tr:has-text('{name}') input.action-select").check()
    page.select_option("select[name=action]", "plan_selected")
    page.click("button[name=index]")
    page.click("text=Yes, plan")
    page.wait_for_url("**/syncing/syncrun/*/change/")
    assert SyncRun.objects.get().account_runs.count() == 2


def test_a_new_key_is_on_the_page_and_opens_the_api(cast, page, live_server) -> None:
    page.goto("/syncing/apikey/add/")
    page.fill("#id_name", "bot")
    page.check("input[value=read]")
    page.click("input[name=_save]")
    secret = page.locator(".ks-secret").inner_text()
    answer = Client().get("/api/sync/status", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 200


def test_all_connections_are_checked_and_the_page_follows_to_its_end(simulator, world, page) -> None:
    for name in ("north", "south"):
        AccountFactory(subdomain=name, token=world.add_account(name, paid=name == "north").token)
    page.goto("/accounts/account/")
    page.click("text=Check all connections")
    page.click("text=Yes, check them")
    page.locator("text=Waiting for a worker").wait_for()
    checking.work(ConnectionCheck.objects.get().pk)
    page.locator("text=Do what the reason of each account says").wait_for()
    assert page.locator("#ks-checked tbody tr").first.inner_text().startswith("South")
    page.click("#ks-check >> text=1 Connected")
    assert page.locator("#ks-checked tbody tr").count() == 1
