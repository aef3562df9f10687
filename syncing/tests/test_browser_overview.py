"""A person on the overview: from an empty installation to the first sync, and from what needs somebody to its end."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from accounts.models import Account, ConnectionCheck, SyncGroup
from accounts.services.health import bulk_check
from accounts.simulator.world import World
from accounts.tests.factories import AccountFactory
from syncing import replication
from syncing.models import AccountState, RunState, SyncRun
from syncing.tests.crm import look
from syncing.tests.factories import AccountRunFactory, DriftFactory, RunFactory
from syncing.tests.house import House

pytestmark = pytest.mark.django_db(transaction=True)

MOST_CLICKS = 12  # after the file is chosen


class Finger:
    """Clicks, and counts."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.clicks = 0

    def click(self, selector: str) -> None:
        self.page.locator("main, #content").last.locator(selector).first.click()
        self.clicks += 1


def csv_of(world: World, directory: Path) -> Path:
    rows = [("master", "master"), ("north", "slave"), ("south", "slave")]
    lines = ["subdomain,role,token", *(f"{name},{role},{world.add_account(name).token}" for name, role in rows)]
    world.accounts["master"].add_pipeline("Sales", stages=["New", "Offer"])
    file = directory / "branches.csv"
    file.write_text("\n".join(lines))
    return file


def test_an_empty_installation_is_led_to_its_first_verified_sync(simulator, world, page, tmp_path) -> None:
    finger = Finger(page)
    page.click("text=Import a CSV file")
    page.set_input_files("#id_import_file", csv_of(world, tmp_path))
    finger.click("text=Check the file")
    finger.click("text=Import 3 accounts")
    finger.click("text=Check all connections")
    bulk_check.run_slice(ConnectionCheck.objects.get().pk)
    page.reload()  # at once: that pages follow by themselves is tried in test_browser
    page.locator("text=All of them are connected").wait_for()
    finger.click("text=Go to the overview")
    expect(page.locator("[aria-current=step] h3")).to_have_text("Plan")
    finger.click("[aria-current=step] button")
    house = House(SyncGroup.objects.get(), world, {})
    house.work(replication.replicate)
    page.reload()
    page.locator(".ks-badge:text-is('Planned')").first.wait_for()
    page.goto("/")  # left and found again: it knows how far one was
    finger.clicks += 1
    expect(page.locator("[aria-current=step] h3")).to_have_text("Sync")
    finger.click("[aria-current=step] a:text-is('Sync now')")
    finger.click("text=Yes, sync now")
    page.wait_for_url("**/syncing/syncrun/*/change/")
    house.work(replication.replicate)
    page.reload()
    page.locator("text=Changed and verified").first.wait_for()
    assert finger.clicks <= MOST_CLICKS
    assert look(world.accounts["north"])["pipelines"] == look(world.accounts["master"])["pipelines"]
    page.goto("/")
    expect(page.locator(".ks-tiles li")).to_have_count(2)
    expect(page.locator("text=Five steps")).to_have_count(0)


def test_what_failed_is_found_by_its_count_and_tried_again(page) -> None:
    cast = AccountFactory.cast()
    run = RunFactory(group=cast["north"].group, state=RunState.PARTIAL)
    for name, state in [("north", AccountState.FAILED), ("south", AccountState.CHANGED)]:
        error = {"code": "unreachable", "message": "No answer.", "remedy": "Try later."}
        AccountRunFactory(run=run, account=cast[name], state=state, reason="unreachable", error=error)
    DriftFactory(account=cast["west"])
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto("/")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.click(".ks-filters a:has-text('Last run failed')")
    page.wait_for_url("**/?show=failed#ks-fleet")
    expect(page.locator(".ks-tiles li")).to_have_count(1)
    page.fill("#ks-fleet input[name=q]", "south")
    page.press("#ks-fleet input[name=q]", "Enter")
    page.locator("text=No account is like that.").wait_for()
    page.click("text=Show all")
    expect(page.locator(".ks-tiles li")).to_have_count(4)
    page.click("button:text-is('Try again')")
    page.wait_for_url("**/syncing/syncrun/*/change/")
    assert SyncRun.objects.latest("pk").account_runs.get().account == Account.objects.get(subdomain="north")


def test_a_token_is_repaired_from_what_needs_somebody(simulator, world, page) -> None:
    group = AccountFactory(master=True, health="connected").group
    facts = {"health": "token_revoked", "health_reason": "Kommo says that it was revoked."}
    west = AccountFactory(group=group, subdomain="west", **facts)
    page.reload()
    page.click("a:text-is('Store a new token')")
    page.fill("#id_new_token", world.add_account("west").token)
    page.click("input[name=_save]")
    page.goto("/")
    expect(page.locator("text=Token revoked")).to_have_count(0)
    page.click("text=Check all connections")
    bulk_check.run_slice(ConnectionCheck.objects.get().pk)
    west.refresh_from_db()
    assert west.health == Account.Health.CONNECTED


def test_the_overview_works_without_javascript(page) -> None:
    cast = AccountFactory.cast()
    run = RunFactory(group=cast["north"].group, state=RunState.FAILED)
    AccountRunFactory(run=run, account=cast["north"], state=AccountState.FAILED, reason="unreachable")
    context = page.context.browser.new_context(
        java_script_enabled=False, storage_state=page.context.storage_state(), base_url=page.url
    )
    plain = context.new_page()
    plain.goto("/")
    plain.click(".ks-filters a:has-text('Never read')")
    expect(plain.locator(".ks-tiles li")).to_have_count(3)
    plain.click("button:text-is('Try again')")
    plain.wait_for_url("**/syncing/syncrun/*/change/")
    context.close()
    assert SyncRun.objects.latest("pk").state == RunState.QUEUED
