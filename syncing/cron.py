"""Times that come again and again, as cron expressions in a time zone.

The calculation is cronsim's, which does as Debian's cron in the nights when clocks change: a job at a time that does
not exist runs right after the gap, one at a time that comes twice runs once; jobs every so many minutes or hours keep
their distance.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import dropwhile, islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

FIELDS = 5
LONGEST_CHANGE = timedelta(hours=3)  # no clock is set by more (Antarctica/Troll: by two)


def validate_cron(expression: str) -> None:
    """Raises ValidationError for an expression that cannot be read, or whose time never comes."""
    if len(expression.split()) != FIELDS:
        raise ValidationError(
            _("%(value)s is not a cron expression. It has five parts, as in 0 3 * * *."), params={"value": expression}
        )
    try:
        next(CronSim(expression, datetime.now(UTC)))
    except CronSimError as error:
        message = _("%(value)s is not a cron expression (%(error)s). Write it as in 0 3 * * *.")
        raise ValidationError(message, params={"value": expression, "error": error}) from error
    except StopIteration:
        raise ValidationError(_("The time %(value)s never comes."), params={"value": expression}) from None


def times_after(expression: str, zone: str, moment: datetime) -> Iterator[datetime]:
    """Yields the times after `moment`, in UTC."""
    moment = moment.astimezone(UTC)  # arithmetic in a zone counts on the wall
    times = _in_utc(CronSim(expression, moment.astimezone(ZoneInfo(zone))))
    # In the hour that comes twice the calculation begins with the first one, also for a moment in the second.
    return dropwhile(lambda time: time <= moment, times)


def next_times(expression: str, zone: str, moment: datetime, count: int = 3) -> list[datetime]:
    """Returns the first times after `moment`, in the zone, to be shown; none of what was put into a row by hand."""
    try:
        return [time.astimezone(ZoneInfo(zone)) for time in islice(times_after(expression, zone, moment), count)]
    except (CronSimError, ZoneInfoNotFoundError, ValueError):
        return []


def times_until(expression: str, zone: str, moment: datetime) -> Iterator[datetime]:
    """Yields the times before `moment`, the latest first, in UTC; `moment` itself is not among them."""
    moment = moment.astimezone(UTC)
    local = moment.astimezone(ZoneInfo(zone))
    if local.fold:  # the second time of an hour: the first one is looked through, too
        local = (moment + LONGEST_CHANGE).astimezone(ZoneInfo(zone))
    return dropwhile(lambda time: time >= moment, _in_utc(CronSim(expression, local, reverse=True)))


def _in_utc(times: Iterable[datetime]) -> Iterator[datetime]:
    return (time.astimezone(UTC) for time in times)
