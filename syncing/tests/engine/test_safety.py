"""Safety: what is refused, and the sentence that says why."""

from dataclasses import replace

import pytest

from syncing.engine.plan import make_plan
from syncing.engine.refs import Kind, Ref, Scope
from syncing.engine.resources.field_groups import FieldGroup
from syncing.engine.safety import empty, incomplete, limits, shrink
from syncing.engine.snapshot import Snapshot
from syncing.tests.engine.items import field, group, pipeline, snapshot, stage


def account(stages: int = 10, fields: int = 10, contacts: int = 0, pipelines: int = 1) -> Snapshot:
    return snapshot(
        pipeline(1, "A", *(stage(number, f"S{number}") for number in range(5, 5 + stages))),
        *(pipeline(number, f"P{number}") for number in range(2, pipelines + 1)),
        *(field(number, f"F{number}") for number in range(1, fields + 1)),
        *(field(500 + number, f"C{number}", entity="contacts") for number in range(contacts)),
    )


@pytest.mark.parametrize(("before", "after", "refused"), [
    ({"stages": 10}, {"stages": 7}, False), ({"stages": 10}, {"stages": 6}, True),
    ({"stages": 9}, {"stages": 2}, False), ({"stages": 9}, {"stages": 0}, True),
    ({"stages": 1}, {"stages": 0}, True),
    ({"fields": 10}, {"fields": 7}, False), ({"fields": 10}, {"fields": 6}, True),
    ({"fields": 2}, {"fields": 0}, True),
    ({"fields": 10, "contacts": 2}, {"fields": 10}, False), ({"fields": 20, "contacts": 3}, {"fields": 20}, True),
    ({"pipelines": 10}, {"pipelines": 6}, True), ({"pipelines": 10}, {"pipelines": 10}, False),
    ({"fields": 10}, {"fields": 50}, False),
])  # fmt: skip
def test_a_master_that_lost_too_much_is_refused(before: dict[str, int], after: dict[str, int], refused: bool) -> None:
    said = shrink(account(**before), account(**after), 30, 10)
    assert (said is not None) is refused


def test_the_sentence_has_the_numbers_and_the_way_out() -> None:
    said = shrink(account(stages=10), account(stages=6), 30, 10)
    assert said is not None
    for part in ("4 of 10 stages", "40.00%", "30%", "--force --reason"):
        assert part in said


def test_what_was_not_read_is_not_lost() -> None:
    assert shrink(account(), Snapshot(account().pipelines), 30, 10) is None
    assert shrink(Snapshot(account().pipelines), account(), 30, 10) is None


def test_replaced_items_count_as_lost() -> None:
    swapped = replace(account(), fields=tuple(field(900 + number, f"F{number}") for number in range(10)))
    assert shrink(account(), swapped, 30, 10) is not None


def test_a_master_without_any_pipeline_is_not_believed() -> None:
    assert empty(snapshot()) is not None
    assert empty(snapshot(pipeline(1, "A", is_archive=True))) is not None
    assert empty(account()) is None


# -- a slave's reading --


def mains(*entities: str) -> tuple[FieldGroup, ...]:
    return tuple(group("default", entity=entity, fields=(3,)) for entity in entities)


def test_a_reading_that_can_be_true_is_believed() -> None:
    master = account()
    assert incomplete(master, account(), {}) is None
    assert incomplete(Snapshot(master.pipelines), Snapshot(account().pipelines), {}) is None
    assert incomplete(master, account(fields=0), {Ref(Kind.CUSTOM_FIELD, "contacts/1"): "contacts/7"}) is not None
    assert incomplete(master, account(fields=0), {}) is None


def test_an_account_without_any_group_is_believed_where_the_master_has_none_either() -> None:
    bare = replace(account(), groups=())
    assert incomplete(bare, bare, {}) is None


@pytest.mark.parametrize(("reading", "part"), [
    (snapshot(field(1, "f")), "list of pipelines"),
    (snapshot(pipeline(1, "Bare", stages=())), "'Bare'"),
    (replace(account(), groups=()), "field groups of leads"),
    (replace(account(contacts=1), groups=mains("leads", "contacts")), "companies"),
    (replace(snapshot(pipeline(1, "A")), groups=mains("leads", "contacts", "companies")), "custom fields of leads"),
])  # fmt: skip
def test_a_reading_that_cannot_be_true_is_named(reading: Snapshot, part: str) -> None:
    said = incomplete(replace(account(), groups=mains("leads", "contacts", "companies")), reading, {})
    assert said is not None
    assert part in said


# -- limits --


def refusal(desired: Snapshot, existing: Snapshot) -> str | None:
    return limits(make_plan(desired, existing, {}, Scope.FULL), existing)


def many(number: int, start: int = 1, prefix: str = "P") -> Snapshot:
    return snapshot(*(pipeline(at, f"{prefix}{at}") for at in range(start, start + number)))


@pytest.mark.parametrize(
    ("ours", "theirs", "refused"), [(10, 40, False), (11, 40, True), (50, 0, False), (51, 0, True)]
)
def test_50_pipelines_are_the_most(ours: int, theirs: int, refused: bool) -> None:
    assert (refusal(many(ours), many(theirs, 500, "Own ")) is not None) is refused


def test_an_account_over_the_limit_may_still_be_updated() -> None:
    assert refusal(many(3), many(60, 1)) is None


@pytest.mark.parametrize(("ours", "refused"), [(97, False), (98, True)])
def test_100_stages_are_the_most_the_system_stages_included(ours: int, refused: bool) -> None:
    desired = snapshot(pipeline(1, "A", *(stage(5 + at, f"S{at}") for at in range(ours))))
    assert (refusal(desired, many(1, 900)) is not None) is refused
    assert (refusal(desired, snapshot(pipeline(11, "A"))) is not None) is refused
