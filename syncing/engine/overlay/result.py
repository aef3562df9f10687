"""Overlay result: what the overlays of all kinds have brought, so what the plan is about and what is new in it."""

from collections.abc import Iterable

from syncing.engine.match import Match
from syncing.engine.refs import Ref
from syncing.engine.rules import WHOLE_ITEM
from syncing.engine.sentences import gettext_noop

PREDEFINED = gettext_noop("Kommo creates it itself in every account.")
UNKNOWN = gettext_noop("it has no such attribute.")


class OverlayResult:
    """`matched`: the slave's item under its own key -> the master's key. The rest as in `engine.promotion.Proposal`."""

    def __init__(self, matched: Match) -> None:
        self.matched = matched
        self.only: dict[Ref, frozenset[str]] = {}
        self.origins: dict[Ref, str] = {}
        self.remarks: list[str] = []

    def add_new(self, ref: Ref, own_key: str) -> None:
        self.only[ref] = WHOLE_ITEM
        self.origins[ref] = own_key

    def add_changed(self, ref: Ref, attributes: Iterable[str]) -> None:
        """Adds attributes of an item; a new one comes with all of them anyway."""
        if ref not in self.origins:
            self.only[ref] = self.only.get(ref, frozenset()) | frozenset(attributes)
