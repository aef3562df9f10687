"""Windows: whether a group's accounts may be written to at a moment, and when they may again."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.models import SyncGroup
from syncing.cron import times_after, times_until
from syncing.models import Window, WindowKind

NEVER = datetime(9999, 1, 1, tzinfo=UTC)  # the end of a freeze that does not end
FORESEEN = timedelta(days=400)  # windows that leave no gap for so long never will
MOST_JOINED = 45_000  # more windows in a row, without a gap, have no end (every minute: a month)
TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class Opening:
    """A window as it is calculated with: it opens at its cron times, for so many elapsed minutes."""

    is_deny: bool
    cron: str
    zone: str
    length: timedelta

    @classmethod
    def of(cls, window: Window, group: SyncGroup) -> "Opening":
        zone = window.time_zone or group.time_zone
        return cls(window.kind == WindowKind.DENY, window.cron, zone, timedelta(minutes=window.minutes))

    def opened_at(self, moment: datetime) -> datetime | None:
        """Returns when the window opened that is open at `moment`, if one is."""
        began = next(times_until(self.cron, self.zone, moment + TICK), None)
        return began if began and began + self.length > moment else None

    def end_at(self, moment: datetime) -> datetime | None:
        """Returns when the window closes that is open at `moment`, if one is; NEVER, if it always opens again first."""
        began = self.opened_at(moment)
        if began is None:
            return None
        for joined, time in enumerate(times_after(self.cron, self.zone, began)):
            if time > began + self.length:
                return began + self.length
            if joined == MOST_JOINED or time > moment + FORESEEN:
                return NEVER
            began = time
        return began + self.length

    def next_after(self, moment: datetime) -> datetime:
        return next(times_after(self.cron, self.zone, moment), NEVER)


def frozen_until(group: SyncGroup, moment: datetime) -> datetime | None:
    """Returns when the group may be written to again; None if it may at `moment`, NEVER if it will not.

    Deny wins over allow. With allow windows, every time outside them is frozen. Windows that overlap or touch are one.
    """
    openings = frozenset(Opening.of(window, group) for window in group.windows.all())
    return end_of_freeze(openings, moment) if openings else None


def end_of_freeze(openings: Iterable[Opening], moment: datetime) -> datetime | None:
    """Returns the same for windows that need not be stored."""
    # Windows open and close on whole minutes, so all moments of a minute have the same answer.
    return _end_of_freeze(frozenset(openings), moment.astimezone(UTC).replace(second=0, microsecond=0))


@lru_cache(maxsize=256)
def _end_of_freeze(openings: frozenset[Opening], minute: datetime) -> datetime | None:
    end, joined = minute, 0
    while later := _closed_until(openings, end):
        if later >= NEVER or end > minute + FORESEEN:
            return NEVER
        end, joined = later, joined + 1
    return end if joined else None


def _closed_until(openings: frozenset[Opening], moment: datetime) -> datetime | None:
    """Returns when what forbids writing at `moment` ends; another window may forbid it from then on."""
    denied = [end for each in openings if each.is_deny and (end := each.end_at(moment))]
    if denied:
        return max(denied)
    allowed = [each for each in openings if not each.is_deny]
    if not allowed or any(each.opened_at(moment) for each in allowed):
        return None
    return min(each.next_after(moment) for each in allowed)


def until_when(group: SyncGroup, end: datetime) -> str:
    """Returns "until" with a time in the group's zone, to be put into a sentence."""
    if end >= NEVER:
        return _("until somebody removes or changes a window")
    return _("until %(time)s") % {"time": shown_time(end, group.time_zone)}


def shown_time(moment: datetime, zone: str) -> str:
    """Returns a moment as a clock on the wall of the zone shows it, with the name of the zone."""
    return f"{date_format(moment.astimezone(ZoneInfo(zone)), 'DATETIME_FORMAT')} ({zone})"
