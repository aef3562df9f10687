"""The rules of a run: the group's policy, and what was decided for each account."""

import re
from typing import Any

import pytest

from accounts.clock import now
from accounts.models import SyncGroup
from accounts.simulator import edits
from accounts.simulator.faults import Fault
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.engine.refs import Kind, Ref
from syncing.engine.rules import WHOLE, ExclusionRule, Limits, Unmatched
from syncing.engine.snapshot import Snapshot
from syncing.execution import sync
from syncing.execution.goals import SnapshotCache
from syncing.leases.claims import Claim
from syncing.models import AcceptedDifference, Drift, HealingRule, IdMapping, LogEntry, MasterSnapshot
from syncing.models import Exclusion as ExclusionRow
from syncing.policy import rules_for
from syncing.tests.crm import account_runs, look, synced, writes
from syncing.tests.factories import RunFactory
from syncing.tests.house import House

FIELDS = re.compile(r"/leads/custom_fields\?")
DELETING = {f"unmatched_{kind}": "delete_created" for kind in ("pipelines", "stages", "groups", "fields", "options")}


def group(**facts: Any) -> SyncGroup:
    made = GroupFactory()
    SyncGroup.objects.filter(pk=made.pk).update(**facts)
    made.refresh_from_db()
    return made


@pytest.mark.django_db
def test_the_policy_and_the_limits_are_the_groups() -> None:
    found = group(unmatched_stages="delete_all", unmatched_fields="delete_created", max_deletes=3, max_update_share=5)
    north = AccountFactory(group=found)
    run = RunFactory(group=found, deletes_allowed=True)

    rules = rules_for([north.pk], run)[north.pk]

    assert rules.unmatched == {Kind.STAGE: Unmatched.DELETE_ALL, Kind.CUSTOM_FIELD: Unmatched.DELETE_CREATED}
    assert rules.limits == Limits(5, 10, 10, 3)


@pytest.mark.django_db
def test_a_forced_run_has_no_limits() -> None:
    north = AccountFactory()

    assert rules_for([north.pk], RunFactory(group=north.group, forced=True))[north.pk].limits is None


@pytest.mark.django_db
def test_a_doubtful_master_deletes_nothing_even_forced() -> None:
    found = group(**DELETING)
    north = AccountFactory(group=found)

    rules = rules_for([north.pk], RunFactory(group=found, forced=True, deletes_allowed=False))[north.pk]

    assert rules.unmatched == {}


@pytest.mark.django_db
def test_each_account_gets_its_own_exclusions_exceptions_and_what_we_made_there() -> None:
    found = group(**DELETING)
    north, south = AccountFactory(group=found, subdomain="north"), AccountFactory(group=found, subdomain="south")
    ExclusionRow.objects.create(account=north, kind="pipeline", name="Sales")
    AcceptedDifference.objects.create(account=north, kind="stage", key="1/2", attribute="name", reason="x")
    AcceptedDifference.objects.create(account=north, kind="stage", key="1/3", reason="x", withdrawn_at=now())
    AcceptedDifference.objects.create(account=south, kind="custom_field", key="leads/4", reason="x")
    IdMapping.objects.create(account=north, kind="stage", master_key="1/2", slave_key="10/20", created_by_us=True)
    IdMapping.objects.create(account=north, kind="stage", master_key="1/3", slave_key="10/30")

    rules = rules_for([north.pk, south.pk], RunFactory(group=found, deletes_allowed=True))

    assert rules[north.pk].exclusions == {ExclusionRule(Kind.PIPELINE, "Sales")}
    assert rules[north.pk].accepted == {(Ref(Kind.STAGE, "1/2"), "name")}
    assert rules[north.pk].created == {(Kind.STAGE, "10/20")}
    assert rules[south.pk].accepted == {(Ref(Kind.CUSTOM_FIELD, "leads/4"), WHOLE)}
    assert rules[south.pk].exclusions == rules[south.pk].created == frozenset()


@pytest.mark.django_db
def test_the_number_of_queries_does_not_grow_with_the_accounts(django_assert_num_queries: Any) -> None:
    found = group(**DELETING)
    run = RunFactory(group=found, deletes_allowed=True)
    accounts = [AccountFactory(group=found).pk for _ in range(5)]
    for some in (accounts[:1], accounts):
        with django_assert_num_queries(4):
            rules_for(some, run)
    HealingRule.objects.create(group=found, kind="stage", key="1/2", mode="local")
    with django_assert_num_queries(5):
        rules_for(accounts, run)


# -- the base of the three-way comparison --


@pytest.mark.django_db
def test_the_base_is_put_together_from_the_masters_that_each_part_was_equal_to_and_shared() -> None:
    north, south = AccountFactory(subdomain="north"), AccountFactory(subdomain="south")
    empty: dict[str, Any] = {"pipelines": [], "groups": [], "fields": []}
    older, newer = (
        MasterSnapshot.objects.create(group=north.group, type="full", document=empty, fingerprint=str(n), accepted=True)
        for n in range(2)
    )
    for account in (north, south):
        Drift.objects.create(
            account=account, state="in_sync", checked_at=now(), base_pipelines=older, base_fields=newer
        )
    run = RunFactory(group=north.group, snapshot=newer)
    claims = [
        Claim(account_run_id=n, run_id=run.pk, account_id=pk, writes=True, fence=1, requests=0)
        for n, pk in enumerate((north.pk, south.pk))
    ]

    found = sync.goals(run, claims, SnapshotCache())

    assert found[north.pk].base == Snapshot((), (), ())
    assert found[north.pk].base is found[south.pk].base


@pytest.mark.django_db
def test_without_a_base_there_is_none() -> None:
    assert SnapshotCache().base(None, None) is None


# -- the master, when something would be deleted for being gone --


@pytest.fixture
def deleting(house: House) -> House:
    """The master and its slaves are in sync, with a stage and a field that KommoSync made; the policy deletes."""
    master = house.world.accounts["master"]
    master.add_pipeline("Sales", stages=["New", "Offer", "Contract"])
    master.add_field("leads", "Notes", "textarea", group=master.add_group("leads", "Deal"))
    SyncGroup.objects.update(**DELETING, max_delete_share=100)
    synced(house)
    return house


def test_what_the_master_lost_is_read_twice_asked_for_by_itself_and_then_deleted(deleting: House) -> None:
    master = deleting.world.accounts["master"]
    calm = synced(deleting).master_requests
    sales = master.pipeline("Sales")
    edits.remove(master, "stage", [sales.id, master.stage("Sales", "Offer").id])

    run = synced(deleting)

    assert run.master_requests == 2 * calm + 1
    assert run.deletes_allowed
    assert account_runs(run)["north"].deleted == 1
    assert look(deleting.world.accounts["north"]) == look(master)


def test_two_readings_that_differ_end_the_run_before_any_slave_is_asked(deleting: House) -> None:
    """A master that answers half its fields once deletes nothing."""
    deleting.world.faults.add(Fault("silent_half", subdomain="master", path=FIELDS, method="GET", times=1))
    since = len(deleting.world.log)

    run = synced(deleting)

    assert (run.state, run.reason) == ("failed", "bad_answer")
    assert "gave another answer" in run.error["message"]
    assert {record.subdomain for record in list(deleting.world.log)[since:]} == {"master"}


@pytest.mark.parametrize("forced", [False, True])
def test_a_reading_that_contradicts_itself_deletes_nothing_and_says_why(deleting: House, forced: bool) -> None:
    """A stage is gone; but half of the fields were not told, as a group names them all."""
    master = deleting.world.accounts["master"]
    sales, deal = master.pipeline("Sales"), master.group("leads", "Deal")
    edits.remove(master, "stage", [sales.id, master.stage(sales.id, "Offer").id])
    for number in range(20):
        master.add_field("leads", f"More {number}", group=deal)
    deleting.world.faults.add(Fault("silent_half", subdomain="master", path=FIELDS, method="GET", times=None))

    run = synced(deleting, forced=forced, force_reason="I know." if forced else "")

    assert run.state == "succeeded"
    assert not run.deletes_allowed
    entry = LogEntry.objects.get(run=run, code="no_deletions")
    assert "names fields that are missing" in entry.message
    north = deleting.world.accounts["north"]
    assert [stage.name for stage in north.pipeline("Sales").ordinary] == ["New", "Offer", "Contract"]
    assert not [record for record in writes(deleting, "north") if record.method == "DELETE"]


def test_a_list_that_keeps_an_item_back_however_often_it_is_asked_ends_the_run(deleting: House) -> None:
    """Nothing contradicts it but the item itself: the fields of the main group are named nowhere else."""
    master = deleting.world.accounts["master"]
    for number in range(4):
        master.add_field("leads", f"More {number}")
    synced(deleting)
    deleting.world.faults.add(Fault("silent_half", subdomain="master", path=FIELDS, method="GET", times=None))
    SyncGroup.objects.update(max_master_shrink=100)
    since = len(deleting.world.log)

    run = synced(deleting)

    assert (run.state, run.reason) == ("failed", "bad_answer")
    assert "exists when it is requested by itself" in run.error["message"]
    assert {record.subdomain for record in list(deleting.world.log)[since:]} == {"master"}


def test_where_nothing_would_be_deleted_the_master_is_read_once(house: House) -> None:
    master = house.world.accounts["master"]
    master.add_pipeline("Sales", stages=["New", "Offer"])
    first = synced(house).master_requests
    edits.remove(master, "stage", [master.pipeline("Sales").id, master.stage("Sales", "Offer").id])

    assert synced(house).master_requests == first


def test_the_first_reading_is_read_twice_as_there_is_nothing_to_compare_it_with(house: House) -> None:
    plain = synced(house).master_requests
    MasterSnapshot.objects.all().delete()
    SyncGroup.objects.update(**DELETING)

    assert synced(house).master_requests == 2 * plain

    MasterSnapshot.objects.all().delete()
    house.world.faults.add(Fault("silent_half", subdomain="master", path="contacts/custom_fields", times=1))
    run = synced(house)
    assert (run.state, run.reason) == ("failed", "bad_answer")
