"""Times at which nothing of a run may be worked: its rest in an outage, and its pause between two waves."""

from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now

from accounts import clock
from syncing.models import RunState, SyncRun

MINUTE = timedelta(minutes=1)
LONGEST = 15  # minutes


def rest_is_over() -> Q:
    """Returns the condition of account runs whose run does not rest."""
    return Q(run__rests_until=None) | Q(run__rests_until__lte=clock.now())


def is_resting(run: SyncRun) -> bool:
    """Tells whether the run rests in an outage now."""
    is_ahead = run.rests_until is not None and run.rests_until > clock.now()
    return is_ahead and run.state == RunState.RUNNING and not run.cancel_requested_at


def rest_length(number: int) -> timedelta:
    """Returns the length of the first, second, ... rest of a run."""
    return min(LONGEST, int(2 ** (number - 1))) * MINUTE


def between_waves() -> Q:
    """Returns the condition of runs between two waves: nothing runs until somebody continues or the pause ends."""
    return Q(Q(wave_held=True) | Q(wave_due_at__gt=Now()), state=RunState.RUNNING)
