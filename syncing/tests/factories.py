"""Runs, account runs and drift for tests."""

from typing import Any

import factory
from django.utils import timezone

from accounts.actors import Actor
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import AccountRun, AccountState, Drift, MasterSnapshot, RunState, SyncRun, Trigger
from syncing.records.drift import columns_of

API = Actor("REST API", Trigger.API)  # a key, for tests that do not ask whose


EMPTY: dict[str, Any] = {"pipelines": [], "groups": [], "fields": []}  # a master without anything


class RunFactory(factory.django.DjangoModelFactory[SyncRun]):
    """A finished, successful run of the usual group, without accounts."""

    class Meta:
        model = SyncRun

    group = factory.SubFactory(GroupFactory)
    trigger = Trigger.ADMIN
    state = RunState.SUCCEEDED


class AccountRunFactory(factory.django.DjangoModelFactory[AccountRun]):
    """An account that was in sync, in a run of its own group."""

    class Meta:
        model = AccountRun

    account = factory.SubFactory(AccountFactory)
    run = factory.SubFactory(RunFactory, group=factory.SelfAttribute("..account.group"))
    state = AccountState.IN_SYNC


def difference(key: str = "7/71", **facts: Any) -> dict[str, Any]:
    """A row as a run tells it: the stage Offer has another colour, and somebody edited it in the slave."""
    usual = {"action": "update", "kind": "stage", "key": key, "slave_key": "9/91", "name": "Offer", "parent": "Sales"}
    values = {"attribute": "color", "ours": "#fffeb2", "theirs": "#ff8f92", "cause": "slave"}
    return {**usual, **values, **facts}


def missing(key: str = "leads/12", **facts: Any) -> dict[str, Any]:
    """A field of the master that the slave lacks."""
    usual = {"action": "create", "kind": "custom_field", "slave_key": "", "name": "Budget", "parent": "leads"}
    return difference(key, **{**usual, "attribute": "", "ours": "Budget", "theirs": None, "cause": "master"} | facts)


def extra(key: str = "=old", **facts: Any) -> dict[str, Any]:
    """A pipeline that only the slave has."""
    usual = {"action": "extra", "kind": "pipeline", "slave_key": "99", "name": "Old", "parent": ""}
    return difference(key, **{**usual, "attribute": "", "ours": None, "theirs": "Old"} | facts)


class DriftFactory(factory.django.DjangoModelFactory[Drift]):
    """A slave that somebody edited; `rows` are its differences."""

    class Meta:
        model = Drift

    account = factory.SubFactory(AccountFactory)
    checked_at = factory.LazyFunction(timezone.now)

    @classmethod
    def _create(cls, model_class: type[Drift], *args: Any, **facts: Any) -> Drift:
        rows = facts.pop("rows", [difference()])
        moment = timezone.now().isoformat()
        columns = columns_of([{"first_seen": moment, **row} for row in rows])
        return super()._create(model_class, *args, **columns | facts)


class EqualDriftFactory(DriftFactory):
    """A slave that a run has just found equal to the newest master of its group."""

    @classmethod
    def _create(cls, model_class: type[Drift], *args: Any, **facts: Any) -> Drift:
        group = facts["account"].group
        master = MasterSnapshot.objects.filter(group=group).order_by("-pk").first()
        master = master or MasterSnapshot.objects.create(group=group, type="full", document=EMPTY, fingerprint="-")
        bases = {"base_pipelines": master, "base_fields": master, "run": RunFactory(group=group, snapshot=master)}
        known = {"rows": [], "converged_at": facts["checked_at"], **bases}
        return super()._create(model_class, *args, **known | facts)
