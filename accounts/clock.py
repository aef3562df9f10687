"""The clock of leases and slots, and the times that are left in the rows when it was set back.

Every stored time has a longest distance from the moment it is written at. What is further ahead was written by a clock
that has been set back since: it says nothing, and is never waited for.
"""

from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q
from django.utils import timezone


def now() -> datetime:
    """Returns the database's time: machines with different clocks agree on leases (SQLite: the same machine)."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment


SLACK = timedelta(seconds=1)  # a clock that is kept right is moved by less


def beyond(column: str, moment: datetime, longest: timedelta = timedelta(0)) -> Q:
    """Returns the condition that `column` is further ahead than `longest`, the most that can have been written."""
    return Q(**{f"{column}__gt": moment + longest + SLACK})
