"""Who overwrites edits made in accounts is told so: on a plan, its approval, the page of a run and the policy."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import HEAL_CONSEQUENCES, Account, HealMode, SyncGroup
from accounts.tests.factories import AccountFactory
from syncing.models import AccountState, Drift, DriftChange, RunState, SyncRun
from syncing.records.drift import history_rows
from syncing.selectors.overwritten import overwritten_edits
from syncing.tests.factories import AccountRunFactory, DriftFactory, RunFactory, difference, extra
from syncing.tests.plans import change, document, planned

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast(db: None) -> dict[str, Account]:
    """North and south were edited; west is behind the master, east has something of its own."""
    cast = AccountFactory.cast()
    DriftFactory(account=cast["north"])
    DriftFactory(account=cast["south"], rows=[difference(cause="both")])
    DriftFactory(account=cast["west"], rows=[difference(cause="master")])
    DriftFactory(account=cast["east"], rows=[extra(cause="slave")])
    return cast


def plan_of(cast: dict[str, Account], **facts: str) -> SyncRun:
    run: SyncRun = RunFactory(group=cast["north"].group, mode="plan", state=RunState.PLANNED, **facts)
    for name in ("north", "south", "west", "east"):
        planned(run, cast[name], document(change("update", "Offer")))
    return run


def edited_in(run: SyncRun) -> list[str]:
    return [each.name for each in overwritten_edits(run).accounts]


def test_a_plan_overwrites_what_was_edited_in_the_account_and_in_its_reach(cast) -> None:
    assert edited_in(plan_of(cast)) == ["North", "South"]
    assert edited_in(plan_of(cast, type="pipelines")) == ["North", "South"]
    assert edited_in(plan_of(cast, type="custom_fields")) == []
    assert edited_in(plan_of(cast, purpose="rollback")) == []


def test_a_run_that_wrote_says_whose_edits_are_gone_since(cast) -> None:
    run = RunFactory(group=cast["north"].group, state=RunState.SUCCEEDED)
    stays = difference("7/72", name="Talks")
    for name, appeared in (("north", []), ("south", [stays]), ("west", [])):
        AccountRunFactory(run=run, account=cast[name], state=AccountState.CHANGED)
        gone = [difference(cause="master")] if name == "west" else [stays]
        rows = {"gone": history_rows(gone), "appeared": history_rows(appeared)}
        DriftChange.objects.create(account=cast[name], run=run, at=run.created_at, **rows)
    assert edited_in(run) == ["North"]


@pytest.mark.parametrize("name", ["admin:syncing_syncrun_change", "syncing:approve"])
def test_the_pages_of_a_plan_name_the_accounts_whose_edits_go(admin_client: Client, cast, name: str) -> None:
    run = plan_of(cast)
    page = admin_client.get(reverse(name, args=[run.pk])).content.decode()
    assert "Overwrites edits in 2 accounts:" in page
    assert reverse("syncing:drift_account", args=[cast["north"].pk]) in page
    Drift.objects.all().delete()
    assert "Overwrites edits" not in admin_client.get(reverse(name, args=[run.pk])).content.decode()


def test_a_plan_names_the_edits_in_its_own_accounts(admin_client: Client, cast) -> None:
    run = plan_of(cast)
    other = planned(run, AccountFactory(group=run.group), document(change("delete", "Old")))
    shared = run.account_runs.exclude(pk=other.pk).first()
    assert shared is not None
    for digest, is_told in ((shared.content_digest, True), (other.content_digest, False)):
        page = admin_client.get(reverse("syncing:plan", args=[run.pk, digest])).content.decode()
        assert ("Overwrites edits in 2 accounts:" in page) is is_told


def test_each_choice_about_edits_says_what_follows_from_it(admin_client: Client, cast) -> None:
    group = SyncGroup.objects.get()
    policy = admin_client.get(reverse("admin:accounts_syncgroup_change", args=[group.pk])).content.decode()
    for page in (admin_client.get(reverse("syncing:automation")).content.decode(), policy):
        assert all(str(HEAL_CONSEQUENCES[mode]) in page for mode in HealMode)
