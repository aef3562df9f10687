"""Runs and account runs for tests."""

import factory

from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import AccountRun, AccountState, RunState, SyncRun, Trigger


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
