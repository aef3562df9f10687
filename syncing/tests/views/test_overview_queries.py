"""The overview costs at most so many queries, whatever the state of the installation and whoever looks at it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Account, ConnectionCheck, SyncGroup
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.leases import processes
from syncing.models import (
    AccountState,
    ConformityDay,
    HealedItem,
    ProcessKind,
    RunMode,
    RunState,
    Schedule,
    SyncRun,
    Window,
)
from syncing.tests.factories import AccountRunFactory, DriftFactory, RunFactory, difference

pytestmark = pytest.mark.django_db

MOST = 15  # of which one asks PostgreSQL for its time
ITEM = {"kind": "stage", "name": "Won", "parent": "Sales", "message": "Two have this name."}


def pair(name: str = "master", **facts: Any) -> Account:
    """A master and a slave of a group of their own; returns the slave."""
    group = AccountFactory(master=True, subdomain=name, group=GroupFactory(name=name), **facts).group
    return AccountFactory(group=group, **facts)


def ran(slave: Account, ended: str = AccountState.IN_SYNC, reason: str = "", **facts: Any) -> SyncRun:
    run = RunFactory(group=slave.group, **facts)
    document = {"conflicts": [ITEM], "manual": [ITEM]}
    AccountRunFactory(run=run, account=slave, state=ended, reason=reason, document=document)
    return run


def empty() -> None:
    """Nothing was set up yet."""


def a_master_alone() -> None:
    AccountFactory(master=True)


def before_the_check() -> None:
    slave = pair()
    ConnectionCheck.objects.create()
    SyncGroup.objects.update(watch="apply")
    ran(slave, AccountState.PLANNED, mode=RunMode.PLAN, state=RunState.PLANNED)


def the_master_lost() -> None:
    pair(health="token_expired")


def before_the_first_sync() -> None:
    ran(pair(health="connected"), AccountState.PLANNED, mode=RunMode.PLAN, state=RunState.PLANNED)


def the_first_sync_failed() -> None:
    ran(pair(health="connected"), AccountState.FAILED, "unpaid", state=RunState.FAILED)


def synced() -> None:
    slave = pair(health="connected")
    ran(slave)
    facts = {"total": 2, "known": 1, "equal": 1, "counted_at": timezone.now()}
    ConformityDay.objects.create(group=slave.group, day=timezone.localdate(), **facts)


def running() -> None:
    """All of its accounts are at work, and no run of late has written."""
    slave = pair(health="connected")
    ran(slave)
    for _ in range(9):
        ran(slave, AccountState.FAILED, "unpaid", state=RunState.FAILED)
    ran(slave, AccountState.RUNNING, state=RunState.RUNNING, wave=1, wave_held=True)


def frozen() -> None:
    slave = pair(health="connected")
    ran(slave)
    Window.objects.create(group=slave.group, kind="deny", cron="* * * * *", minutes=60)


def paused() -> None:
    until = timezone.now() + timedelta(days=1)
    for number in range(5):
        ran(pair(f"group-{number}", paused=True, paused_until=until))
    SyncGroup.objects.update(paused=True, paused_until=until, pause_reason="moving", watch="apply", drift_hours=24)


def failing() -> None:
    ends = ((AccountState.FAILED, "unpaid"), (AccountState.PARTIAL, ""), (AccountState.REFUSED, "guard"))
    for number, (state, reason) in enumerate(ends):
        ran(pair(f"group-{number}"), state, reason, state=RunState.FAILED)
    late = timezone.now() - timedelta(days=3)
    Schedule.objects.create(group=SyncGroup.objects.all()[0], kind="drift", cron="0 3 * * *", next_at=late)


def drifted() -> None:
    for number in range(5):
        slave = pair(f"group-{number}")
        DriftFactory(account=slave, rows=[difference(f"7/{number}", name=f"Stage {number}")])
        HealedItem.objects.create(account=slave, kind="stage", key="7/1", at=timezone.now(), gave_up=True)


def sent_back() -> None:
    facts = {"sent_back_by": "rui", "sent_back_at": timezone.now(), "sent_back_comment": "Not in December."}
    slave = pair(health="connected")
    ran(slave)
    ran(slave, AccountState.PLANNED, mode=RunMode.PLAN, state=RunState.PLANNED, **facts)


def many_groups() -> None:
    for number in range(20):
        slave = pair(f"branch-{number}")
        ran(slave)
        Window.objects.create(group=slave.group, kind="deny", cron="0 3 1 1 *", minutes=60)
        Schedule.objects.create(group=slave.group, kind="drift", cron="0 3 * * *", next_at=timezone.now())
    SyncGroup.objects.update(watch="apply", drift_hours=24)


def all_at_once() -> None:
    for make in (many_groups, running, drifted):
        make()
    ConnectionCheck.objects.create()
    Account.objects.filter(role="slave").update(health="token_expired")


STATES: tuple[Callable[[], None], ...] = (
    *(empty, a_master_alone, before_the_check, the_master_lost, before_the_first_sync, the_first_sync_failed),
    *(synced, running, frozen, paused, failing, drifted, sent_back, many_groups, all_at_once),
)


@pytest.fixture(params=["root", "in a role"])
def somebody(request: pytest.FixtureRequest, client: Client) -> Client:
    """Somebody who may see everything: by themselves, or by a role, for which Django asks the database more."""
    user = User.objects.create_user("anna", is_staff=True, is_superuser=request.param == "root")
    role = Group.objects.create(name="all")
    role.permissions.set(Permission.objects.all())
    user.groups.add(role)
    client.force_login(user)
    return client


@pytest.mark.parametrize("has_worker", [True, False], ids=["worker", "no worker"])
@pytest.mark.parametrize("make", STATES, ids=lambda make: make.__name__)
def test_no_state_costs_more_queries(
    somebody: Client, make: Callable[[], None], has_worker: bool, django_assert_max_num_queries: Any
) -> None:
    make()
    if has_worker:
        processes.arrive("worker", ProcessKind.WORKER)
    for url in ("/", "/?show=lost&q=a&group=1", reverse("syncing:dashboard_live")):
        with django_assert_max_num_queries(MOST if connection.vendor == "postgresql" else MOST - 1):
            assert somebody.get(url).status_code == 200
