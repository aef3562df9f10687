"""Alarms: what lasts until somebody sees to it, told when it begins, changes and ends.

Nothing is stored of them here: what is bad is read anew, and compared with what each channel knows. So nothing is lost
by a process that dies, and a channel that is added learns what is bad already.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.utils import translation

from accounts import expiry
from accounts.clock import now
from accounts.models import HEALTH_NEEDS_CONNECTING, IS_OAUTH, SECRETS, Account, SyncGroup
from accounts.services.upkeep.expiry_warnings import THRESHOLDS
from syncing.error_boundary import survived
from syncing.models import AccountRun, AccountState, Channel, Event, IpBlock
from syncing.notifications import notices
from syncing.selectors.automation import automation_state
from syncing.selectors.automation import overdue as what_is_overdue

QUIET = timedelta(seconds=20)  # since an account of the group was asked

Health = Account.Health
# Only a person can end these; that no token was ever stored is no news, and what passes by itself needs nobody.
NEEDS_PERSON = (
    *(health for health in HEALTH_NEEDS_CONNECTING if health != Health.NO_TOKEN),
    Health.WRONG_ACCOUNT,
    Health.NOT_ADMIN,
    Health.UNPAID,
    Health.NOT_FOUND,
    Health.IP_NOT_ALLOWED,
)


@dataclass(frozen=True)
class Alarm:
    """What is bad in a group (None: everywhere), by subject with its reason, and what its message says besides."""

    group: SyncGroup | None
    bad: Mapping[str, str]
    facts: Mapping[str, Any] = field(default_factory=dict)


def raise_alarms() -> int:
    """Tells what is bad now where some channel knows it otherwise; returns how much. May run anywhere, at once too."""
    channels = list(Channel.objects.filter(enabled=True))
    raised = 0
    for event, read in READERS.items():
        if not any(event in channel.events for channel in channels):
            continue
        with survived(f"the alarms of {event}"):
            for alarm in read():
                raised += notices.stays_bad(event, alarm.group, alarm.bad, **alarm.facts)
    return raised


def _unwell() -> Iterator[Alarm]:
    """Finds accounts that need a person, of groups whose accounts nobody is asking just now: else each look would find
    some more of those that a run or a check is about to find, and a hundred of them are to be one message.
    """
    moment = now()
    asked = Q(role=Account.Role.SLAVE, checked_at__range=(moment - QUIET, moment))
    worked = Q(pk__in=AccountRun.objects.filter(state=AccountState.RUNNING).values("account"))
    busy = set(Account.objects.filter(asked | worked).order_by().values_list("group", flat=True).distinct())
    by_group: dict[int, dict[str, str]] = defaultdict(dict)
    rows = Account.objects.filter(health__in=NEEDS_PERSON).order_by("pk").values_list("group", "pk", "health")
    for group, account, health in rows:
        by_group[group][str(account)] = health
    yield from (Alarm(group, by_group[group.pk]) for group in SyncGroup.objects.exclude(pk__in=busy))


def _ending() -> Iterator[Alarm]:
    """Finds connections near their end; the reason is the threshold that they have passed, in days."""
    moment = now()
    stuck = Q(pair__failure__isnull=False, pair__ended_at=None)
    near = Account.objects.filter(expiry.expiring(moment), ~IS_OAUTH | stuck).defer(*SECRETS).order_by("pk")
    bad: dict[int, dict[str, str]] = defaultdict(dict)
    ends: dict[int, dict[str, str]] = defaultdict(dict)
    for account in near:
        days = expiry.days_of(account, moment)
        bad[account.group_id][str(account.pk)] = str(next(each for each in THRESHOLDS if days <= each))
        if account.token_expires_at:
            ends[account.group_id][str(account.pk)] = account.token_expires_at.isoformat()
    for group in SyncGroup.objects.all():
        yield Alarm(group, bad[group.pk], {"ends": ends[group.pk]})


def _overdue() -> Iterator[Alarm]:
    """Finds what did not happen in time; not that no worker lives, as it is a worker that asks."""
    state = automation_state()
    bad: dict[str, dict[str, str]] = defaultdict(dict)
    for trouble in what_is_overdue(state):
        if trouble.group:
            bad[trouble.group][trouble.subject] = trouble.code
    texts: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for language in sorted(set(Channel.objects.filter(enabled=True).values_list("language", flat=True))) if bad else ():
        with translation.override(language):
            for trouble in what_is_overdue(state):
                texts[trouble.group].setdefault(language, {})[trouble.subject] = str(trouble)
    yield from (Alarm(group, bad[group.name], {"texts": texts[group.name]}) for group in state.groups)


def _blocked() -> Iterator[Alarm]:
    """Finds that Kommo has blocked our address and that no account has been answered since."""
    block = IpBlock.objects.first()
    if block is None:
        return
    is_over = Account.objects.filter(health=Health.CONNECTED, checked_at__gt=block.at).exists()
    yield Alarm(None, {} if is_over else {"ip": "ip_blocked"}, {"at": block.at.isoformat()})


READERS: Mapping[str, Callable[[], Iterator[Alarm]]] = {
    Event.ACCOUNT_NEEDS_PERSON: _unwell,
    Event.TOKEN_ENDS: _ending,
    Event.OVERDUE: _overdue,
    Event.IP_BLOCKED: _blocked,
}
