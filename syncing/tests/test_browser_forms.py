"""The long forms in a real browser: links to their parts, and nothing that sticks out of its card."""

import pytest

from accounts.tests.factories import AccountFactory
from accounts.tests.laws import only_deep

pytestmark = pytest.mark.django_db(transaction=True)


@only_deep
def test_long_forms_begin_with_links_to_their_parts_and_stay_inside_their_cards(page) -> None:
    account = AccountFactory.cast()["north"]
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"/accounts/syncgroup/{account.group_id}/change/")
    page.click(".ks-jump a:text-is('Limits')")
    assert page.locator("h2:text-is('Limits')").bounding_box()["y"] < 200
    page.goto(f"/accounts/account/{account.pk}/change/")
    assert page.locator("#exclusions-0 select").is_hidden()
    page.click("summary:has-text('Left out of syncs by name')")
    card, inner = (page.locator(each).bounding_box() for each in ("#exclusions-group", "#exclusions-0 fieldset"))
    assert inner["x"] + inner["width"] <= card["x"] + card["width"]
    page.click("text=Choose what to leave out")
    page.wait_for_url(f"**/accounts/{account.pk}/exclusions")
