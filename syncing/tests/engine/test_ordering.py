"""Arrange: what has to move, around what, and the order to reach; laws over random lists."""

from collections.abc import Collection, Sequence

from hypothesis import given
from hypothesis import strategies as st

from syncing.engine.ordering import Ordering, compare_order
from syncing.engine.refs import Kind, Ref
from syncing.engine.sequences import merge

SOME = st.sets(st.integers(0, 5))


def refs(numbers: Sequence[int]) -> tuple[Ref, ...]:
    return tuple(Ref(Kind.STAGE, str(number)) for number in numbers)


def arranged(
    ours: Sequence[int], theirs: Sequence[int], blocked: Collection[int] = (), anchors: Collection[int] = ()
) -> Ordering:
    fixed = refs(sorted(anchors))
    return compare_order({"list": refs(ours)}, {"list": refs(theirs)}, refs(sorted(blocked)), lambda ref: ref in fixed)


def moved(made: Ordering) -> dict[str, tuple[int, int]]:
    return {ref.key: places for ref, places in made.positions.items()}


def carried_out(theirs: Sequence[int], made: Ordering) -> list[Ref]:
    """The account's list after the moves: what is not in the order to reach stays where it is."""
    here = set(refs(theirs))
    target = [ref for ref in made.orders["list"] if ref in here]
    return merge(refs(theirs), target, made.positions)


def test_places_are_told_from_one_on_among_what_both_have() -> None:
    assert moved(arranged([1, 2, 3], [3, 9, 1, 2])) == {"3": (1, 3)}
    assert moved(arranged([1, 2, 3], [9, 1, 8, 2, 3])) == {}
    assert moved(arranged([1, 2, 3], [2, 3])) == {}


def test_lists_are_apart_and_one_that_the_account_lacks_moves_nothing() -> None:
    made = compare_order({"a": refs([1, 2]), "b": refs([3])}, {"b": refs([3, 1, 2])}, (), lambda ref: False)
    assert made.positions == {}
    assert made.orders == {"a": refs([1, 2]), "b": refs([3])}


def test_others_move_around_an_anchor() -> None:
    assert moved(arranged([1, 2, 3], [3, 1, 2], anchors=[3])).keys() == {"1", "2"}
    assert moved(arranged([1, 2, 3], [3, 1, 2], anchors=[1, 2, 3])) == {}


def test_anchors_that_stand_the_other_way_round_are_left_out_of_the_order_to_reach() -> None:
    made = arranged([1, 2, 3], [3, 2, 1], anchors=[1, 3])
    assert len(made.orders["list"]) == 2
    assert made.positions.keys().isdisjoint(refs([1, 3]))


@given(st.permutations(range(6)), SOME, st.permutations(range(9)), SOME, SOME)
def test_carried_out_the_common_items_follow_the_master_but_for_what_may_not_move(
    ours: list[int], only_ours: set[int], theirs: list[int], blocked: set[int], anchors: set[int]
) -> None:
    there = [number for number in theirs if number not in only_ours]
    made = arranged(ours, there, blocked, anchors)

    after = carried_out(there, made)

    assert sorted(after) == sorted(refs(there))
    assert not set(made.positions) & set(refs([*blocked, *anchors]))
    common = [ref for ref in made.orders["list"] if ref in after]
    assert [ref for ref in after if ref in set(common)] == common
    assert [ref for ref in refs(ours) if ref in set(made.orders["list"])] == list(made.orders["list"])
    left_out = set(refs(ours)) - set(made.orders["list"])
    assert left_out <= set(refs([*blocked, *anchors])), "only what may not move is left out"


@given(st.permutations(range(6)), st.permutations(range(6)), SOME, SOME)
def test_what_is_in_order_is_not_moved_again(
    ours: list[int], theirs: list[int], blocked: set[int], anchors: set[int]
) -> None:
    after = [int(ref.key) for ref in carried_out(theirs, arranged(ours, theirs, blocked, anchors))]
    assert arranged(ours, after, blocked, anchors).positions == {}


@given(st.permutations(range(6)), st.permutations(range(6)))
def test_no_more_is_moved_than_must_be(ours: list[int], theirs: list[int]) -> None:
    made = arranged(ours, theirs)
    staying = [ref for ref in refs(theirs) if ref not in made.positions]
    assert staying == [ref for ref in refs(ours) if ref in staying]
    assert len(made.positions) < len(ours)
