"""The page to play on in a real browser: without a jump, at the size of a laptop and of a phone, without script."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from accounts.simulator.seed.copying import copy_configuration
from accounts.simulator.server import RunningServer
from accounts.simulator.world import World
from accounts.tests.screens import excess
from accounts.tests.simulator.browsing import PlainBrowser

pytestmark = pytest.mark.django_db(transaction=True)
LAPTOP, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}
LONG = "A stage with a name that nobody would give it " * 5


@pytest.fixture
def play(browser: Any, world: World, simulator: RunningServer) -> Page:
    """The page, with a master and two slaves that have all that it has."""
    master = world.add_account("master", name="Head office", with_default_pipeline=False)
    master.add_pipeline("Sales", stages=["New", "Offer", "<script>alert(1)</script>", LONG], is_main=True)
    for name in ("north", "south"):
        copy_configuration(master, world.add_account(name, name=name.title(), with_default_pipeline=False))
    page: Page = browser.new_page()
    page.goto(f"{simulator.url}/play")
    return page


def test_on_a_laptop_a_stage_is_added_and_the_page_follows_without_a_jump(play, simulator) -> None:
    play.set_viewport_size(LAPTOP)
    play.evaluate("window.here = true")
    play.fill("#master-add input[name=name]", "Visit")
    play.click("text=Add the stage >> nth=0")
    expect(play.locator("#master-funnels summary:has-text('Visit')")).to_be_visible()
    expect(play.locator("#happened [role=status]")).to_contain_text("Added the stage “Visit” to “Sales” in the master.")
    expect(play.locator("#followers h2")).to_have_text("0 of 2 slaves have all that the master has")

    # Somebody types while the others change the accounts.
    name_of_field = play.locator("#master-forms form[action$=add-field] input[name=name]")
    name_of_field.fill("Birthpl")
    place = name_of_field.bounding_box()
    other = PlainBrowser(simulator.url)
    for name in ("north", "south"):
        other.submit(other.open(f"/play?slave={name}").form("add-stage", account=name), name="Visit")
    expect(play.locator("#slave-funnels summary:has-text('Visit')")).to_be_visible()
    play.keyboard.type("ace")
    expect(name_of_field).to_have_value("Birthplace")
    assert name_of_field.bounding_box() == place
    assert play.evaluate("window.here")

    play.locator("#slave-forms").get_by_role("button", name="Block our address").click()
    expect(play.locator("#followers")).to_contain_text("1 in trouble.")
    expect(play.locator(".squares .troubled")).to_have_count(1)
    play.click("text=Repair everything")
    expect(play.locator(".squares .troubled")).to_have_count(0)
    play.keyboard.press("Home")
    play.click(".squares a >> nth=1")
    expect(play.locator("#slave h2")).to_contain_text("South")
    assert excess(play) <= 0


def test_on_a_phone_everything_fits_and_a_stage_is_opened_and_changed(play, browser, world) -> None:
    play.set_viewport_size(PHONE)
    assert excess(play) <= 0
    play.click("#master-funnels summary:has-text('Offer')")
    card = play.locator("#master-funnels details[open] .card")
    expect(card).to_have_count(1)
    card.locator("input[name=name]").fill("Proposal")
    card.locator("text=Rename").click()
    expect(play.locator("#master-funnels summary:has-text('Proposal')")).to_be_visible()
    play.click("#master-funnels summary:has-text('alert(1)')")
    play.locator("#master-funnels details[open] [value='#ff8f92']").click()
    expect(play.locator("#happened [role=status]")).to_contain_text("another colour")
    assert world.accounts["master"].stage("Sales", "<script>alert(1)</script>").color == "#ff8f92"
    assert excess(play) <= 0

    play.click("#master-funnels summary:has-text('New')")
    play.click("#master-funnels details[open] >> text=◀ Left")
    expect(play.locator("#happened .refused")).to_have_text("Not done. “New” cannot be moved further.")
    expect(play.locator("#master-funnels details[open]")).to_have_count(1)  # to try something else
    browser.complaints.clear()  # the browser notes the 400 of that answer


def test_without_script_the_same_forms_work(play, browser, simulator) -> None:
    context = browser.browser.new_context(java_script_enabled=False, viewport=PHONE)
    page = context.new_page()
    page.goto(f"{simulator.url}/play?slave=south")
    page.fill("#slave-add input[name=name]", "Own")
    page.click("#slave-add button")
    page.wait_for_url("**/play?slave=south")
    expect(page.locator("#happened [role=status]")).to_contain_text("Added the stage “Own” to “Sales” in South.")
    expect(page.locator("#slave-funnels .own")).to_have_text("Own")
    context.close()
