"""What the overlays of all kinds write down: what the plan will be about, and what is new in it."""

from collections.abc import Iterable

from syncing.engine.match import Match
from syncing.engine.refs import Ref

WHOLE_ITEM: frozenset[str] = frozenset()
PREDEFINED = "Kommo makes it itself in every account."
UNKNOWN = "it has no such attribute."


class OverlayResult:
    """`found`: the slave's item under its own key -> the master's key."""

    def __init__(self, found: Match) -> None:
        self.found = found
        self.only: dict[Ref, frozenset[str]] = {}
        self.origins: dict[Ref, str] = {}
        self.remarks: list[str] = []

    def is_new(self, ref: Ref, own_key: str) -> None:
        self.only[ref] = WHOLE_ITEM
        self.origins[ref] = own_key

    def is_changed(self, ref: Ref, attributes: Iterable[str]) -> None:
        """Of what is new, all is brought anyway."""
        if ref not in self.origins:
            self.only[ref] = self.only.get(ref, frozenset()) | frozenset(attributes)
