"""Which slaves equal their master: only those of which it is known now."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from accounts.models import Account, SyncGroup
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import Drift, Watch
from syncing.selectors.conformity import conformity_of, report_of
from syncing.services import rollback
from syncing.services.actors import COMMAND
from syncing.services.exceptions import accept
from syncing.tests.crm import ANNA, synced, work
from syncing.tests.factories import DriftFactory, difference
from syncing.tests.house import House
from syncing.tests.waving import Slaves

DAY = timedelta(days=1)


@pytest.fixture
def crm(house: House) -> House:
    """North and south equal the master, by a run of everything."""
    Account.objects.filter(subdomain__in=("west", "east")).delete()
    house.world.accounts["master"].add_pipeline("Sales", stages=["New", "Offer"])
    assert synced(house).state == "succeeded"
    return house


def states(group: SyncGroup) -> dict[str, tuple[str, str]]:
    return {row.subdomain: (row.state, row.why) for row in conformity_of(group)}


BOTH_EQUAL = {"north": ("equal", ""), "south": ("equal", "")}


def test_who_was_just_synced_equals_the_master(crm: House) -> None:
    assert states(crm.group) == BOTH_EQUAL
    report = report_of(crm.group, timezone.now())
    assert (report["equal"], report["total"], report["master"]) == (2, 2, "master")


def test_a_difference_counts_with_its_age_also_when_it_was_found_long_ago(crm: House) -> None:
    crm.world.accounts["north"].stage("Sales", "Offer").color = "#ff8f92"
    synced(crm, mode="plan")
    (north, _south) = conformity_of(crm.group)
    assert (north.state, north.since and timezone.now() - north.since < DAY) == ("differs", True)
    with time_machine.travel(timezone.now() + 30 * DAY):
        assert states(crm.group) == {"north": ("differs", ""), "south": ("unknown", "long_ago")}


def test_who_was_never_read_is_unknown(crm: House) -> None:
    AccountFactory(group=crm.group, subdomain="zeta")
    assert states(crm.group) == {**BOTH_EQUAL, "zeta": ("unknown", "never_read")}


@pytest.mark.parametrize(("days", "expected"), [(6.9, ("equal", "")), (7.1, ("unknown", "long_ago"))])
def test_a_reading_is_good_for_a_week(crm: House, days: float, expected: tuple[str, str]) -> None:
    with time_machine.travel(timezone.now() + days * DAY):
        assert states(crm.group)["north"] == expected


def test_who_equals_an_older_master_is_unknown_until_it_is_read_again(crm: House) -> None:
    """The master has changed, and only south was synced since."""
    crm.world.accounts["master"].add_pipeline("Leads", stages=["New"])
    synced(crm, accounts=[crm.accounts["south"]])
    assert states(crm.group) == {"north": ("unknown", "master_moved"), "south": ("equal", "")}
    synced(crm)
    assert states(crm.group) == BOTH_EQUAL


def test_a_change_that_only_the_watcher_has_seen_counts(crm: House) -> None:
    row = Watch.objects.create(group=crm.group, last_change=timezone.now(), pending_fingerprint="x")
    assert states(crm.group)["north"] == ("unknown", "master_moved")
    row.pending_fingerprint = ""
    row.save()
    assert states(crm.group) == BOTH_EQUAL


def test_who_was_worked_since_without_being_compared_is_unknown(crm: House) -> None:
    crm.start(accounts=[crm.accounts["north"]])
    crm.work(Slaves(north="failed"))
    assert states(crm.group) == {"north": ("unknown", "worked_since"), "south": ("equal", "")}


def test_who_was_rolled_back_no_longer_equals_the_master(crm: House) -> None:
    crm.world.accounts["master"].add_pipeline("Leads", stages=["New"])
    run = synced(crm)
    assert states(crm.group) == BOTH_EQUAL
    work(crm, rollback.start(run, mode="apply", by=ANNA, accounts=[crm.accounts["north"]]))
    assert states(crm.group)["north"][0] == "unknown"


def test_a_run_of_a_part_says_nothing_of_the_rest(crm: House) -> None:
    """The master's fields have changed, which a run of south alone has found; then both are synced, pipelines only."""
    crm.world.accounts["master"].add_field("leads", "Budget", "numeric")
    synced(crm, accounts=[crm.accounts["south"]])
    synced(crm, type="pipelines")
    assert states(crm.group) == {"north": ("unknown", "master_moved"), "south": ("equal", "")}


def test_a_run_of_a_part_takes_nothing_away_from_anybody(crm: House) -> None:
    """Each part is stored anew; that the others equal the same is known all the same."""
    synced(crm, type="pipelines", accounts=[crm.accounts["north"]])
    assert states(crm.group) == BOTH_EQUAL
    synced(crm, type="custom_fields", accounts=[crm.accounts["south"]])
    assert states(crm.group) == BOTH_EQUAL
    crm.world.accounts["master"].add_field("leads", "Budget", "numeric")
    synced(crm)
    synced(crm, type="pipelines")
    assert states(crm.group) == BOTH_EQUAL


def test_a_change_in_another_part_takes_nothing_away_either(crm: House) -> None:
    SyncGroup.objects.update(sync_custom_fields=False)
    crm.group.refresh_from_db()
    synced(crm)
    crm.world.accounts["master"].add_pipeline("Leads", stages=["New"])
    synced(crm, accounts=[crm.accounts["south"]])
    assert states(crm.group) == {"north": ("unknown", "master_moved"), "south": ("equal", "")}


def test_what_the_policy_covers_since_has_to_be_compared_first(crm: House) -> None:
    SyncGroup.objects.update(sync_custom_fields=False)
    crm.group.refresh_from_db()
    Drift.objects.update(base_fields=None)
    assert states(crm.group) == BOTH_EQUAL
    SyncGroup.objects.update(sync_custom_fields=True)
    crm.group.refresh_from_db()
    assert states(crm.group)["north"] == ("unknown", "master_moved")


def test_accepted_differences_are_counted_and_are_no_differences(crm: House) -> None:
    crm.world.accounts["north"].stage("Sales", "Offer").color = "#ff8f92"
    synced(crm, mode="plan")
    (row,) = Drift.objects.get(account__subdomain="north").differences
    facts = {"kind": row["kind"], "key": row["key"], "attribute": row["attribute"]}
    accept(crm.accounts["north"], **facts, reason="theirs", by=ANNA)
    synced(crm)
    (north, south) = conformity_of(crm.group)
    assert ((north.state, north.exceptions), (south.state, south.exceptions)) == (("equal", 1), ("equal", 0))


@pytest.fixture
def group(db: None) -> SyncGroup:
    return GroupFactory()


def test_the_last_run_is_named(crm: House) -> None:
    run = crm.start(by=COMMAND)
    crm.work(Slaves(north="failed"))
    (north, south) = conformity_of(crm.group)
    assert [(row.last_run, row.last_run_state) for row in (north, south)] == [(run.pk, "failed"), (run.pk, "changed")]


def test_a_conflict_is_no_equality_and_other_groups_are_not_listed(group: SyncGroup) -> None:
    account = AccountFactory(group=group)
    DriftFactory(account=account, rows=[])
    Drift.objects.update(state="conflict")
    DriftFactory(account=AccountFactory(group=GroupFactory(name="Elsewhere")), rows=[difference()])
    assert [row.state for row in conformity_of(group)] == ["conflict"]


def test_the_number_of_questions_does_not_grow_with_the_accounts(
    group: SyncGroup, django_assert_max_num_queries
) -> None:
    for _ in range(30):
        DriftFactory(account=AccountFactory(group=group), rows=[])
    with django_assert_max_num_queries(2):  # of which one asks PostgreSQL for its time
        assert len(conformity_of(group)) == 30
