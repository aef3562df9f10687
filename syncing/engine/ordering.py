"""Ordering: which items of a list have to move in an account, and the order to reach."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from syncing.engine.refs import Ref
from syncing.engine.sequences import moves

Positions = Mapping[Ref, tuple[int, int]]  # old and new place, 1-based


@dataclass(frozen=True)
class Ordering:
    """`orders`: list name -> the order to reach, items to create among them."""

    positions: Positions
    orders: Mapping[str, tuple[Ref, ...]]


def compare_order(
    ours: Mapping[str, Sequence[Ref]],
    theirs: Mapping[str, Sequence[Ref]],
    blocked: Collection[Ref],
    is_anchor: Callable[[Ref], bool],
) -> Ordering:
    """Compares the lists of both accounts, without `blocked` items.

    Anchors are what the others are moved around: predefined fields, the main pipeline, which Kommo numbers itself
    (docs/kommo.md 4.1), and what this plan may not move. Those that stand in another order than the master's are left
    out of the comparison.
    """
    positions: dict[Ref, tuple[int, int]] = {}
    orders: dict[str, tuple[Ref, ...]] = {}
    for name, sequence in ours.items():
        target = [ref for ref in sequence if ref not in blocked]
        here = set(target)
        current = [ref for ref in theirs.get(name, ()) if ref in here]
        anchors = {ref for ref in current if is_anchor(ref)}
        fixed = [ref for ref in current if ref in anchors]
        loose = moves(fixed, [ref for ref in target if ref in anchors])
        orders[name] = tuple(ref for ref in target if ref not in loose)
        current = [ref for ref in current if ref not in loose]
        here = set(current)
        wanted = [ref for ref in orders[name] if ref in here]
        for ref in moves(current, wanted, anchors - loose):
            positions[ref] = (current.index(ref) + 1, wanted.index(ref) + 1)
    return Ordering(positions, orders)
