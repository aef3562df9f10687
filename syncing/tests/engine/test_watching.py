"""Watching: which collection comes next, how far apart looks are, and when a change is acted on."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncing.engine.refs import Scope
from syncing.engine.resources.custom_fields import CustomField
from syncing.engine.resources.field_groups import FieldGroup
from syncing.engine.resources.pipelines import Pipeline
from syncing.engine.resources.stages import Description, Stage
from syncing.engine.snapshot import Snapshot
from syncing.engine.watching import (
    NextStep,
    PendingChange,
    after_failures,
    collection_at,
    collections_of,
    grace,
    judge,
    longest_wait,
    moved_between,
    until_next_look,
)

ENTITIES = ("leads", "contacts", "companies")
DAY = timedelta(days=1)
QUIET = timedelta(minutes=5)
START = datetime(2026, 1, 1, tzinfo=UTC)


def stage(number: int, **facts: object) -> Stage:
    return replace(Stage(number, f"Stage {number}", 10, "#fffeb2", 0, True, ()), **facts)


def pipeline(number: int, *stages: Stage, **facts: object) -> Pipeline:
    return replace(Pipeline(number, f"Pipeline {number}", number, number == 1, True, False, stages), **facts)


MASTER = Snapshot(
    pipelines=(pipeline(1, stage(11), stage(12)), pipeline(2, stage(21)), pipeline(3, stage(31), is_archive=True)),
    groups=tuple(FieldGroup(entity, "default", "Main", 1, True, (7,)) for entity in ENTITIES),
    fields=tuple(CustomField(entity, 7, "Budget", "numeric", 500, group_id="default") for entity in ENTITIES),
)


# -- collections --


def test_there_is_one_collection_for_each_list_that_kommo_shows() -> None:
    lists = {f"{kind}/{entity}" for kind in ("field_groups", "custom_fields") for entity in ENTITIES}
    pipelines = {"pipelines", "descriptions/1", "descriptions/2"}
    assert collections_of(MASTER, Scope.FULL).keys() == pipelines | lists
    assert collections_of(MASTER, Scope.PIPELINES).keys() == pipelines
    assert collections_of(MASTER, Scope.CUSTOM_FIELDS).keys() == lists


RENAMED = pipeline(1, stage(11), stage(12, name="Won back"))
DESCRIBED = pipeline(2, stage(21, descriptions=(Description(1, "newbie", "Call"),)))
FIRST, SECOND, ARCHIVED = MASTER.pipelines


@pytest.mark.parametrize(
    ("changed", "moved"),
    [
        ({"pipelines": (RENAMED, SECOND, ARCHIVED)}, "pipelines"),
        ({"pipelines": (FIRST, DESCRIBED, ARCHIVED)}, "descriptions/2"),
        ({"groups": (replace(MASTER.groups[0], name="B2B"), *MASTER.groups[1:])}, "field_groups/leads"),
        ({"fields": (*MASTER.fields[:2], replace(MASTER.fields[2], sort=1))}, "custom_fields/companies"),
    ],
)
def test_a_change_moves_its_own_collection_and_no_other(changed: dict[str, object], moved: str) -> None:
    before, now = collections_of(MASTER, Scope.FULL), collections_of(replace(MASTER, **changed), Scope.FULL)
    assert moved_between(before, now) == [moved]
    assert moved_between(now, before) == [moved]


def test_a_field_of_the_main_group_reads_the_same_whether_or_not_its_group_is_named() -> None:
    alone = Snapshot((), fields=tuple(replace(field, group_id=None) for field in MASTER.fields))
    name = "custom_fields/leads"
    assert collections_of(alone, Scope.FULL)[name] == collections_of(MASTER, Scope.FULL)[name]


def test_a_collection_that_only_one_reading_has_has_moved() -> None:
    assert moved_between({}, {"descriptions/1": "a"}) == ["descriptions/1"]
    assert moved_between({"descriptions/1": "a"}, {}) == ["descriptions/1"]


# -- the order of looks --


KNOWN = [*collections_of(MASTER, Scope.FULL)]


def test_the_pipelines_come_at_every_second_look() -> None:
    looks = [collection_at(look, Scope.FULL, KNOWN) for look in range(28)]
    assert looks[::2] == ["pipelines"] * 14
    assert "pipelines" not in looks[1::2]


def test_in_between_the_others_come_in_turn_and_of_each_round_the_last_is_another_pipelines_descriptions() -> None:
    lists = [f"{kind}/{entity}" for entity in ENTITIES for kind in ("field_groups", "custom_fields")]
    looks = [collection_at(look, Scope.FULL, KNOWN) for look in range(1, 42, 2)]
    assert looks == [*lists, "descriptions/1", *lists, "descriptions/2", *lists, "descriptions/1"]


def test_descriptions_come_in_the_order_of_their_numbers() -> None:
    known = ["descriptions/100", "descriptions/9", "descriptions/20"]
    looks = [collection_at(look, Scope.PIPELINES, known) for look in (1, 3, 5)]
    assert looks == ["descriptions/9", "descriptions/20", "descriptions/100"]


@pytest.mark.parametrize("scope", Scope)
@given(st.integers(0, 10_000))
def test_whatever_the_policy_covers_every_collection_comes_within_a_round_for_each_pipeline(
    scope: Scope, first: int
) -> None:
    known = [*collections_of(MASTER, scope)]
    looks = [collection_at(look, scope, known) for look in range(first, first + 2 * 14)]
    assert set(looks) == set(known)


def test_a_master_without_anything_described_has_its_pipelines_looked_at() -> None:
    assert {collection_at(look, Scope.PIPELINES, ["pipelines"]) for look in range(9)} == {"pipelines"}


# -- times --


def test_a_day_at_the_default_is_less_than_400_looks_and_a_whole_reading_in_every_group() -> None:
    for group in range(1, 101):
        at, looks = timedelta(0), 0
        while at < DAY:
            at, looks = at + until_next_look(240, group, looks), looks + 1
        assert 350 <= looks <= 380, group


@given(st.integers(10, 86_400), st.integers(1, 10_000), st.integers(0, 10**6))
def test_the_jitter_is_a_fifth_to_either_side_and_the_same_whoever_asks(seconds: int, group: int, look: int) -> None:
    wait = until_next_look(seconds, group, look)
    assert 0.8 * seconds <= wait.total_seconds() <= 1.2 * seconds
    assert until_next_look(seconds, group, look) == wait
    assert wait <= longest_wait(seconds, 1)


def test_groups_and_looks_have_each_another_jitter() -> None:
    assert len({until_next_look(240, group, look) for group in range(10) for look in range(10)}) == 100


@pytest.mark.parametrize("seconds", [1, 9])
def test_below_ten_seconds_there_is_no_jitter(seconds: int) -> None:
    assert {until_next_look(seconds, 1, look) for look in range(20)} == {timedelta(seconds=seconds)}


def test_a_master_that_cannot_be_read_is_asked_later_and_later_up_to_an_hour() -> None:
    waits = [after_failures(240, failures).total_seconds() for failures in range(1, 7)]
    assert waits == [480, 960, 1920, 3600, 3600, 3600]
    assert after_failures(7200, 3) == timedelta(hours=2)  # never more often than it is looked at
    assert after_failures(1, 1000) == timedelta(hours=1)


def test_the_grace_is_two_looks_and_at_least_a_minute() -> None:
    assert (grace(1), grace(240)) == (timedelta(seconds=60), timedelta(seconds=480))


# -- what follows --


def after(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def course(*readings: tuple[float, str], handled: str = "A") -> list[NextStep]:
    """The steps that follow from readings at so many minutes."""
    pending, steps = None, []
    for minutes, fingerprint in readings:
        step, pending = judge(fingerprint, handled, pending, after(minutes), QUIET)
        steps.append(step)
    return steps


NOTHING, WAIT, ACT = NextStep.NOTHING, NextStep.WAIT, NextStep.ACT


@pytest.mark.parametrize(
    ("readings", "steps"),
    [
        ([(0, "A")], [NOTHING]),
        ([(0, "B")], [WAIT]),
        ([(0, "B"), (5, "B")], [WAIT, ACT]),
        ([(0, "B"), (4.9, "B"), (5, "B")], [WAIT, WAIT, ACT]),
        ([(0, "B"), (5, "C"), (10, "C")], [WAIT, WAIT, ACT]),
        ([(0, "B"), (5, "A"), (10, "B"), (15, "B")], [WAIT, NOTHING, WAIT, ACT]),
        ([(0, "B"), (5, "C"), (10, "B"), (15, "C"), (20, "B"), (25, "C"), (29.9, "B")], [WAIT] * 7),
        ([(0, "B"), (5, "C"), (10, "B"), (15, "C"), (20, "B"), (25, "C"), (30, "D")], [*[WAIT] * 6, ACT]),
    ],
)
def test_a_change_is_acted_on_when_it_stayed_for_the_quiet_period_or_after_six_of_them(readings, steps) -> None:
    assert course(*readings) == steps


def test_a_change_that_waits_is_read_again_after_the_quiet_period_and_after_six_at_the_latest() -> None:
    assert PendingChange("B", START, after(3)).ripe_at(QUIET) == after(8)
    assert PendingChange("B", START, after(28)).ripe_at(QUIET) == after(30)
