"""A person on the overview: what failed is found and tried again, with and without JavaScript."""

import pytest
from playwright.sync_api import expect

from accounts.models import Account
from accounts.tests.factories import AccountFactory
from accounts.tests.screens import excess
from syncing.models import AccountState, RunState, SyncRun
from syncing.tests.factories import AccountRunFactory, DriftFactory, RunFactory

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_failed_is_found_by_its_count_and_tried_again(page) -> None:
    cast = AccountFactory.cast()
    run = RunFactory(group=cast["north"].group, state=RunState.PARTIAL)
    for name, state in [("north", AccountState.FAILED), ("south", AccountState.CHANGED)]:
        error = {"code": "unreachable", "message": "No answer.", "remedy": "Try later."}
        AccountRunFactory(run=run, account=cast[name], state=state, reason="unreachable", error=error)
    DriftFactory(account=cast["west"])
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto("/")
    assert excess(page) <= 0
    page.click(".ks-filters a:has-text('Last run failed')")
    page.wait_for_url("**/?show=failed#ks-fleet")
    expect(page.locator(".ks-tiles li")).to_have_count(1)
    page.fill("#ks-fleet input[name=q]", "south")
    page.press("#ks-fleet input[name=q]", "Enter")
    page.locator("text=No account matches this filter.").wait_for()
    page.click("text=Show all")
    expect(page.locator(".ks-tiles li")).to_have_count(4)
    page.click("button:text-is('Try again')")
    page.wait_for_url("**/syncing/syncrun/*/change/")
    assert SyncRun.objects.latest("pk").account_runs.get().account == Account.objects.get(subdomain="north")


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
