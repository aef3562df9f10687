"""Reads of conformity day by day: how many slaves equalled their master in the last weeks."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Self

from django.db.models import Sum

from accounts.models import Account
from syncing.models import ConformityDay, Standing

DAYS = 30
WIDTH, GAP, HEIGHT = 20, 4, 100  # of a bar, and between two, in the units of the drawing


@dataclass(frozen=True)
class DayBar:
    """One day as a bar with its left edge `x`: from the bottom those equal, those that differ, the others."""

    day: date
    x: int
    equal: int
    differ: int
    unknown: int

    @property
    def total(self) -> int:
        return self.equal + self.differ + self.unknown

    @property
    def percent(self) -> int:
        """Returns the share of equal slaves, rounded down: 100 is all of them."""
        return 100 * self.equal // self.total if self.total else 0

    @property
    def equal_height(self) -> float:
        return self._height(self.equal)

    @property
    def differ_height(self) -> float:
        return self._height(self.differ)

    @property
    def unknown_height(self) -> float:
        return self._height(self.unknown)

    @property
    def equal_top(self) -> float:
        return HEIGHT - self.equal_height

    @property
    def differ_top(self) -> float:
        return round(self.equal_top - self.differ_height, 1)

    def _height(self, number: int) -> float:
        return round(HEIGHT * number / self.total, 1) if self.total else 0


@dataclass(frozen=True)
class ConformityHistory:
    """The days that were counted, the oldest first; today as it is now."""

    bars: Sequence[DayBar]

    @property
    def width(self) -> int:
        return DAYS * (WIDTH + GAP) - GAP

    @property
    def first(self) -> DayBar:
        return self.bars[0]

    @property
    def last(self) -> DayBar:
        return self.bars[-1]

    @classmethod
    def of(cls, rows: Sequence[tuple[date, int, int, int]], today: date) -> Self:
        begin = today - timedelta(days=DAYS - 1)
        return cls(
            [
                DayBar(day, (day - begin).days * (WIDTH + GAP), equal, known - equal, total - known)
                for day, equal, known, total in rows
                if total and 0 <= (day - begin).days < DAYS
            ]
        )


def conformity_history(today: date, accounts: Iterable[Any], group: int | None = None) -> ConformityHistory:
    """Returns the last 30 days of a group (None: of all together); today by `accounts`, which have their standing."""
    days = ConformityDay.objects.filter(day__gt=today - timedelta(days=DAYS), day__lt=today)
    if group is not None:
        days = days.filter(group=group)
    sums = days.order_by("day").values_list("day").annotate(e=Sum("equal"), k=Sum("known"), t=Sum("total"))
    slaves = (each for each in accounts if each.role == Account.Role.SLAVE and group in (None, each.group_id))
    numbers = Counter(each.standing for each in slaves)
    known = numbers.total() - numbers[Standing.NOT_KNOWN] - numbers[Standing.NEVER]
    return ConformityHistory.of([*sums, (today, numbers[Standing.IN_SYNC], known, numbers.total())], today)
