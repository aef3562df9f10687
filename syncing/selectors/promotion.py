"""What of a slave could be brought to its master: what only it has, and what somebody changed in it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from accounts.models import Account
from syncing.engine.candidates import normal_name
from syncing.engine.promotion import ATTRIBUTES, POSITION
from syncing.engine.refs import Kind
from syncing.selectors.drift import ListedDifference, differences_of, drift_of

OWN = ("extra", "delete")  # only the slave has it; whether the policy deletes it there or not
EDITED = ("slave", "both")
PICK = ("kind", "slave_key", "attribute")


@dataclass(frozen=True)
class PromotionCandidate:
    """One row of the slave's drift that can be picked."""

    difference: ListedDifference

    @property
    def value(self) -> str:
        """As a form or a command names it; unlike names, these never fit two."""
        return "|".join(getattr(self.difference, name) for name in PICK)

    @property
    def pick(self) -> dict[str, str]:
        return {name: getattr(self.difference, name) for name in PICK}

    @property
    def is_new(self) -> bool:
        return self.difference.action in OWN


def candidates(account: Account, text: str = "") -> list[PromotionCandidate]:
    """What of the account's drift can be promoted, as it was last seen; those that mention `text`."""
    return [PromotionCandidate(row) for row in differences_of(drift_of(account), text) if is_promotable(row)]


def is_promotable(row: ListedDifference) -> bool:
    """What only the slave has, or what somebody edited there, as far as a master can be given it."""
    if row.action in OWN:
        return bool(row.slave_key)
    edited = row.action == "update" and row.cause in EDITED and bool(row.slave_key)
    return edited and row.attribute != POSITION and row.attribute in ATTRIBUTES[Kind(row.kind)]


def chosen(found: Iterable[PromotionCandidate], values: Iterable[str]) -> list[PromotionCandidate]:
    """Those of the candidates that a form ticked."""
    ticked = set(values)
    return [candidate for candidate in found if candidate.value in ticked]


def keys_called(found: Iterable[PromotionCandidate], kind: str, name: str) -> list[str]:
    """The keys of candidates of this kind and name (or key); in front of the name may stand its parent and a slash.

    Exactly that name; only where nothing has it, names that differ in case or spaces.
    """
    rows = [row for candidate in found if (row := candidate.difference).kind == kind]
    exact = [row for row in rows if name in (row.slave_key, row.name, f"{row.parent}/{row.name}")]
    wanted = normal_name(name)
    alike = (row for row in rows if wanted in (normal_name(row.name), normal_name(f"{row.parent}/{row.name}")))
    return list(dict.fromkeys(row.slave_key for row in exact or alike))


def names_of(account: Account, picked: Iterable[Mapping[str, Any]]) -> list[str]:
    """How people call what was picked; its key where the drift does not tell (any more)."""
    names = {(row.kind, row.slave_key): row.name for row in differences_of(drift_of(account))}
    return [_called(names.get((item["kind"], item["slave_key"]), item["slave_key"]), item) for item in picked]


def _called(name: str, item: Mapping[str, Any]) -> str:
    attribute = f": {item['attribute']}" if item.get("attribute") else ""
    return f"{item['kind']} {name}{attribute}"
