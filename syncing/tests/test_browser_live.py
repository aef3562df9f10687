"""A page that is left open: it follows what happens, nothing jumps meanwhile, and it says when it cannot follow."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from accounts.models import Account
from accounts.tests.factories import AccountFactory
from accounts.tests.laws import only_deep
from syncing.models import AccountRun, AccountState, RunState
from syncing.tests.factories import AccountRunFactory, RunFactory

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE = 60_000  # ms; a machine may be busy

MANUAL = {"kind": "stage", "name": "Won", "parent": "Sales", "message": "Rename it by hand."}


@pytest.fixture
def cast(db: Any) -> dict[str, Account]:
    """A run is at work, so that pages ask every two seconds; the needs are more than are shown at once."""
    cast = AccountFactory.cast()
    older = RunFactory(group=cast["north"].group)
    items = [{**MANUAL, "name": f"Item {number}"} for number in range(14)]
    AccountRunFactory(run=older, account=cast["south"], document={"manual": items})
    run = RunFactory(group=cast["north"].group, state=RunState.RUNNING)
    AccountRunFactory(run=run, account=cast["north"], state=AccountState.RUNNING)
    return cast


@pytest.fixture
def statuses(page: Any) -> list[int]:
    """The statuses of the answers that the overview got since it was loaded."""
    found: list[int] = []
    page.on("response", lambda answer: found.append(answer.status) if "/dashboard/live" in answer.url else None)
    return found


def wait_for_answers(page: Any, statuses: list[int], status: int) -> None:
    statuses.clear()
    for _ in range(PATIENCE // 100):
        if status in statuses:
            return
        page.wait_for_timeout(100)
    raise AssertionError(statuses)


def test_nothing_jumps_while_the_overview_renews_itself(cast, page, statuses) -> None:
    page.set_viewport_size({"width": 1280, "height": 500})
    page.goto("/")
    page.click("summary:has-text('2 more lines')")
    page.fill("#ks-fleet input[name=q]", "half a wo")
    page.locator("#ks-tiles a:has-text('West')").focus()
    page.evaluate(
        """() => {
            window.isSamePage = true;
            window.getSelection().selectAllChildren(document.querySelector("#ks-needs details li strong"));
        }"""
    )
    scrolled = page.evaluate("window.scrollY")
    assert scrolled > 0
    selected = page.evaluate("window.getSelection().toString()")
    wait_for_answers(page, statuses, 200)

    Account.objects.filter(subdomain="east").update(health="token_revoked", health_reason="Kommo says so.")
    AccountRun.objects.filter(account=cast["north"]).update(state=AccountState.FAILED, reason="unpaid")
    page.locator("#ks-needs:has-text('Kommo says so.')").wait_for()
    expect(page.locator("#ks-tiles a:has-text('East')")).to_have_class(re.compile("ks-bad"), timeout=PATIENCE)

    assert page.evaluate("document.activeElement.textContent").count("West") == 1
    assert page.evaluate("window.getSelection().toString()") == selected
    assert page.input_value("#ks-fleet input[name=q]") == "half a wo"
    assert page.locator("#ks-needs details[open]").count() == 1
    assert page.evaluate("window.isSamePage")
    tile = page.locator("#ks-tiles a:has-text('West')").bounding_box()
    assert 0 <= tile["y"] <= 500  # still on the screen, though lines came above it

    with page.expect_response("**/dashboard/again") as answer:
        page.click("#ks-needs button:text-is('Try again')")
    assert answer.value.status == 302  # a button that came by itself has a token that is good


@only_deep
def test_the_overview_costs_little_while_nothing_changes_and_recovers_from_a_server_that_is_away(
    cast, page, browser, statuses
) -> None:
    page.goto("/")
    wait_for_answers(page, statuses, 304)
    note = page.locator("[role=status].ks-live-note")
    expect(note).to_be_empty()
    page.route("**/dashboard/live*", lambda route: route.abort())
    expect(note).to_have_text("Not connected; trying again.", timeout=PATIENCE)
    Account.objects.filter(subdomain="west").update(name="Far West")
    page.unroute("**/dashboard/live*")
    expect(page.locator("#ks-tiles a:has-text('Far West')")).to_be_visible(timeout=PATIENCE)
    expect(note).to_be_empty(timeout=PATIENCE)
    browser.complaints.clear()  # the browser notes each request that did not come through

    browser.clear_cookies()
    expect(note).to_contain_text("Your session has ended", timeout=PATIENCE)
    statuses.clear()
    page.wait_for_timeout(2500)
    assert statuses == []  # it asks no more
    page.click("text=Load it again")
    page.locator("#id_username").wait_for()


def test_a_server_that_never_answers_and_an_answer_that_is_none_of_ours_are_tried_again(cast, page, browser) -> None:
    """A request that nobody answers ends; what came half-way, or with a mark of its own, is asked for again."""
    page.add_init_script(
        """window.patience = 300;
        AbortSignal.timeout = ((given) => () => given.call(AbortSignal, window.patience))(AbortSignal.timeout);"""
    )
    page.route("**/dashboard/live*", lambda route: None)
    page.goto("/")
    note = page.locator("[role=status].ks-live-note")
    expect(note).to_have_text("Not connected; trying again.", timeout=PATIENCE)

    marks: list[str | None] = []
    page.evaluate("window.patience = 60_000")  # a busy machine answers late
    page.unroute("**/dashboard/live*")

    def of_a_proxy(route: Any) -> None:
        marks.append(route.request.headers.get("if-none-match"))
        route.fulfill(json={"error": "busy"}, headers={"ETag": '"of the proxy"'})

    page.route("**/dashboard/live*", of_a_proxy)
    for _ in range(PATIENCE // 100):
        if len(marks) > 1:
            break
        page.wait_for_timeout(100)
    assert marks[:2] == [None, None]
    page.unroute("**/dashboard/live*")
    expect(note).to_be_empty(timeout=PATIENCE)
    browser.complaints.clear()
