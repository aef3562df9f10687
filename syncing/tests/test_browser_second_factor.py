"""A second factor in a real browser: set up on a phone, asked for at the next login, replaced by a recovery code."""

from typing import Any

import pytest
from playwright.sync_api import expect

from accounts.tests.laws import only_deep
from accounts.tests.screens import excess, violations
from syncing.models import SecondFactor
from syncing.tests.second_factor import app_code

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]


def look_at(page: Any) -> None:
    """No sideways scrolling on a phone, and nothing for axe to find in either scheme."""
    assert excess(page) <= 0, page.url
    assert violations(page) == {}, page.url


def set_up(page: Any) -> list[str]:
    """Sets it up by keyboard alone; gives the recovery codes."""
    page.click("[popovertarget=ks-user]")
    page.click("#ks-user >> text=Second factor")
    page.wait_for_url("**/settings/second-factor/")
    look_at(page)
    page.fill("[name=proof]", "password")
    page.keyboard.press("Enter")
    page.wait_for_url("**/set-up")
    look_at(page)
    key = page.inner_text(".ks-fours").replace(" ", "").replace("\n", "")
    factor = SecondFactor.objects.get()
    assert key == factor.key
    assert page.locator("svg.ks-qr").bounding_box()["width"] >= 200
    page.keyboard.type(app_code(factor, steps=-1))  # the cursor is there already
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Your second factor is on.")
    look_at(page)
    expect(page.locator("[data-ks-print]")).to_be_visible()
    return page.inner_text("pre.ks-id").split()


def test_it_is_set_up_and_asked_for_at_the_next_login(page: Any) -> None:
    page.set_viewport_size({"width": 360, "height": 800})
    codes = set_up(page)
    assert len(codes) == 10
    page.click("text=I have saved them")
    page.context.clear_cookies()

    page.goto("/runs/")
    page.fill("#id_username", "admin")
    page.fill("#id_password", "password")
    page.click("[type=submit]")
    page.wait_for_url("**/login/code**")
    look_at(page)
    page.keyboard.type("000 000")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=This code is wrong, or was used already.")
    look_at(page)
    page.wait_for_timeout(1100)  # the pause after one wrong code
    page.keyboard.type(app_code(SecondFactor.objects.get()))
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/")


@only_deep
def test_without_scripts_a_recovery_code_stands_in_for_the_phone(page: Any, live_server: Any) -> None:
    page.set_viewport_size({"width": 360, "height": 800})
    codes = set_up(page)
    context = page.context.browser.new_context(java_script_enabled=False, base_url=live_server.url)
    plain = context.new_page()
    plain.goto("/")
    plain.fill("#id_username", "admin")
    plain.fill("#id_password", "password")
    plain.click("[type=submit]")
    plain.click("summary")
    plain.fill("[name=recovery_code]", codes[0])
    plain.keyboard.press("Enter")
    plain.wait_for_selector("text=9 recovery codes are left.")
    context.close()
