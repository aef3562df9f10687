"""Differences of a slave that could be brought to its master: what only it has, what somebody changed in it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from accounts.models import Account
from syncing.engine.candidates import normal_name
from syncing.engine.promotion import ATTRIBUTES, POSITION
from syncing.engine.refs import Kind
from syncing.selectors.drift import EDIT_CAUSES, ListedDifference, differences_of, drift_of

OWN = ("extra", "delete")  # only the slave has it; whether the policy deletes it there or not
PICK = ("kind", "slave_key", "attribute")


@dataclass(frozen=True)
class PromotionCandidate:
    """One row of the slave's drift that can be picked."""

    difference: ListedDifference

    @property
    def value(self) -> str:
        """Returns the text by which a form or a command picks it; unlike names, it never fits two."""
        return "|".join(getattr(self.difference, name) for name in PICK)

    @property
    def pick(self) -> dict[str, str]:
        return {name: getattr(self.difference, name) for name in PICK}

    @property
    def is_new(self) -> bool:
        return self.difference.action in OWN


def candidates(account: Account, text: str = "") -> list[PromotionCandidate]:
    """Returns the differences that can be promoted and mention `text`, as they were last seen."""
    return [PromotionCandidate(row) for row in differences_of(drift_of(account), text) if is_promotable(row)]


def is_promotable(row: ListedDifference) -> bool:
    """Tells if only the slave has it, or somebody edited it there, and a master can be given it."""
    if row.action in OWN:
        return bool(row.slave_key)
    edited = row.action == "update" and row.cause in EDIT_CAUSES and bool(row.slave_key)
    return edited and row.attribute != POSITION and row.attribute in ATTRIBUTES[Kind(row.kind)]


def chosen(offered: Iterable[PromotionCandidate], values: Iterable[str]) -> list[PromotionCandidate]:
    """Returns those of the candidates whose values a form ticked."""
    ticked = set(values)
    return [candidate for candidate in offered if candidate.value in ticked]


def keys_called(offered: Iterable[PromotionCandidate], kind: str, name: str) -> list[str]:
    """Returns the keys of candidates of a kind and name (or key); before the name may stand its parent and a slash.

    Names that differ in case or spaces count only where nothing has exactly that name.
    """
    rows = [row for candidate in offered if (row := candidate.difference).kind == kind]
    exact = [row for row in rows if name in (row.slave_key, row.name, f"{row.parent}/{row.name}")]
    wanted = normal_name(name)
    alike = (row for row in rows if wanted in (normal_name(row.name), normal_name(f"{row.parent}/{row.name}")))
    return list(dict.fromkeys(row.slave_key for row in exact or alike))


def names_of(account: Account, picked: Iterable[Mapping[str, Any]]) -> list[str]:
    """Returns the picked items as people call them; by its key where the drift does not name it (any more)."""
    names = {(row.kind, row.slave_key): row.name for row in differences_of(drift_of(account))}
    texts = []
    for item in picked:
        name = names.get((item["kind"], item["slave_key"]), item["slave_key"])
        attribute = f": {item['attribute']}" if item.get("attribute") else ""
        texts.append(f"{item['kind']} {name}{attribute}")
    return texts
