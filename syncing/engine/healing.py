"""Healing: which differences of a slave are edits that can be put back, as stored rows tell (`engine.drift`)."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from syncing.engine.changes import Action
from syncing.engine.drift import Cause
from syncing.engine.refs import Kind, Ref, parent_of

ITEM_KINDS = (Kind.PIPELINE, Kind.STAGE, Kind.FIELD_GROUP, Kind.CUSTOM_FIELD)  # an option goes with its field
PLACES = (Kind.PIPELINE, Kind.STAGE, Kind.FIELD_GROUP)  # other items are in them, or name them
STATUSES = frozenset({"required_statuses", "hidden_statuses"})
GROUP = frozenset({"", "group"})  # a field that is made again is put into its group, too

Rows = Collection[Mapping[str, Any]]
Item = tuple[int, str, str]  # account id, kind, key


@dataclass(frozen=True, order=True)
class Edit:
    """A difference that is the slave's doing: one attribute of an item, or (attribute "") an item that it deleted."""

    account_id: int
    kind: str
    key: str
    attribute: str

    @property
    def item(self) -> Item:
        return self.account_id, self.kind, self.key

    @property
    def pick(self) -> dict[str, Any]:
        """Returns it as runs store what they are about."""
        return {"account": self.account_id, "kind": self.kind, "key": self.key, "attribute": self.attribute}


def edits_in(account_id: int, rows: Rows) -> Iterator[Edit]:
    """Yields the edits among the differences of an account; never what would be deleted, or stays as an extra."""
    for row in rows:
        is_edit = row["cause"] == Cause.SLAVE and row["action"] in (Action.CREATE, Action.UPDATE)
        if is_edit and row["kind"] in ITEM_KINDS:
            yield Edit(account_id, row["kind"], row["key"], row["attribute"])


def missing_places(rows: Rows) -> frozenset[Ref]:
    """Returns the pipelines, stages and groups that an account lacks, whoever caused that."""
    return frozenset(
        Ref(Kind(row["kind"]), row["key"]) for row in rows if row["action"] == Action.CREATE and row["kind"] in PLACES
    )


def with_their_places(edits: Sequence[Edit], missing: Mapping[int, Collection[Ref]]) -> list[Edit]:
    """Leaves out what cannot be put back yet: it needs a place that its account lacks and that is not put back.

    `missing` by account. Of fields nobody knows which place they need, so that they wait for all of their kind.
    """
    items = {edit.item for edit in edits}

    def lacks(edit: Edit) -> Iterable[Ref]:
        return (ref for ref in missing.get(edit.account_id, ()) if (edit.account_id, ref.kind, ref.key) not in items)

    return [edit for edit in edits if not any(_needs(edit, ref) for ref in lacks(edit))]


def _needs(edit: Edit, place: Ref) -> bool:
    if edit.kind == Kind.STAGE:
        return parent_of(Ref(Kind.STAGE, edit.key)) == place
    if edit.kind != Kind.CUSTOM_FIELD:
        return False
    if place.kind is Kind.FIELD_GROUP:
        return edit.attribute in GROUP and place.key.partition("/")[0] == edit.key.partition("/")[0]
    return edit.attribute in STATUSES


def of_first_accounts(edits: Sequence[Edit], most: int) -> Sequence[Edit]:
    """Returns the edits, in their order, of so many accounts that there are about `most`: all of an account, or none.

    The first account comes whole, however many it has.
    """
    if len(edits) <= most:
        return edits
    cut, first = edits[most].account_id, edits[0].account_id
    return [edit for edit in edits if edit.account_id < cut or edit.account_id == first]
