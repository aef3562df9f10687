"""Sequences: what has to move so that one sequence follows another, and which sort numbers say so."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T", bound=Hashable)

STEP = 10


def moves(current: Sequence[T], target: Sequence[T], anchors: Collection[T] = ()) -> frozenset[T]:
    """Returns the fewest items of `current` that must move so that it follows `target`; `anchors` only if need be.

    Both hold the same items, each once. The rest is a heaviest increasing subsequence.
    """
    rank = {item: position for position, item in enumerate(target)}
    ranks = [rank[item] for item in current]
    if all(a < b for a, b in pairwise(ranks)):
        return frozenset()
    weights = [len(current) + 1 if item in anchors else 1 for item in current]
    best: list[int] = []
    before: list[int | None] = []
    for i, value in enumerate(ranks):
        previous = [j for j in range(i) if ranks[j] < value]
        chosen = max(previous, key=lambda j: best[j], default=None)
        best.append(weights[i] + (0 if chosen is None else best[chosen]))
        before.append(chosen)
    kept = set()
    at: int | None = max(range(len(best)), key=lambda i: best[i])
    while at is not None:
        kept.add(current[at])
        at = before[at]
    return frozenset(item for item in current if item not in kept)


def merge(current: Sequence[T], target: Sequence[T], moving: Collection[T] = ()) -> list[T]:
    """Returns the whole sequence to reach: `target`'s items in its order, other items of `current` left where they are.

    An item that is new or moving goes right behind the one it follows in `target`.
    """
    wanted = set(target)
    result = [item for item in current if item not in wanted or item not in moving]
    for position, item in enumerate(target):
        if item in result:
            continue
        if position == 0:
            successor = next((other for other in target[1:] if other in result), None)
            result.insert(0 if successor is None else result.index(successor), item)
        else:
            result.insert(result.index(target[position - 1]) + 1, item)
    return result


def give_way(sequence: Sequence[T], fixed: Mapping[T, int], target: Collection[T]) -> list[T]:
    """Moves items that find no room in front of one that is not of `target` behind it instead.

    An item has room where its neighbours' numbers in `fixed` are far enough apart; those of `target` are not passed.
    """
    result = list(sequence)
    for at in range(len(result) - 1):
        if result[at] in fixed or (at and result[at - 1] not in fixed):
            continue
        end = at + _run_length(result, at, fixed)
        previous = fixed[result[at - 1]] if at else 0
        if end < len(result) and result[end] not in target and fixed[result[end]] - previous <= end - at:
            result.insert(at, result.pop(end))
    return result


def numbers(
    sequence: Sequence[T], fixed: Mapping[T, int], wished: Mapping[T, int], low: int, high: int
) -> dict[T, int] | None:
    """Returns sort numbers for the items not in `fixed`, each strictly between its neighbours; None without room.

    A number of `wished` is taken where it fits. All numbers lie in low..high.
    """
    result: dict[T, int] = {}
    previous = low - 1
    for position, item in enumerate(sequence):
        if item in fixed:
            if fixed[item] < previous:
                return None
            previous = fixed[item]
            continue
        run = _run_length(sequence, position, fixed)
        after = position + run
        ceiling = fixed[sequence[after]] if after < len(sequence) else high + 1
        number = _between(previous, ceiling, run, wished.get(item), open_end=after == len(sequence))
        if number is None:
            return None
        result[item] = previous = number
    return result


def most_fixed(
    sequence: Sequence[T], present: Mapping[T, int], immovable: Collection[T], preferred: Collection[T], low: int,
    high: int,
) -> dict[T, int] | None:  # fmt: skip
    """Returns the numbers to leave as they are so that as few items as possible get another; None without room.

    `present`: the numbers that items have now. `immovable` ones keep theirs; of equally many the `preferred` ones do.
    """
    end = len(sequence)
    must = [at for at, item in enumerate(sequence) if item in immovable]
    # By position, as if the sequence ended there: the weight of all that keep their number, and the one before it.
    best: dict[int, tuple[int, int]] = {-1: (0, -1)}
    for at, item in enumerate(sequence):
        if item not in present or not low + at <= present[item] <= high - (end - 1 - at):
            continue
        befores = [
            before
            for before in best
            if (before < 0 or present[item] - present[sequence[before]] >= at - before)
            and not any(before < each < at for each in must)
        ]
        if befores:
            before = max(befores, key=lambda each: best[each][0])
            best[at] = best[before][0] + end + 1 + (item in preferred), before
    finals = [at for at in best if not any(at < each for each in must)]
    if not finals:
        return None
    at, fixed = max(finals, key=lambda each: best[each][0]), {}
    while at >= 0:
        fixed[sequence[at]] = present[sequence[at]]
        at = best[at][1]
    return fixed


def _run_length(sequence: Sequence[T], start: int, fixed: Mapping[T, int]) -> int:
    """Counts the items from `start` on that have no number yet."""
    end = start
    while end < len(sequence) and sequence[end] not in fixed:
        end += 1
    return end - start


def _between(previous: int, ceiling: int, run: int, wish: int | None, *, open_end: bool) -> int | None:
    """Returns a number above `previous` that leaves room for the other `run - 1` items below `ceiling`."""
    room = ceiling - previous - 1
    if room < run:
        return None
    if wish is not None and previous < wish <= ceiling - run:
        return wish
    if open_end:
        return min(previous + STEP, ceiling - run)
    return previous + max(1, (ceiling - previous) // (run + 1))
