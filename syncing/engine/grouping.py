"""Grouping: accounts that have the same plan together, and what tells two plans apart."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from syncing.engine.changes import Action

Document = Mapping[str, Any]  # changes, extras, conflicts, manual: as in the run document (docs/interface.md)
DocumentRow = Mapping[str, Any]
Member = TypeVar("Member", bound=Hashable)

LISTS = ("changes", "extras", "conflicts", "manual")
# The result of a change does not make it another change.
RESULT_KEYS = frozenset({"outcome", "message"})
NUMBER = re.compile(r"\d+")
ROW = json.JSONEncoder(sort_keys=True, default=list)  # made once: a plan may have hundreds of rows


@dataclass(frozen=True)
class PlanCounts:
    """The number of items that a plan is about, by what is done with them."""

    created: int = 0
    updated: int = 0
    deleted: int = 0
    extras: int = 0
    conflicts: int = 0
    manual: int = 0

    @property
    def changes(self) -> int:
        return self.created + self.updated + self.deleted


@dataclass(frozen=True)
class PlanGroup(Generic[Member]):
    """One plan, and everybody who has it."""

    digest: str
    members: tuple[Member, ...]


@dataclass(frozen=True)
class PlanDifference:
    """The difference of two plans: (list name, row) of what only this one has, and of what only the other has."""

    here: tuple[tuple[str, DocumentRow], ...]
    missing: tuple[tuple[str, DocumentRow], ...]


def concerns_all(name: str, row: DocumentRow) -> bool:
    """Returns False for what one account has for itself and keeps, as others have theirs: that makes no other plan."""
    return name != "extras" or bool(row.get("message"))


def common_content(document: Document) -> dict[str, Any]:
    """Returns the document without what does not concern every account that has the same plan."""
    rest = {name: [row for row in document.get(name, ()) if concerns_all(name, row)] for name in LISTS}
    return {**document, **rest}


def content_digest(document: Document) -> str:
    """Returns the same for documents that plan the same, whatever the order of keys and rows, and however it ended."""
    content = {
        name: sorted(_row_text(name, row) for row in document.get(name, ()) if concerns_all(name, row))
        for name in LISTS
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _row_text(name: str, row: DocumentRow) -> str:
    """Writes a row as text; the number of leads in a kept item is each account's own and makes no other plan."""
    content = dict(row)
    if name == "changes":
        content = {key: value for key, value in row.items() if key not in RESULT_KEYS}
    elif name == "extras" and row.get("message"):
        content["message"] = NUMBER.sub("#", row["message"])
    return ROW.encode(content)


EMPTY_DIGEST = content_digest({})  # the digest of a plan that wants nothing of anybody


def group_plans(digests: Iterable[tuple[Member, str]]) -> tuple[PlanGroup[Member], ...]:
    """Puts every member into one group; the most common plan comes first, of equal ones the first to appear."""
    members: dict[str, list[Member]] = {}
    for member, digest in digests:
        members.setdefault(digest, []).append(member)
    groups = [PlanGroup(digest, tuple(each)) for digest, each in members.items()]
    return tuple(sorted(groups, key=lambda group: -len(group.members)))


def plan_counts(document: Document) -> PlanCounts:
    """Counts the items of a document, done or not."""
    actions = Counter(row["action"] for row in document.get("changes", ()))
    counts = {name: len(document.get(name, ())) for name in LISTS if name != "changes"}
    return PlanCounts(actions[Action.CREATE], actions[Action.UPDATE], actions[Action.DELETE], **counts)


def plan_difference(document: Document, other: Document) -> PlanDifference:
    """Compares two documents row by row; the result is empty exactly when their digests are equal."""
    return PlanDifference(tuple(_rows_missing_in(document, other)), tuple(_rows_missing_in(other, document)))


def _rows_missing_in(document: Document, other: Document) -> Iterator[tuple[str, DocumentRow]]:
    """Yields the rows of `document` that `other` lacks; of equal ones as many as it has more."""
    there = Counter((name, _row_text(name, row)) for name, row in rows(other))
    for name, row in rows(common_content(document)):
        key = (name, _row_text(name, row))
        if there[key]:
            there[key] -= 1
        else:
            yield name, row


def rows(document: Document) -> Iterator[tuple[str, DocumentRow]]:
    """Yields (list name, row); what a person has to decide comes first."""
    for name in ("conflicts", "manual", "changes", "extras"):
        for row in document.get(name, ()):
            yield name, row
