"""Drift by item: what differs in how many accounts, and the differences that a bulk decision is about."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from accounts.kommo.texts import storable_id
from accounts.models import SECRETS, Account, SyncGroup
from accounts.text_search import is_in
from syncing.models import Drift
from syncing.presentation.drawing import DrawnEdit
from syncing.presentation.labels import value_text
from syncing.selectors.drift import CAUSES, EDIT_CAUSES, EDITED_CAUSE, EXTRA, ListedDifference
from syncing.selectors.filters import ListFilters, an_id_of, one_of

MOST_VALUES = 5  # of an attribute that are told
THERE = "there"  # what only accounts have, and the master has not
WHAT = ("kind", "key", "attribute", "action")


@dataclass(frozen=True)
class DriftItemFilters(ListFilters):
    """What somebody looks for among the differences."""

    group: str = an_id_of(SyncGroup)
    cause: str = one_of(EDITED_CAUSE, *CAUSES)
    only: str = one_of(THERE)


@dataclass
class DriftedItem:
    """One attribute of one item of a group, or the whole item (attribute ""), in all accounts where it differs."""

    group_id: int
    kind: str
    key: str
    attribute: str
    action: str
    name: str
    parent: str
    ours: Any
    accounts: list[Account] = field(default_factory=list)
    causes: Counter[str] = field(default_factory=Counter)
    values: Counter[str] = field(default_factory=Counter)
    samples: dict[str, Any] = field(default_factory=dict)  # a value as it is, by what it is in `values`

    @property
    def is_extra(self) -> bool:
        return self.action == EXTRA

    @property
    def query(self) -> dict[str, Any]:
        """Returns what the page of a decision needs to find it again."""
        return {"group": self.group_id, **{name: getattr(self, name) for name in WHAT}}

    @property
    def variants(self) -> list[tuple[DrawnEdit, int]]:
        """Returns what it is in the accounts, each with their number, the most frequent first."""
        what = (self.action, self.kind, self.key, self.name, self.parent, self.attribute, self.ours)
        return [(DrawnEdit(*what, self.samples[text]), count) for text, count in self.values.most_common(MOST_VALUES)]

    def mentions(self, text: str) -> bool:
        words = (self.name, self.parent, str(self.ours or ""), *self.values)
        return is_in(text, *words)


def drifted_items(filters: DriftItemFilters) -> list[DriftedItem]:
    """Returns what differs, or what only accounts have, in the most accounts first."""
    extras = filters.only == THERE
    rows = _rows(storable_id(filters.group), filters.cause)
    items = _grouped((account, row) for account, row in rows if (row["action"] == EXTRA) is extras)
    items = [item for item in items if item.mentions(filters.q)]
    return sorted(items, key=lambda item: (-len(item.accounts), item.kind, item.parent, item.name, item.attribute))


def items_named(text: str) -> Iterable[DriftedItem]:
    """Returns what differs, or what only accounts have, of items whose name has `text`, here or in the master."""
    return _grouped((account, row) for account, row in _rows(None, "") if is_in(text, *_names(row)))


def _names(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (row["name"], str(row["theirs"] or "")) if row["attribute"] == "name" else (row["name"],)


def _grouped(rows: Iterable[tuple[Account, Mapping[str, Any]]]) -> Iterable[DriftedItem]:
    """Returns each difference once, with the accounts that have it."""
    by_difference: dict[tuple[Any, ...], DriftedItem] = {}
    for account, row in rows:
        key = (account.group_id, *(row[name] for name in WHAT))
        item = by_difference.get(key)
        if item is None:
            facts = {name: row[name] for name in ("name", "parent", "ours")}
            item = by_difference[key] = DriftedItem(*key, **facts)
        item.accounts.append(account)
        item.causes[row["cause"]] += 1
        if row["attribute"]:
            text = str(value_text(row["theirs"], ""))
            item.values[text] += 1
            item.samples[text] = row["theirs"]
    return by_difference.values()


def accounts_with(
    group: int, kind: str, key: str, attribute: str, action: str
) -> list[tuple[Account, ListedDifference]]:
    """Returns the accounts of a group in which this differs now, each with the difference."""
    wanted = (kind, key, attribute, action)
    return [
        (account, ListedDifference.of(row))
        for account, row in _rows(group, "")
        if tuple(row[name] for name in WHAT) == wanted
    ]


def _rows(group: int | None, cause: str) -> Iterable[tuple[Account, Mapping[str, Any]]]:
    """Yields the differences of every slave; the database looks for those that have any."""
    drifts = Drift.objects.filter(account__role=Account.Role.SLAVE).exclude(count=0, extras=0)
    if group is not None:
        drifts = drifts.filter(account__group=group)
    rows = drifts.order_by("account__subdomain").values_list("account", "differences")
    accounts = Account.objects.filter(role=Account.Role.SLAVE).defer(*SECRETS)
    known = accounts.in_bulk() if group is None else accounts.filter(group=group).in_bulk()
    causes = EDIT_CAUSES if cause == EDITED_CAUSE else (cause,) if cause in CAUSES else CAUSES
    for pk, differences in rows:
        if pk in known:
            yield from ((known[pk], row) for row in differences if row["cause"] in causes)
