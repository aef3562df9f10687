"""Choose sort numbers that bring items into an order."""

from collections.abc import Hashable, Iterable, Mapping, Sequence

from syncing.engine.changes import Change
from syncing.engine.refs import Ref
from syncing.engine.sequences import STEP, give_way, merge, most_fixed, numbers

RefOrKey = Hashable  # a Ref, or the key of an item that only the slave has


def sort_numbers(
    current: Sequence[tuple[RefOrKey, int]], target: Sequence[Ref], placing: Iterable[Ref], wished: Mapping[Ref, int],
    highest: int, *, rewrite: bool = False, sparing: bool = False,
) -> dict[RefOrKey, int]:  # fmt: skip
    """Returns the sort numbers to write so that the items of `target` come in that order.

    `current`: the account's sequence with its numbers; `placing`: the items to place, new ones among them. Items
    that only the slave has (and predefined ones that the master does not show) keep their number and their order among
    the rest: without room in front of them the items come behind them, and without room there, too, the items of
    `target` that follow are numbered anew. Without room for that (or with `rewrite`) all of `target` is numbered anew
    behind everything else; without room there, from 1 on.

    `sparing`: each number costs a request, so where there is no room as few items of `target` as possible are numbered,
    whichever they are: also another one than the one to place.
    """
    placing, ours = set(placing), set(target)
    fixed = {item: number for item, number in current if item not in placing}
    sequence = merge([item for item, _ in current], target, placing)
    wishes: dict[RefOrKey, int] = {ref: number for ref, number in wished.items()}  # noqa: C416
    following = [item for item in sequence if item in fixed and item in ours]
    while not rewrite:
        chosen = numbers(give_way(sequence, fixed, ours), fixed, wishes, 1, highest)
        if chosen is None and sparing:
            immovable = {item for item, _ in current if item not in ours}
            kept = most_fixed(sequence, dict(current), immovable, fixed, 1, highest)
            chosen = None if kept is None else numbers(sequence, kept, wishes, 1, highest)
        if chosen is not None:
            return chosen
        if not following:
            break
        del fixed[following.pop()]
    start = max((number for _, number in current), default=0)
    start = start if start + len(target) <= highest else 0
    step = STEP if start + STEP * len(target) <= highest else 1
    return {ref: start + step * position for position, ref in enumerate(target, start=1)}


def in_order(changes: Iterable[Change], sorts: Mapping[RefOrKey, int]) -> list[Change]:
    """Sorts changes by the number to write: right also where the server numbers everything anew at each write."""
    return sorted(changes, key=lambda change: sorts.get(change.ref, 0))
