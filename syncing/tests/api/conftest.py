"""A group in which something of everything is there, and keys for each scope."""

import pytest

from accounts.models import Account
from accounts.tests.factories import AccountFactory
from syncing.models import (
    AcceptedDifference,
    AccountState,
    Channel,
    Exclusion,
    IdMapping,
    RunMode,
    RunState,
    Schedule,
    SyncRun,
    Watch,
    Window,
)
from syncing.services.keys import create_key
from syncing.tests.factories import AccountRunFactory, DriftFactory, RunFactory, difference, extra

NIGHT = {"kind": "drift", "cron": "0 3 * * *"}
WEEKEND = {"kind": "deny", "cron": "0 18 * * 5", "minutes": 3720}
ITEM = {"kind": "stage", "name": "Offer", "parent": "Sales"}
FIELDS = {"color": ["#ff8f92", "#fffeb2"], "sort": [None, 10]}
DOCUMENT = {
    "changes": [{"action": "update", **ITEM, "outcome": "planned", "fields": FIELDS}],
    "extras": [ITEM, {**ITEM, "message": "3 leads"}],
    "conflicts": [{**ITEM, "message": "Two of that name."}],
    "manual": [{**ITEM, "message": "By hand."}],
}


def planned_run(account: Account) -> SyncRun:
    run = RunFactory(group=account.group, state=RunState.PLANNED, mode=RunMode.PLAN)
    plan = {"document": DOCUMENT, "plan_digest": "d", "content_digest": "c", "updated": 1}
    AccountRunFactory(run=run, account=account, state=AccountState.PLANNED, **plan)
    return run


def something_of_everything() -> dict[str, int]:
    """The ids of a planned run, a schedule and a window, in a group in which something differs."""
    cast = AccountFactory.cast()
    group, north = cast["north"].group, cast["north"]
    run = planned_run(north)
    DriftFactory(account=north, rows=[difference(), extra()])
    IdMapping.objects.create(
        account=north, kind="stage", master_key="7/142", slave_key="70/142", name="Offer", parent="S"
    )
    AcceptedDifference.objects.create(account=north, kind="stage", key="7/72", reason="So.")
    Exclusion.objects.create(account=north, kind="pipeline", name="Events")
    Watch.objects.create(group=group, state="idle")
    Channel.objects.create(name="Ops", kind="email", address="ops@example.com", events=["run_failed"])
    schedule = Schedule.objects.create(group=group, **NIGHT)
    window = Window.objects.create(group=group, **WEEKEND)
    return {"run": run.pk, "schedule": schedule.pk, "window": window.pk}


@pytest.fixture
def numbers(db: None) -> dict[str, int]:
    return something_of_everything()


@pytest.fixture
def keys(db: None) -> dict[str, dict[str, str]]:
    """The headers by scope."""
    scopes = ("read", "trigger", "approve", "promote")
    return {each: {"Authorization": f"Bearer {create_key(name=each, scopes=[each])[1]}"} for each in scopes}
