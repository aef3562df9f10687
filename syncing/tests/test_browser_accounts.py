"""A person and their accounts in a real browser: found in the list, looked at, left out by a click, decided in bulk."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from accounts.models import Account
from accounts.tests.factories import AccountFactory
from accounts.tests.screens import excess
from syncing.engine.snapshot import fingerprint, to_document
from syncing.models import AcceptedDifference, Exclusion, IdMapping, MasterSnapshot
from syncing.tests.engine.items import field, pipeline, snapshot, stage
from syncing.tests.factories import AccountRunFactory, DriftFactory, RunFactory, difference

pytestmark = pytest.mark.django_db(transaction=True)
WON = {"kind": "stage", "name": "Closed - won", "parent": "Sales", "message": "Rename it in Kommo's settings."}


@pytest.fixture
def cast(db: None) -> dict[str, Account]:
    """North and south renamed a stage; in north something is to be done by hand."""
    cast = AccountFactory.cast()
    master = snapshot(pipeline(7, "Sales", stage(71, "Offer", 20), stage(72, "Talks", 30)))
    read = MasterSnapshot.objects.create(
        group=cast["north"].group, type="full", document=to_document(master), fingerprint=fingerprint(master)
    )
    run = RunFactory(group=cast["north"].group, snapshot=read)
    for name in ("north", "south"):
        DriftFactory(account=cast[name], run=run, rows=[difference(attribute="name", ours="Offer", theirs="Quote")])
    document: dict[str, Any] = {"changes": [], "extras": [], "conflicts": [], "manual": [WON]}
    AccountRunFactory(run=run, account=cast["north"], document=document)
    IdMapping.objects.create(account=cast["north"], kind="stage", master_key="7/71", slave_key="9/91", name="Offer")
    return cast


def test_an_account_is_found_looked_at_and_given_less(cast, page) -> None:
    page.click("#header >> text=Accounts")
    page.click("text=2 drifted")
    expect(page.locator(".ks-table tbody tr")).to_have_count(2)
    page.click("text=North")
    expect(page.locator(".ks-is-renamed:has-text('Quote')")).to_be_visible()
    expect(page.locator(".ks-is-renamed").filter(has_text=re.compile(r"^\s*Offer"))).to_be_visible()
    page.locator("summary:has-text('Quote')").press("Enter")
    opened = page.locator("details[open] li:has-text('Renamed:')")
    expect(opened.locator("text=Edited in the account")).to_be_visible()
    expect(opened.locator("a:text-is('Promote')")).to_be_visible()
    for width in (360, 768, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert excess(page) <= 0
    page.click("text=Choose what to leave out")
    page.click("label:has-text('Talks')")
    page.click("text=Save")
    page.locator(".ks-is-excluded:has-text('Talks')").first.wait_for()
    assert Exclusion.objects.get().name == "Talks"
    page.click("nav >> text=Ids")
    page.click("button:has-text('Copy')")
    expect(page.locator("code:has-text('91')")).to_be_visible()


def test_a_difference_of_two_accounts_is_accepted_at_once_on_a_phone(cast, page) -> None:
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto("/drift/")
    page.click("text=By item")
    page.locator("h2:has-text('Stage Offer: renamed in 2 accounts')").wait_for()
    assert excess(page) <= 0
    page.click("a:has-text('Accept')")
    page.fill("#id_reason", "Their word for it.")
    page.locator("label:has-text('South') input").uncheck()
    page.click("button:has-text('Accept')")
    page.locator("text=Accepted in 1 account.").wait_for()
    page.locator("h2:has-text('renamed in 1 account')").wait_for()
    assert AcceptedDifference.objects.get().account == cast["north"]
    page.goto("/todo/")
    page.locator("text=Rename it in Kommo's settings.").wait_for()
    assert excess(page) <= 0
    assert page.locator("a:has-text('Open in Kommo')").get_attribute("href").startswith("https://north.kommo.com/")


@pytest.mark.parametrize("width", [1280, 360])
def test_what_a_chip_opens_to_moves_no_neighbour_sideways(cast, page, width) -> None:
    names = ("Offer", "Talks", "Visit", "Contract")
    stages = (stage(71 + place, name, 20 + place) for place, name in enumerate(names))
    master = snapshot(
        pipeline(7, "Sales", *stages),
        field(12, "Colour", "select", enums=["Red", "Green", "Blue"]),
        field(13, "Budget"),
    )
    MasterSnapshot.objects.update(document=to_document(master))
    north = cast["north"]
    facts = {"kind": "custom_field", "key": "leads/12", "name": "Colour", "parent": "leads"}
    rows = [
        difference("7/72", name="Talks", attribute="name", ours="Talks", theirs="Chat"),
        difference(**facts, attribute="name", ours="Colour", theirs="Hue"),
        difference(**facts, attribute="enums", ours=["Red", "Green", "Blue"], theirs=["Red", "Lime", "Blue"]),
    ]
    north.drift.delete()
    DriftFactory(account=north, run=RunFactory(group=north.group, snapshot=MasterSnapshot.objects.get()), rows=rows)
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"/accounts/{north.pk}/")
    places = "[...document.querySelectorAll('.ks-chip')].map((each) => each.getBoundingClientRect().x)"
    before = page.evaluate(places)
    for name in ("Chat", "Hue"):
        page.locator(f"summary:has-text('{name}')").click()
        assert page.evaluate(places) == before
        shown = page.locator("details[open] .ks-unlike").last.bounding_box()
        assert shown["y"] >= page.locator(f"summary:has-text('{name}')").bounding_box()["y"] + 20
    assert excess(page) <= 0
