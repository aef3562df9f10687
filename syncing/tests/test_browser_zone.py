"""A browser tells its time zone by itself, and pages go by it."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.django_db(transaction=True)


def test_pages_go_by_the_zone_of_the_browser_from_the_second_on(page) -> None:
    context = page.context.browser.new_context(
        timezone_id="America/Sao_Paulo", storage_state=page.context.storage_state(), base_url=page.url
    )
    context.clear_cookies(name="kommosync_zone")
    reader = context.new_page()
    reader.goto("/")
    expect(reader.locator("#footer")).to_contain_text("time zone UTC")
    reader.goto("/runs/")
    expect(reader.locator("#footer")).to_contain_text("time zone America/Sao_Paulo")
    context.close()
