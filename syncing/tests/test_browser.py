"""A person in a real browser: from the login to the page of a run, without one complaint of the browser."""

import re

import pytest
from django.test import Client
from playwright.sync_api import expect

from accounts.models import Account, ConnectionCheck
from accounts.services.health import bulk_check
from accounts.tests.factories import AccountFactory
from accounts.tests.laws import only_deep
from accounts.tests.screens import excess
from syncing.engine.snapshot import to_document
from syncing.models import AccountState, Channel, Event, MasterSnapshot, RunState, SyncRun
from syncing.tests.engine.items import pipeline, snapshot, stage
from syncing.tests.factories import AccountRunFactory, DriftFactory, RunFactory, difference
from syncing.tests.plans import change, document, planned

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cast(db) -> dict[str, Account]:
    return AccountFactory.cast()


def test_sync_now_asks_and_leads_to_the_run(cast, page) -> None:
    page.click("text=Sync now")
    expect(page.locator("text=North")).to_be_visible()
    assert not SyncRun.objects.exists()
    page.click("text=Yes, sync now")
    page.wait_for_url("**/syncing/syncrun/*/change/")
    expect(page.locator("#ks-parts tbody tr")).to_have_count(4)
    page.click("text=Cancel the run")
    page.locator(".ks-badge:has-text('Cancelled')").first.wait_for()
    assert SyncRun.objects.get().state == RunState.CANCELLED


@only_deep
def test_a_plan_is_approved_and_leads_to_the_run_that_carries_it_out(cast, page) -> None:
    run = RunFactory(group=cast["north"].group, mode="plan", state=RunState.PLANNED)
    for name in ("north", "south"):
        planned(run, cast[name], document(change("create", "Offer")))
    planned(run, cast["west"], document(change("update", "New")))
    page.goto(f"/syncing/syncrun/{run.pk}/change/")
    page.click("a:text-is('Approve')")
    page.locator(".ks-bundle:has-text('West') input[name=plan]").uncheck()
    page.fill("#id_reason", "Looks right")
    page.click("text=Approve and apply")
    page.wait_for_url("**/syncing/syncrun/*/change/")
    expect(page.locator("#ks-parts tbody tr")).to_have_count(2)
    assert SyncRun.objects.get(approved_plan=run).state == RunState.QUEUED


@only_deep
def test_a_plan_is_looked_at_approved_for_one_account_and_sent_back(cast, page) -> None:
    master = snapshot(pipeline(1, "Sales", stage(11, "Offer"), stage(12, "Contract"), is_main=True))
    read = MasterSnapshot.objects.create(group=cast["north"].group, document=to_document(master), accepted=True)
    run = RunFactory(group=cast["north"].group, mode="plan", state=RunState.PLANNED, snapshot=read)
    for name in ("north", "south"):
        planned(run, cast[name], document(change("create", "Offer"), change("delete", "Old")))
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto(f"/syncing/syncrun/{run.pk}/change/")
    page.click(".ks-plan h3 a")
    expect(page.locator("ol.ks-funnel")).to_have_count(2)
    now, then = page.locator("ol.ks-funnel").all()
    expect(now.locator(".ks-is-removed")).to_have_text(re.compile("Old"))
    expect(then.locator(".ks-is-added")).to_have_text(re.compile("Offer"))
    assert excess(page) <= 0
    page.click("text=Approve this plan")
    expect(page.locator("input[name=account]").first).to_be_visible()
    page.locator("input[name=plan]").uncheck()
    page.get_by_label("North").check()
    page.click("text=Approve and apply")
    page.wait_for_url("**/syncing/syncrun/*/change/")
    applied = SyncRun.objects.get(approved_plan=run)
    assert [str(each.account) for each in applied.account_runs.all()] == ["North"]
    SyncRun.objects.filter(pk=applied.pk).update(state=RunState.SUCCEEDED)
    page.goto(f"/runs/{run.pk}/send-back")
    page.fill("#id_comment", "Keep the old stage.")
    page.click("button:text-is('Send back')")
    expect(page.locator(".ks-notice:has-text('Keep the old stage.')")).to_be_visible()
    expect(page.locator("a:text-is('Approve')")).to_have_count(0)


@only_deep
def test_the_page_of_a_run_follows_it_to_its_end(cast, page) -> None:
    run = RunFactory(group=cast["north"].group, state=RunState.RUNNING)
    account_run = AccountRunFactory(run=run, account=cast["north"], state=AccountState.RUNNING, note="reads fields")
    page.goto(f"/syncing/syncrun/{run.pk}/change/")
    page.locator("text=reads fields").wait_for()
    type(account_run).objects.update(note="writes stages")
    page.locator("text=writes stages").wait_for()
    page.evaluate("window.isSamePage = true")
    type(account_run).objects.update(state=AccountState.FAILED, note="", reason="unpaid")
    SyncRun.objects.update(state=RunState.FAILED)
    page.locator("text=Retry failed accounts").wait_for()
    expect(page.locator(".ks-failure")).to_contain_text("Not paid in Kommo")
    expect(page.locator("text=Cancel the run")).to_have_count(0)
    assert page.evaluate("window.isSamePage")  # nothing was loaded again


def test_a_run_that_waits_meanwhile_is_continued_by_the_button_that_appears(cast, page) -> None:
    run = RunFactory(group=cast["north"].group, state=RunState.RUNNING)
    AccountRunFactory(run=run, account=cast["north"], state=AccountState.RUNNING)
    AccountRunFactory(run=run, account=cast["south"], state=AccountState.QUEUED, wave=1)
    page.goto(f"/syncing/syncrun/{run.pk}/change/")
    expect(page.locator("button:has-text('Continue')")).to_have_count(0)
    run.account_runs.filter(wave=0).update(state=AccountState.CHANGED)
    SyncRun.objects.update(wave=1, wave_held=True)
    page.click("button:has-text('Continue')")
    page.locator("text=Wave 2 starts.").wait_for()
    assert not SyncRun.objects.get().wave_held


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
    page.click("[name=_save]")
    secret = page.locator(".ks-secret").inner_text()
    answer = Client().get("/api/sync/status", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 200


@only_deep
def test_all_connections_are_checked_and_the_page_follows_to_its_end(simulator, world, page) -> None:
    for name in ("north", "south"):
        AccountFactory(subdomain=name, token=world.add_account(name, paid=name == "north").token)
    page.goto("/accounts/account/")
    page.click("text=Check all connections")
    page.click("text=Yes, check them")
    page.locator("text=Waiting for a worker").wait_for()
    bulk_check.run_slice(ConnectionCheck.objects.get().pk)
    page.locator("text=Follow the advice beside each account").wait_for()
    assert page.locator("#ks-checked tbody tr").first.inner_text().startswith("South")
    page.click("#ks-check >> text=1 Connected")
    expect(page.locator("#ks-checked tbody tr")).to_have_count(1)


@only_deep
def test_a_plan_is_reviewed_from_the_grid_to_its_last_item(cast, page) -> None:
    run = RunFactory(group=cast["north"].group, mode="plan", state=RunState.PLANNED)
    same = document(*(change("create", f"Stage {number}") for number in range(120)), change("delete", "Old"))
    for name in ("north", "south"):
        planned(run, cast[name], same)
    planned(run, cast["west"], document(change("create", "Other <b>")))
    page.goto(f"/syncing/syncrun/{run.pk}/change/")
    expect(page.locator(".ks-plan")).to_have_count(2)
    assert page.locator(".ks-plan .ks-notice.ks-bad").inner_text().startswith("1 item will be deleted:")
    west = page.locator(".ks-plan:has-text('West')")
    west.locator("text=Show every item").click()
    expect(west.locator("td:has-text('Other <b>')")).to_be_visible()
    page.click("text=2 accounts: the same 121 changes")
    page.click("text=− 1 deleted")
    expect(page.locator("tr.ks-gone")).to_have_count(1)
    expect(page.locator(".ks-table tbody tr")).to_have_count(1)
    page.click("text=Show all")
    page.click("text=Next")
    page.locator("text=Page 2 of 2").wait_for()


@only_deep
def test_an_edit_is_found_accepted_with_a_reason_and_withdrawn(cast, page) -> None:
    DriftFactory(account=cast["north"], rows=[difference(), difference("7/72", name="Demo " * 30)])
    page.set_viewport_size({"width": 390, "height": 800})
    page.reload()
    page.click("text=Compare and decide")
    page.wait_for_url("**/drift/*/")
    assert excess(page) <= 0
    page.fill("input[name=q]", "offer")
    page.click("text=Search")
    page.click("text=Accept all differences of this item")
    page.click("button:has-text('Accept')")
    expect(page.locator("textarea:invalid")).to_have_count(1)  # the reason is missing
    page.fill("textarea", "Their own colours.")
    page.click("button:has-text('Accept')")
    page.locator("text=Their own colours.").wait_for()
    expect(page.locator("h2:has-text('Differences (1)')")).to_have_count(1)
    page.click("button:has-text('Withdraw')")
    page.locator("text=The next check shows what differs now").wait_for()


def test_a_channel_is_added_and_tried_at_once(page) -> None:
    page.goto("/syncing/channel/add/")
    page.click("a:text-is('E-mail')")
    page.fill("#id_name", "Operations")
    page.fill("#id_emails", "ops@franchise.example")
    page.click("text=Save and send a test")
    page.locator("text=Operations: the test message was sent.").wait_for()
    channel = Channel.objects.get()
    assert channel.kind == "email"
    assert set(Event.values) - set(channel.events) == {"master_changed", "pause_ended", "weekly_report"}
    page.goto(f"/syncing/channel/{channel.pk}/change/")
    assert page.input_value("#id_new_address") == ""


def test_a_failed_run_is_found_in_the_list_and_one_reason_of_it_is_retried(cast, page) -> None:
    run = RunFactory(group=cast["north"].group, state=RunState.PARTIAL, name="Summer")
    RunFactory(group=cast["north"].group, state=RunState.SUCCEEDED)
    for name, reason in (("north", "unreachable"), ("south", "unpaid")):
        AccountRunFactory(run=run, account=cast[name], state=AccountState.FAILED, reason=reason)
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto("/runs/")
    page.fill("main input[name=q]", "summer")
    page.click("main button:has-text('Search')")
    expect(page.locator("#ks-runs tbody tr")).to_have_count(1)
    page.click(f"text=Sync #{run.pk} Summer")
    failure = page.locator(".ks-failure:has-text('Kommo not reached')")
    expect(failure).to_contain_text("Check the network and the subdomain, then retry.")
    assert excess(page) <= 0
    failure.locator("text=Retry these").click()
    page.wait_for_url(f"**/syncing/syncrun/{run.pk + 2}/change/")
    expect(page.locator("#ks-parts tbody tr")).to_have_count(1)
    expect(page.locator("th:has-text('North') ~ td")).to_have_count(2)  # both attempts, side by side
