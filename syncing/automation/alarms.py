"""Alarms: what lasts until somebody sees to it, told when it begins, changes and ends.

Nothing is stored of them here: what is bad is read anew, and compared with what each channel knows. So nothing is lost
by a process that dies, and a channel that is added learns what is bad already.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.utils import translation

from accounts.clock import now
from accounts.models import HEALTH_NEEDS_CONNECTING, IS_OAUTH, Account, SyncGroup
from accounts.services.upkeep.expiry_warnings import THRESHOLDS
from syncing.error_boundary import survived
from syncing.leases import processes
from syncing.models import AccountRun, AccountState, Channel, Event, IpBlock, ProcessKind
from syncing.notifications import notices
from syncing.selectors.automation import automation_state
from syncing.selectors.automation import overdue as what_is_overdue

QUIET = timedelta(seconds=20)  # since an account of the group was asked
FIRST_LOOKS = timedelta(minutes=2)  # that a worker has to catch up with what was missed
DAY_BEGINS = timedelta(hours=8)  # nobody is told at night that something ends in thirty days

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
    """What is bad in a group (None: everywhere), by subject with its reason, and what its message says besides.

    Of the subjects `unseen` nobody knows whether they are well: who was bad stays so.
    """

    group: SyncGroup | None
    bad: Mapping[str, str]
    unseen: Collection[str] = ()
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
                raised += notices.stays_bad(event, alarm.group, alarm.bad, unseen=alarm.unseen, **alarm.facts)
    return raised


def _unwell() -> Iterator[Alarm]:
    """Finds accounts that need a person, of groups whose accounts nobody is asking just now: else each look would find
    some more of those that a run or a check is about to find, and a hundred of them are to be one message.
    """
    moment = now()
    asked = Q(role=Account.Role.SLAVE, checked_at__range=(moment - QUIET, moment))
    worked = Q(pk__in=AccountRun.objects.filter(state=AccountState.RUNNING).values("account"))
    busy = set(Account.objects.filter(asked | worked).order_by().values_list("group", flat=True).distinct())
    bad: dict[int, dict[str, str]] = defaultdict(dict)
    unseen: dict[int, list[str]] = defaultdict(list)
    rows = Account.objects.exclude(health=Health.CONNECTED).order_by("pk").values_list("group", "pk", "health")
    for group, account, health in rows:
        if health in NEEDS_PERSON:
            bad[group][str(account)] = health
        else:  # a token that was stored and not tried yet, say
            unseen[group].append(str(account))
    for each in SyncGroup.objects.exclude(pk__in=busy):
        yield Alarm(each, bad[each.pk], unseen[each.pk])


def _ending() -> Iterator[Alarm]:
    """Finds connections near their end; the reason is the threshold that they have passed, in days.

    Days are counted by the calendar, and a new one begins at 08:00: so tokens that were made one after the other are
    one message. One that has ended, or is refused, is not well for that.
    """
    moment = now()
    for group in SyncGroup.objects.all():
        zone = ZoneInfo(group.time_zone)
        today = (moment.astimezone(zone) - DAY_BEGINS).date()
        bad, ends, unseen = {}, {}, []
        for pk, end, health in _limited(group):
            days = (end.astimezone(zone).date() - today).days
            if end <= moment or health in HEALTH_NEEDS_CONNECTING:
                unseen.append(str(pk))
            elif days <= max(THRESHOLDS):
                bad[str(pk)] = str(next(each for each in THRESHOLDS if days <= each))
                ends[str(pk)] = end.isoformat()
        yield Alarm(group, bad, unseen, {"ends": ends})


def _limited(group: SyncGroup) -> Iterable[tuple[int, datetime, str]]:
    """Returns the accounts whose connection ends by itself: long-lived tokens, and pairs that could not be renewed."""
    accounts = Account.objects.filter(~IS_OAUTH | Q(pair__failure__isnull=False), group=group)
    rows = accounts.order_by("pk").values_list("pk", "token_expires_at", "health")
    return [(pk, end, health) for pk, end, health in rows if end is not None]


def _overdue() -> Iterator[Alarm]:
    """Finds what did not happen in time; not that no worker lives, as it is a worker that asks.

    When workers come back, what was missed is late only until they have looked.
    """
    state = automation_state()
    workers = processes.living(state.moment).exclude(kind=ProcessKind.FOREGROUND)
    if not workers.filter(started_at__lte=state.moment - FIRST_LOOKS).exists():
        return
    bad: dict[str, dict[str, str]] = defaultdict(dict)
    for trouble in what_is_overdue(state):
        if trouble.group:
            bad[trouble.group][trouble.subject] = trouble.code
    texts: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for language in sorted(set(Channel.objects.filter(enabled=True).values_list("language", flat=True))) if bad else ():
        with translation.override(language):
            for trouble in what_is_overdue(state):
                texts[trouble.group].setdefault(language, {})[trouble.subject] = str(trouble)
    yield from (Alarm(group, bad[group.name], facts={"texts": texts[group.name]}) for group in state.groups)


def _blocked() -> Iterator[Alarm]:
    """Finds that Kommo has blocked our address and that no account has been answered since."""
    block = IpBlock.objects.first()
    if block is None:
        return
    is_over = Account.objects.filter(health=Health.CONNECTED, checked_at__gt=block.at).exists()
    yield Alarm(None, {} if is_over else {"ip": "ip_blocked"}, facts={"at": block.at.isoformat()})


READERS: Mapping[str, Callable[[], Iterator[Alarm]]] = {
    Event.ACCOUNT_NEEDS_PERSON: _unwell,
    Event.TOKEN_ENDS: _ending,
    Event.OVERDUE: _overdue,
    Event.IP_BLOCKED: _blocked,
}
