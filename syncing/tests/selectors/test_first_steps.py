"""The guided start: which step is next, whatever was done, and when it is over."""

import pytest
from django.test import Client

from accounts.models import Account, ConnectionCheck, SyncGroup
from accounts.tests.factories import AccountFactory
from syncing.models import AccountState, RunState
from syncing.selectors.automation import automation_state
from syncing.selectors.dashboard import shown_runs
from syncing.selectors.first_steps import FirstSteps, first_steps
from syncing.selectors.fleet import fleet_accounts
from syncing.tests.factories import AccountRunFactory, RunFactory

pytestmark = pytest.mark.django_db


def steps() -> FirstSteps | None:
    return first_steps(fleet_accounts(), automation_state().groups, shown_runs())


def here() -> str:
    found = steps()
    assert found is not None
    return found.here


def test_the_way_from_an_empty_system_to_the_first_sync() -> None:
    assert here() == "master"
    group = AccountFactory(master=True).group
    assert here() == "slaves"
    slave = AccountFactory(group=group)
    assert here() == "check"
    Account.objects.update(health="connected")
    assert here() == "plan"
    plan = RunFactory(group=group, mode="plan", state=RunState.RUNNING)
    account_run = AccountRunFactory(run=plan, account=slave, state=AccountState.RUNNING)
    assert here() == "plan"
    found = steps()
    assert found is not None
    assert (found.is_running, found.run) == (True, plan)
    type(account_run).objects.update(state=AccountState.PLANNED)
    type(plan).objects.update(state=RunState.PLANNED)
    assert here() == "sync"
    AccountRunFactory(run=RunFactory(group=group), account=slave, state=AccountState.CHANGED)
    assert steps() is None


def test_slaves_without_a_master_need_one() -> None:
    AccountFactory()
    assert here() == "master"


def test_it_stays_over_when_later_runs_fail() -> None:
    slave = AccountFactory()
    AccountRunFactory(run=RunFactory(group=slave.group), account=slave)
    AccountRunFactory(run=RunFactory(group=slave.group), account=slave, state=AccountState.FAILED)
    assert steps() is None


def test_a_first_sync_that_failed_is_still_to_come() -> None:
    slave = AccountFactory(health="connected")
    AccountFactory(master=True, group=slave.group, health="connected")
    run = RunFactory(group=slave.group, state=RunState.FAILED)
    AccountRunFactory(run=run, account=slave, state=AccountState.FAILED)
    assert here() == "sync"


def test_the_page_leads_on_from_where_one_was(admin_client: Client) -> None:
    group = AccountFactory(master=True).group
    AccountFactory(group=group)
    assert "Check all connections" in admin_client.get("/").content.decode()
    check = ConnectionCheck.objects.create()
    html = admin_client.get("/").content.decode()
    assert "Watch the check" in html
    assert f"/accounts/checks/{check.pk}/" in html
    Account.objects.update(health="connected")
    SyncGroup.objects.update(requires_approval=True)
    plan = RunFactory(group=group, mode="plan", state=RunState.PLANNED)
    html = admin_client.get("/").content.decode()
    assert "Review the plan" in html
    assert f"/syncing/syncrun/{plan.pk}/change/" in html


def test_a_master_that_is_not_connected_is_mended_before_a_plan(admin_client: Client) -> None:
    master = AccountFactory(master=True, health="token_expired", health_reason="The token has expired.")
    AccountFactory(group=master.group, health="connected")
    html = admin_client.get("/").content.decode()
    assert "The token has expired." in html
    assert f'href="/accounts/{master.pk}/">Mend its connection' in html
    assert (
        f'action="/groups/{master.group_id}/start/plan"' not in html.split('aria-current="step"')[1].split("</li>")[0]
    )


@pytest.mark.parametrize(("mode", "step"), [("plan", "plan"), ("apply", "sync")])
def test_a_run_that_failed_leads_to_its_reason(admin_client: Client, mode: str, step: str) -> None:
    master = AccountFactory(master=True, health="connected")
    AccountFactory(group=master.group, health="connected")
    run = RunFactory(group=master.group, mode=mode, state=RunState.FAILED)
    assert here() == step
    html = admin_client.get("/").content.decode()
    assert f'href="/syncing/syncrun/{run.pk}/change/">See why' in html
    type(run).objects.update(state=RunState.QUEUED)
    assert "See why" not in admin_client.get("/").content.decode()
