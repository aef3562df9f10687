"""Reads for the page of the automation: of each group what happens by itself, when next, and what hinders it."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from django.db.models import prefetch_related_objects

from accounts.models import SECRETS, Account, SyncGroup, pause_is_on
from syncing.models import AccountRetry, Channel, Schedule, Window
from syncing.selectors.automation import automation_state, sentence
from syncing.selectors.schedules import coming
from syncing.selectors.windows import frozen_groups, openings

MOST = 50  # retries and paused accounts of a group that are listed


@dataclass(frozen=True)
class ListedTimes:
    """A schedule or a window with its next times, in its own zone."""

    row: Schedule | Window
    next_times: list[datetime]


@dataclass(frozen=True)
class GroupAutomation:
    group: SyncGroup
    sentence: str
    frozen_until: datetime | None
    schedules: list[ListedTimes]
    windows: list[ListedTimes]
    channels: list[Channel]
    retries: list[AccountRetry]
    paused: list[Account]


def groups_with_automation() -> list[GroupAutomation]:
    """Returns every group, in a number of queries that does not depend on how many there are."""
    state = automation_state()
    prefetch_related_objects(state.groups, "schedules")
    frozen = frozen_groups(state.groups, state.moment)
    channels = list(Channel.objects.defer("address"))
    hidden = [f"account__{name}" for name in SECRETS]
    retries = defaultdict(list)
    for retry in AccountRetry.objects.select_related("account").defer(*hidden).order_by("due_at"):
        retries[retry.account.group_id].append(retry)
    paused = defaultdict(list)
    for account in Account.objects.filter(pause_is_on()).defer(*SECRETS).order_by("subdomain"):
        paused[account.group_id].append(account)
    return [
        GroupAutomation(
            group=group,
            sentence=sentence(group, state),
            frozen_until=frozen.get(group.pk),
            schedules=[ListedTimes(each, coming(each)) for each in group.schedules.all()],
            windows=[ListedTimes(each, openings(each)) for each in group.windows.all()],
            channels=[each for each in channels if each.group_id in (None, group.pk)],
            retries=retries[group.pk][:MOST],
            paused=paused[group.pk][:MOST],
        )
        for group in state.groups
    ]
