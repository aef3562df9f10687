"""Promotion as a pure function: the plan brings the picks and moves nothing."""

from dataclasses import replace

import pytest

from syncing.engine.changes import Action
from syncing.engine.plan import Plan, make_plan
from syncing.engine.promotion import Pick, Proposal, proposal_document, proposal_from, propose
from syncing.engine.refs import Kind, Ref, Scope
from syncing.engine.resources.custom_fields import CustomField, Enum
from syncing.engine.resources.field_groups import FieldGroup
from syncing.engine.resources.pipelines import Pipeline
from syncing.engine.rules import Rules
from syncing.engine.snapshot import Snapshot
from syncing.tests.engine.items import field, group, pipeline, snapshot, stage

MASTER = snapshot(
    pipeline(1, "Sales", stage(10, "New"), stage(11, "Offer"), stage(12, "Contract"), is_main=True),
    pipeline(2, "Service", stage(20, "Open")),
    group("leads_1", "Deal", sort=2),
    field(30, "Source", "select", group_id="leads_1", enums=["Web", "Phone"], required_statuses=((1, 11), (1, 12))),
    field(31, "Notes"),
    field(32, "Budget", "numeric", group_id="leads_1"),
)
# The slave's own ids: the master's and 1000; it lacks the stage Contract, and stands in another order.
SLAVE = snapshot(
    pipeline(1002, "Service", stage(1020, "Open"), sort=1),
    pipeline(1001, "Sales", stage(1011, "Offer"), stage(1013, "Called", sort=1012), stage(1010, "New", sort=1014)),
    group("leads_1001", "Deal", sort=2),
    field(1030, "Source", "select", group_id="leads_1001", enums=["Web", "Phone", "Fair"]),
    field(1031, "Notes"),
    field(1032, "Budget", "numeric", group_id="leads_1001"),
)


def known() -> dict[Ref, str]:
    """The slave's id mappings turned round."""
    pairs = {
        Kind.PIPELINE: {"1001": "1", "1002": "2"},
        Kind.STAGE: {"1001/1010": "1/10", "1001/1011": "1/11", "1002/1020": "2/20"},
        Kind.FIELD_GROUP: {"leads/leads_1001": "leads/leads_1"},
        Kind.CUSTOM_FIELD: {f"leads/10{number}": f"leads/{number}" for number in (30, 31, 32)},
        Kind.ENUM: {"leads/1030/103001": "leads/30/3001", "leads/1030/103002": "leads/30/3002"},
    }
    return {Ref(kind, own): key for kind, rows in pairs.items() for own, key in rows.items()}


def slave(*new: Pipeline | FieldGroup | CustomField) -> Snapshot:
    """The slave with these in the place of its own, or added."""

    def merged(old: object, kind: type) -> tuple[object, ...]:
        rows = {item.id: item for item in old or ()}  # type: ignore[attr-defined]
        return tuple((rows | {item.id: item for item in new if isinstance(item, kind)}).values())

    return Snapshot(
        merged(SLAVE.pipelines, Pipeline),  # type: ignore[arg-type]
        (*(SLAVE.groups or ()), *(item for item in new if isinstance(item, FieldGroup))),
        merged(SLAVE.fields, CustomField),  # type: ignore[arg-type]
    )


def plan_of(found: Proposal) -> Plan:
    return make_plan(found.desired, MASTER, found.known, Scope.FULL, Rules(only=found.only))


def changes(source: Snapshot, *picks: Pick) -> list[tuple[Action, str, str, dict[str, tuple[object, object]]]]:
    found = propose(source, MASTER, known(), picks)
    assert not found.problems
    plan = plan_of(found)
    assert not plan.conflicts
    assert not plan.extras
    return [(change.action, change.ref.kind, change.name, dict(change.fields)) for change in plan.changes]


def test_nothing_picked_is_nothing_to_do() -> None:
    found = propose(SLAVE, MASTER, known(), [])

    assert found.desired == MASTER
    assert not plan_of(found).changes


@pytest.mark.parametrize("kind", [Kind.PIPELINE, Kind.STAGE, Kind.FIELD_GROUP, Kind.CUSTOM_FIELD, Kind.ENUM])
def test_no_item_of_the_master_is_moved_whatever_order_the_slave_has(kind: Kind) -> None:
    source = slave(pipeline(1003, "Support", stage(1040, "Open"), sort=0), field(1040, "Colour", sort=0))
    source = replace(source, groups=(*(source.groups or ()), group("leads_1002", "More", sort=1)))
    own = {
        Kind.PIPELINE: "1003",
        Kind.STAGE: "1001/1013",
        Kind.FIELD_GROUP: "leads/leads_1002",
        Kind.CUSTOM_FIELD: "leads/1040",
        Kind.ENUM: "leads/1030/103003",
    }
    found = propose(source, MASTER, known(), [Pick(kind, own[kind])])

    plan = plan_of(found)

    assert not any("position" in change.fields for change in plan.changes)
    for name, order in plan.orders.items():
        there = plan.existing.sequences.get(name, ())
        assert order[: len(there)] == there


def test_a_new_pipeline_brings_its_stages_and_never_becomes_the_main_one() -> None:
    source = slave(pipeline(1003, "Support", stage(1040, "Open"), stage(1041, "Done"), is_main=True))

    rows = changes(source, Pick(Kind.PIPELINE, "1003"))

    assert [row[:3] for row in rows] == [
        ("create", "pipeline", "Support"),
        ("create", "stage", "Open"),
        ("create", "stage", "Done"),
    ]
    assert "is_main" not in rows[0][3]


def test_a_new_field_brings_its_group_and_requires_in_the_masters_stages() -> None:
    required = ((1001, 1010), (1001, 1013))
    source = slave(
        group("leads_1002", "More"), field(1040, "Colour", group_id="leads_1002", required_statuses=required)
    )
    found = propose(source, MASTER, known(), [Pick(Kind.CUSTOM_FIELD, "leads/1040")])

    rows = [(change.action, change.name, dict(change.fields)) for change in plan_of(found).changes]

    assert [row[:2] for row in rows] == [("create", "More"), ("create", "Colour")]
    assert rows[1][2]["required_statuses"] == (None, ["Sales / New"])
    assert len(found.remarks) == 1
    assert "Colour" in found.remarks[0]


def test_a_new_field_requires_in_a_stage_that_comes_with_it() -> None:
    source = slave(field(1040, "Colour", required_statuses=((1001, 1013),)))

    rows = changes(source, Pick(Kind.CUSTOM_FIELD, "leads/1040"), Pick(Kind.STAGE, "1001/1013"))

    assert rows[1][3]["required_statuses"] == (None, ["Sales / Called"])


def test_an_attribute_comes_alone() -> None:
    source = slave(replace(SLAVE.pipelines[0], name="Care", is_unsorted_on=False))

    ((action, kind, _name, fields),) = changes(source, Pick(Kind.PIPELINE, "1002", "name"))

    assert (action, kind, fields) == ("update", "pipeline", {"name": ("Service", "Care")})


def test_a_whole_item_that_the_master_has_brings_every_attribute_but_its_place() -> None:
    source = slave(replace(SLAVE.pipelines[0], name="Care", is_unsorted_on=False))

    ((_action, _kind, _name, fields),) = changes(source, Pick(Kind.PIPELINE, "1002"))

    assert set(fields) == {"name", "is_unsorted_on"}


def test_stages_that_only_the_master_has_stay_required() -> None:
    source = slave(replace(SLAVE.fields[0], required_statuses=((1001, 1010),)))  # type: ignore[index]

    ((*_, fields),) = changes(source, Pick(Kind.CUSTOM_FIELD, "leads/1030", "required_statuses"))

    assert fields == {"required_statuses": (["Sales / Contract", "Sales / Offer"], ["Sales / Contract", "Sales / New"])}


def test_an_option_comes_alone_and_last() -> None:
    ((*_, fields),) = changes(SLAVE, Pick(Kind.ENUM, "leads/1030/103003"))

    assert fields == {"enums": (["Web", "Phone"], ["Web", "Phone", "Fair"])}


def test_options_that_were_renamed_keep_their_place_and_none_goes() -> None:
    enums = (Enum(103002, "Telephone", 1), Enum(103003, "Fair", 2))
    source = slave(replace(SLAVE.fields[0], enums=enums))  # type: ignore[index]

    ((*_, fields),) = changes(source, Pick(Kind.CUSTOM_FIELD, "leads/1030", "enums"))

    assert fields == {"enums": (["Web", "Phone"], ["Web", "Telephone"])}


def test_a_stage_of_a_pipeline_that_the_master_lacks_brings_the_pipeline() -> None:
    source = slave(pipeline(1003, "Support", stage(1040, "Open")))

    rows = changes(source, Pick(Kind.STAGE, "1003/1040"))

    assert [row[2] for row in rows] == ["Support", "Open"]


@pytest.mark.parametrize(
    ("pick", "said"),
    [
        (Pick(Kind.PIPELINE, "9"), "not in the account any more"),
        (Pick(Kind.PIPELINE, "1002", "position"), "nothing is moved"),
        (Pick(Kind.PIPELINE, "1002", "type"), "no such attribute"),
        (Pick(Kind.PIPELINE, "1004"), "archived"),
        (Pick(Kind.STAGE, "1001/142"), "Kommo creates it itself"),
        (Pick(Kind.FIELD_GROUP, "leads/default"), "Kommo creates it itself"),
        (Pick(Kind.CUSTOM_FIELD, "leads/1041"), "Kommo creates it itself"),
        (Pick(Kind.ENUM, "leads/1030/103001"), "the master has it already"),
        (Pick(Kind.CUSTOM_FIELD, "leads/1042"), "The type differs"),
    ],
)
def test_what_cannot_be_brought_is_named_and_leaves_the_master_as_it_is(pick: Pick, said: str) -> None:
    source = slave(
        pipeline(1004, "Old", is_archive=True),
        field(1041, "Position", is_predefined=True, code="POSITION"),
        field(1042, "Budget", "text", code=None),
    )
    if pick.key == "leads/1042":
        source = replace(source, fields=tuple(item for item in source.fields or () if item.id != 1032))

    found = propose(source, MASTER, known(), [pick])

    assert found.desired == MASTER
    assert not found.only
    (problem,) = found.problems
    assert said in problem


def test_a_new_item_is_never_taken_for_one_of_the_masters() -> None:
    """Even if the two accounts used the same ids."""
    source = slave(field(31, "Colour"))
    found = propose(source, MASTER, {}, [Pick(Kind.CUSTOM_FIELD, "leads/31")])

    assert [(change.action, change.name) for change in plan_of(found).changes] == [("create", "Colour")]
    assert found.origins == {Ref(Kind.CUSTOM_FIELD, "leads/-31"): "leads/31"}


def test_a_proposal_is_the_same_after_it_was_stored() -> None:
    found = propose(SLAVE, MASTER, known(), [Pick(Kind.ENUM, "leads/1030/103003"), Pick(Kind.STAGE, "1001/1013")])

    stored = proposal_from(proposal_document(found))

    assert (stored.desired, stored.only, stored.origins) == (found.desired, found.only, found.origins)
    assert plan_of(stored).digest == plan_of(found).digest
