"""Reads of the watchers: what each last saw, and whether it is overdue."""

from datetime import datetime
from typing import Any

from accounts.models import SyncGroup, WatchMode
from syncing.models import Watch, WatchState

SAYS_MORE = (WatchState.UNREADABLE, WatchState.PAUSED)  # than that it is overdue


def is_overdue(watch: Watch | None, moment: datetime) -> bool:
    """Tells whether the master of a watched group should have been looked at by `moment`, with success, and was not."""
    if watch is None or watch.due_at is None or watch.group.watch == WatchMode.OFF or watch.group.is_paused_at(moment):
        return False
    return watch.state not in (WatchState.OFF, WatchState.PAUSED) and moment > watch.due_at


def state_shown(group: SyncGroup, watch: Watch | None, moment: datetime) -> str:
    """Returns the state of a group's watcher as people and programs see it."""
    if group.watch == WatchMode.OFF:
        return WatchState.OFF
    if watch is None or watch.state == WatchState.OFF:
        return WatchState.IDLE  # it was just switched on
    if is_overdue(watch, moment) and watch.state not in SAYS_MORE:
        return WatchState.OVERDUE
    return watch.state


def watch_document(group: SyncGroup, watch: Watch | None, moment: datetime) -> dict[str, Any]:
    """Returns the `watch` of a group in `GET /api/sync/status`; `watch`: its row, with its group, None if it has none.

    While it is off there is no next look, and nothing is overdue.
    """
    is_on = group.watch != WatchMode.OFF
    return {
        "mode": group.watch,
        "state": str(state_shown(group, watch, moment)),
        "last_look": watch.last_look if watch else None,
        "last_change": watch.last_change if watch else None,
        "next_look": watch.next_look if watch and is_on else None,
        "overdue": is_overdue(watch, moment),
    }
