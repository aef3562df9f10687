"""A person imports and exports accounts in a real browser, without one complaint of the browser."""

import pytest
from playwright.sync_api import expect

from accounts.models import Account
from accounts.tests.factories import AccountFactory

FILE = (
    "subdomain,role,name,token,client_id,client_secret,refresh_token,redirect_uri\n"
    "north,slave,North of the river,token-of-day,,,,\n"
    "south,slave,South,,,,,\n"
    "oslo,slave,Oslo,,0a1b2c3d-uuid, secret-of-sync ,refresh-of-oslo,https://sync.example/oauth/callback/\n"
    "rome,boss,Rome,token-of-rome,,,,\n"
    "no city,slave,Nowhere,token-of-nowhere,,,,\n"
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_file_is_looked_at_confirmed_and_what_is_stored_goes_out_again(page, tmp_path) -> None:
    AccountFactory.cast()
    (tmp_path / "branches.csv").write_text(FILE)
    page.goto("/accounts/account/")
    page.click("text=Import accounts")
    page.set_input_files("#id_import_file", tmp_path / "branches.csv")
    page.click("text=Check the file")
    page.locator("text=2 · Left out").wait_for()
    expect(page.locator("#ks-refused + .ks-scroll tbody tr")).to_have_count(2)
    assert not Account.objects.filter(subdomain="oslo").exists()
    page.click("text=Import 2 accounts")
    page.locator("#ks-imported").wait_for()
    assert "1 created, 1 updated, 1 unchanged, 2 refused" in page.locator("#ks-imported").inner_text()
    assert Account.objects.get(subdomain="north").token == "token-of-day"
    page.click("text=Go to the accounts")
    page.click("text=Export accounts")
    with page.expect_download() as waiting:
        page.click("button:text-is('Export')")
    assert waiting.value.suggested_filename.endswith(".xlsx")
    page.goto("/accounts/account/import/")
    page.set_input_files("#id_import_file", waiting.value.path())
    page.click("text=Check the file")
    page.locator("text=6 · Unchanged").wait_for()
    page.click("summary")
    expect(page.locator("#ks-unchanged tbody tr")).to_have_count(6)
