"""Why a run that nobody has begun may not begin yet, even if no other run is before it. It lets others pass."""

from syncing.models import SyncRun
from syncing.services.runs import joining


def why_held(run: SyncRun) -> str:
    """Returns what the run waits for, as a sentence for its note; "" when it may begin, or was begun."""
    return "" if run.fence else joining.why_it_waits(run)
