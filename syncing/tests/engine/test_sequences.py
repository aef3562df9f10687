"""Order: the fewest moves, everybody else left where they are, and numbers that say so."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncing.engine.sequences import give_way, merge, most_fixed, moves, numbers

law = settings(max_examples=150, derandomize=True, deadline=None, database=None)
permutations = st.integers(0, 9).flatmap(lambda size: st.permutations(range(size)))


@st.composite
def sequences(draw: st.DrawFn) -> tuple[list[int], list[int], set[int]]:
    """What is there, what is wanted (some of it new), and which of the common ones move."""
    current = draw(st.permutations(range(draw(st.integers(0, 8)))))
    common = [item for item in current if draw(st.booleans())]
    new = list(range(100, 100 + draw(st.integers(0, 4))))
    target = draw(st.permutations(common + new))
    return current, target, set(moves([i for i in current if i in target], [i for i in target if i in common]))


@law
@given(permutations, st.data())
def test_without_the_moved_ones_the_rest_is_in_order(target: list[int], data: st.DataObject) -> None:
    current = data.draw(st.permutations(target))
    moving = moves(current, target)
    assert [item for item in current if item not in moving] == [item for item in target if item not in moving]
    assert (moving == frozenset()) == (list(current) == list(target))


@law
@given(permutations, st.data())
def test_no_smaller_number_of_moves_would_do(target: list[int], data: st.DataObject) -> None:
    current = data.draw(st.permutations(target))
    rank = {item: at for at, item in enumerate(target)}
    longest: list[int] = []
    for at, item in enumerate(current):
        longest.append(1 + max((longest[j] for j in range(at) if rank[current[j]] < rank[item]), default=0))
    assert len(moves(current, target)) == len(target) - max(longest, default=0)


def test_anchors_move_only_as_a_last_resort() -> None:
    assert moves("bca", "abc") == {"a"}
    assert moves("bca", "abc", anchors="a") == {"b", "c"}
    assert moves("ba", "ab", anchors="ab") in ({"a"}, {"b"})


@law
@given(sequences())
def test_the_merged_sequence_has_the_targets_order_and_leaves_others_where_they_are(
    case: tuple[list[int], list[int], set[int]],
) -> None:
    current, target, moving = case
    merged = merge(current, target, moving)
    assert sorted(merged) == sorted(set(current) | set(target))
    assert [item for item in merged if item in target] == list(target)
    stay = [item for item in current if item not in moving]
    assert [item for item in merged if item in stay] == stay


def test_a_new_item_stands_right_behind_the_one_it_follows() -> None:
    assert merge(["a", "own", "b"], ["a", "new", "b"]) == ["a", "new", "own", "b"]
    assert merge(["own", "b"], ["new", "b"]) == ["own", "new", "b"]
    assert merge([], ["x", "y"]) == ["x", "y"]


@law
@given(sequences(), st.data())
def test_numbers_rise_strictly_wherever_there_is_room(
    case: tuple[list[int], list[int], set[int]], data: st.DataObject
) -> None:
    current, target, moving = case
    merged = merge(current, target, moving)
    placing = (set(target) - set(current)) | moving
    places = sorted(data.draw(st.lists(st.integers(1, 60), min_size=len(current), max_size=len(current))))
    fixed = {item: number for item, number in zip(current, places, strict=True) if item not in placing}
    wished = {item: data.draw(st.integers(-5, 80)) for item in placing}

    found = numbers(merged, fixed, wished, 1, 60)

    if found is None:
        return
    assert set(found) == placing
    row = [{**fixed, **found}[item] for item in merged]
    assert all(1 <= number <= 60 for number in found.values())
    assert all(
        a < b or (left in fixed and right in fixed)
        for (left, a), (right, b) in zip(
            zip(merged, row, strict=True), list(zip(merged, row, strict=True))[1:], strict=False
        )
    )


def test_a_wish_is_granted_where_it_fits_and_never_against_the_order() -> None:
    assert numbers("abc", {"a": 10, "c": 30}, {"b": 25}, 1, 100) == {"b": 25}
    assert numbers("abc", {"a": 10, "c": 30}, {"b": 99}, 1, 100) == {"b": 20}
    assert numbers("ab", {"a": 10}, {}, 1, 100) == {"b": 20}


def test_no_room_is_said() -> None:
    assert numbers("abc", {"a": 10, "c": 11}, {}, 1, 100) is None
    assert numbers("ab", {"b": 1}, {}, 1, 100) is None
    assert numbers("ab", {"a": 100}, {}, 1, 100) is None
    assert numbers("ab", {"a": 5, "b": 4}, {}, 1, 100) is None


def test_what_finds_no_room_in_front_of_what_is_not_ours_comes_behind_it() -> None:
    assert give_way("axyo", {"a": 4, "o": 6}, "axy") == ["a", "o", "x", "y"]
    assert give_way("axyo", {"a": 4, "o": 7}, "axy") == ["a", "x", "y", "o"]
    assert give_way("xo", {"o": 1}, "x") == ["o", "x"]
    assert give_way("axopyb", {"a": 1, "o": 2, "p": 9, "b": 10}, "axyb") == ["a", "o", "x", "p", "y", "b"]
    assert give_way("axb", {"a": 1, "b": 2}, "axb") == ["a", "x", "b"]
    assert give_way("", {}, "") == []


@pytest.mark.parametrize(
    ("sequence", "immovable", "kept"),
    [
        ("cab", "", {"a": 2, "b": 3}),  # c finds room in front
        ("acb", "", {"a": 2, "c": 4}),  # none between 2 and 3: b goes behind
        ("bac", "", {"a": 2, "c": 4}),
        ("acb", "b", {"b": 3}),  # b has to stay, so both others go in front of it
        ("cba", "", {"b": 3}),
        ("cab", "c", {"c": 4}),
        ("cab", "ca", None),
        ("xy", "", {}),
    ],
)
def test_as_few_items_as_possible_get_another_number(
    sequence: str, immovable: str, kept: dict[str, int] | None
) -> None:
    assert most_fixed(sequence, {"a": 2, "b": 3, "c": 4}, immovable, "ab", 1, 100) == kept


def test_the_numbers_that_stay_leave_room_for_all_others() -> None:
    rng = Random("room")
    for _ in range(300):
        items = "abcdefg"[: rng.randint(1, 7)]
        present = {item: rng.randint(1, 12) for item in items if rng.random() < 0.8}
        own = [item for item in present if rng.random() < 0.2]
        fixed = most_fixed(items, present, own, items, 1, 14)
        if fixed is None:
            continue
        new = numbers(items, fixed, {}, 1, 14)
        assert new is not None
        every = [({**fixed, **new})[item] for item in items]
        assert every == sorted(set(every))
        assert set(own) <= fixed.keys()
