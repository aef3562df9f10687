"""How the accounts stand now: the same on every page, and in sync only as long as nothing speaks against it."""

import re
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Account, SyncGroup
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import ConformityDay, Drift, MasterSnapshot
from syncing.selectors.account_list import AccountListFilters, account_list
from syncing.selectors.conformity import conformity_of
from syncing.selectors.conformity_history import conformity_history
from syncing.selectors.drift import DriftListFilters, drift_summary, listing
from syncing.selectors.fleet import fleet_accounts, fleet_of
from syncing.selectors.standing import with_standing
from syncing.tests.crm import synced
from syncing.tests.factories import (
    EMPTY,
    AccountRunFactory,
    DriftFactory,
    EqualDriftFactory,
    RunFactory,
    difference,
    extra,
)
from syncing.tests.house import House

pytestmark = pytest.mark.django_db

OLD = timedelta(days=8)
FLEET = {"equal": "in_sync", "edited": "drifted", "unknown": "not_known", "unread": "never"}


@pytest.fixture
def north() -> Account:
    """Equals its master, and is known to."""
    account = AccountFactory.cast()["north"]
    EqualDriftFactory(account=account, rows=[extra()])
    return account


def standing(account: Account) -> tuple[str, str]:
    found: Any = with_standing(Account.objects.all(), timezone.now()).get(pk=account.pk)
    return found.standing, found.standing_why


def test_what_was_just_found_equal_is_in_sync(north) -> None:
    assert standing(north) == ("in_sync", "")


@pytest.mark.parametrize("health", ["unpaid", "token_revoked", "unreachable", "error"])
def test_who_cannot_be_read_now_is_not_known(north, health) -> None:
    Account.objects.filter(pk=north.pk).update(health=health)
    assert standing(north) == ("not_known", "not_connected")


@pytest.mark.parametrize("health", ["unknown", "connected", "not_admin"])
def test_who_may_be_read_is_known(north, health) -> None:
    Account.objects.filter(pk=north.pk).update(health=health)
    assert standing(north) == ("in_sync", "")


def test_the_same_master_read_again_and_another_one(north) -> None:
    """The pipelines alone; then the whole, the same; then another one; then the first one again."""
    for facts, expected in (
        ({"type": "pipelines", "document": {"pipelines": [], "groups": None}}, ("in_sync", "")),
        ({"type": "full", "document": EMPTY}, ("in_sync", "")),
        ({"type": "custom_fields", "document": {**EMPTY, "fields": [1]}}, ("not_known", "master_moved")),
        ({"type": "full", "document": EMPTY}, ("in_sync", "")),
        ({"type": "full", "document": {**EMPTY, "pipelines": [1]}}, ("not_known", "master_moved")),
    ):
        MasterSnapshot.objects.create(group=north.group, fingerprint="x", **facts)
        assert standing(north) == expected


def test_the_master_of_another_group_does_not_count(north) -> None:
    elsewhere = GroupFactory(name="Elsewhere")
    MasterSnapshot.objects.create(group=elsewhere, type="full", document=EMPTY, fingerprint="x")
    Account.objects.filter(pk=north.pk).update(group=elsewhere)
    assert standing(north) == ("not_known", "master_moved")


def fleet_with_everything() -> SyncGroup:
    """Slaves that are in sync, were, and never were; two are not connected, one of them known to differ."""
    group: SyncGroup = AccountFactory(master=True).group
    old = {"converged_at": timezone.now() - OLD, "checked_at": timezone.now() - OLD}
    for name in ("a", "b"):
        EqualDriftFactory(account=AccountFactory(group=group, subdomain=name))
    EqualDriftFactory(account=AccountFactory(group=group, subdomain="old"), **old)
    EqualDriftFactory(account=AccountFactory(group=group, subdomain="unpaid", health="unpaid"))
    failed = AccountFactory(group=group, subdomain="failed", health="connected")
    EqualDriftFactory(account=failed)
    run = RunFactory(group=group, state="failed")
    AccountRunFactory(run=run, account=failed, state="skipped", fence=1)
    DriftFactory(account=AccountFactory(group=group, subdomain="edited"), rows=[difference()])
    lost = AccountFactory(group=group, subdomain="lost", health="token_revoked")
    DriftFactory(account=lost, rows=[difference()])
    AccountFactory(group=group, subdomain="new")
    return group


def test_every_place_says_the_same_of_all_accounts(admin_client) -> None:
    group, moment = fleet_with_everything(), timezone.now()
    expected = {
        "a": "in_sync", "b": "in_sync", "old": "not_known", "unpaid": "not_known", "failed": "not_known",
        "edited": "drifted", "lost": "drifted", "new": "never",
    }  # fmt: skip
    assert {each.subdomain: each.standing for each in listing(DriftListFilters(), moment)} == expected
    counts = Counter(expected.values())
    assert dict(drift_summary(moment).states) == counts
    for value in counts:
        named = {name for name, is_so in expected.items() if is_so == value}
        assert {each.subdomain for each in listing(DriftListFilters(state=value), moment)} == named
        assert {each.subdomain for each in account_list(AccountListFilters(drift=value))} == named
    accounts = fleet_accounts(moment)
    tiles = {tile.subdomain: tile.state.key for tile in fleet_of(accounts, moment).shown}
    assert {name: FLEET.get(state, state) for name, state in tiles.items()} == {
        **expected, "unpaid": "lost", "lost": "lost"
    }  # fmt: skip
    today = conformity_history(timezone.localdate(), accounts).last
    assert (today.equal, today.differ, today.unknown) == (2, 2, 4)
    report = Counter(each.state for each in conformity_of(group))
    assert report == {"equal": 2, "differs": 2, "unknown": 4}


@pytest.mark.parametrize("page", ["drift", "accounts"])
def test_no_list_calls_an_account_in_sync_of_which_that_is_not_known(admin_client, page) -> None:
    fleet_with_everything()
    html = admin_client.get(reverse(f"syncing:{page}")).content.decode()
    rows = re.findall(r"<tr>.*?</tr>", html, re.S)
    for name, words in (("Unpaid", "Not known, last read"), ("Old", "Not known, last read 1"), ("A", "In sync")):
        (row,) = (row for row in rows if re.search(f">{name}<", row))
        assert words in row
        assert ('ks-ok">In sync' in row) == (name == "A")


@pytest.mark.parametrize("page", ["account", "drift_account"])
def test_the_page_of_an_unpaid_account_is_not_green(admin_client, page) -> None:
    fleet_with_everything()
    address = reverse(f"syncing:{page}", args=[Account.objects.get(subdomain="unpaid").pk])
    html = admin_client.get(address).content.decode()
    assert "Not known, last read just now" in html
    assert 'ks-ok">In sync' not in html
    address = reverse(f"syncing:{page}", args=[Account.objects.get(subdomain="a").pk])
    assert 'ks-ok">In sync' in admin_client.get(address).content.decode()


def test_today_is_as_it_is_now_and_the_days_before_as_they_were_counted(north) -> None:
    today = timezone.localdate()
    for day in (today, today - timedelta(days=1)):
        ConformityDay.objects.create(group=north.group, day=day, total=4, known=2, equal=0, counted_at=timezone.now())
    bars = conformity_history(today, fleet_accounts()).bars
    assert [(bar.day, bar.equal, bar.unknown) for bar in bars] == [(today - timedelta(days=1), 0, 2), (today, 1, 3)]
    assert conformity_history(today, fleet_accounts(), group=GroupFactory(name="Elsewhere").pk).bars == []


def test_after_a_sync_the_overview_and_its_chart_agree(house: House, admin_client) -> None:
    house.world.accounts["master"].add_pipeline("Sales", stages=["New", "Offer"])
    synced(house)
    Drift.objects.filter(account__subdomain="west").delete()
    html = admin_client.get("/").content.decode()
    assert "3 of 4 accounts equal their master (75 %)" in html
    assert re.search(r"<strong>3</strong> In sync", html)
    assert re.search(r"<strong>1</strong> Never read", html)
