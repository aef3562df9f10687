"""The part of the run document that names the items of one account (docs/interface.md), and its differences."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from syncing.engine.drift import differences
from syncing.engine.plan import Plan
from syncing.engine.refs import Ref
from syncing.engine.snapshot import Snapshot
from syncing.replication.ledger import Ledger

EMPTY: dict[str, Any] = {"changes": [], "extras": [], "conflicts": [], "manual": []}


def with_late_findings(first: Plan, last: Plan) -> Plan:
    """Returns the first plan with the conflicts and manual items that it could not know.

    They are those of items that read oddly only now.
    """
    known = {conflict.ref for conflict in first.conflicts}
    conflicts = (conflict for conflict in last.conflicts if conflict.ref not in known)
    manual = (item for item in last.manual if item not in first.manual)
    return replace(first, conflicts=(*first.conflicts, *conflicts), manual=(*first.manual, *manual))


def document(plan: Plan | None, ledger: Ledger) -> dict[str, Any]:
    """Returns the changes, extras, conflicts and manual items; all empty when it did not come to a plan."""
    if plan is None:
        return dict(EMPTY)
    return {
        "changes": [
            {**each.as_change(), "message": each.message} if each.message else each.as_change()
            for each in ledger.outcomes.values()
        ],
        "extras": [
            {"kind": str(extra.ref.kind), "name": extra.name, "parent": extra.parent}
            | ({"message": extra.message} if extra.message else {})
            for extra in plan.extras
        ],
        "conflicts": [
            {"kind": str(c.ref.kind), "name": c.name, "parent": c.parent, "message": c.message} for c in plan.conflicts
        ],
        "manual": [{"kind": m.kind, "name": m.name, "parent": m.parent, "message": m.message} for m in plan.manual],
    }


def difference_rows(plan: Plan, base: Snapshot | None, known: Mapping[Ref, str]) -> tuple[dict[str, Any], ...]:
    """Returns what differs now, as rows of plain JSON types; `base` and `known` as in `engine.drift`."""
    rows: Iterable[dict[str, Any]] = (
        {
            "action": each.action,
            "kind": str(each.ref.kind),
            "key": each.ref.key,
            "slave_key": each.slave_key,
            "name": each.name,
            "parent": each.parent,
            "attribute": each.attribute,
            "ours": each.ours,
            "theirs": each.theirs,
            "cause": str(each.cause),
        }
        for each in differences(plan, base, known)
    )
    return tuple(rows)
