"""The gate of a promotion: shut, then open for what one plan says, method by method."""

from dataclasses import replace
from typing import Any

import pytest

from syncing.adapters.gate import Gate
from syncing.engine.plan import make_plan
from syncing.engine.promotion import Pick, Proposal, propose
from syncing.engine.refs import Kind, Ref, Scope
from syncing.engine.resources.custom_fields import CustomField, Enum
from syncing.engine.resources.pipelines import Pipeline
from syncing.engine.rules import Rules
from syncing.engine.snapshot import Snapshot, refs_in
from syncing.tests.engine.items import field, group, pipeline, snapshot, stage

SALES = pipeline(1, "Sales", stage(10, "New"), stage(11, "Offer"))
SOURCE = field(20, "Source", "select", enums=(Enum(1, "Web", 1), Enum(2, "Phone", 2)))
NOTES = field(21, "Notes")
MASTER = snapshot(SALES, group("leads_1", "Deal"), SOURCE, NOTES)


def opened(source: Snapshot, *picks: Pick) -> Gate:
    """A gate for what `picks` of a copy of the master change in it."""
    found: Proposal = propose(source, MASTER, {ref: ref.key for ref in refs_in(MASTER)}, picks)
    assert not found.problems
    plan = make_plan(found.desired, MASTER, found.known, Scope.FULL, Rules(only=found.only))
    assert plan.changes
    gate = Gate()
    gate.open(plan, MASTER)
    return gate


def changed(*new: CustomField | Pipeline) -> Snapshot:
    """The master with these in the place of its own, or added."""
    fields = {item.id: item for item in MASTER.fields or ()} | {i.id: i for i in new if isinstance(i, CustomField)}
    pipelines = {item.id: item for item in MASTER.pipelines} | {i.id: i for i in new if isinstance(i, Pipeline)}
    return replace(MASTER, fields=tuple(fields.values()), pipelines=tuple(pipelines.values()))


COLOUR = Pick(Kind.CUSTOM_FIELD, "leads/99")


def test_shut_it_lets_nothing_through() -> None:
    gate = Gate()
    for method in ("POST", "PATCH", "DELETE", "PUT"):
        for body in (None, {}, [], [{"name": "Colour"}], {"name": "Colour"}):
            assert not gate(method, "/leads/custom_fields", body)


@pytest.mark.parametrize(
    ("method", "path", "body", "passes"),
    [
        ("POST", "/leads/custom_fields", [{"name": "Colour", "type": "text"}], True),
        ("POST", "/leads/custom_fields", [{"name": "Colour"}, {"name": "Other"}], False),
        ("POST", "/leads/custom_fields", [{"name": "Other"}], False),
        ("POST", "/leads/custom_fields", [], False),
        ("POST", "/contacts/custom_fields", [{"name": "Colour"}], False),
        ("POST", "/leads/pipelines", [{"name": "Colour"}], False),
        ("PATCH", "/leads/custom_fields", [{"id": 21, "name": "Colour"}], False),
        ("PATCH", "/leads/custom_fields", [{"id": 20, "sort": 1}], False),
        ("DELETE", "/leads/custom_fields/20", None, False),
        ("PUT", "/leads/custom_fields", [{"name": "Colour"}], False),
    ],
)
def test_open_for_a_new_field_only_that_may_be_made(method: str, path: str, body: Any, passes: bool) -> None:
    gate = opened(changed(field(99, "Colour")), COLOUR)

    assert gate(method, path, body) is passes


def test_what_was_made_through_it_may_be_put_right_but_never_deleted() -> None:
    gate = opened(changed(field(99, "Colour")), COLOUR)
    assert not gate("PATCH", "/leads/custom_fields", [{"id": 500, "sort": 7}])

    gate.admit(Ref(Kind.CUSTOM_FIELD, "leads/-99"), "leads/500")

    assert gate("PATCH", "/leads/custom_fields", [{"id": 500, "sort": 7}])
    assert not gate("PATCH", "/leads/custom_fields", [{"id": 500, "sort": 7}, {"id": 21, "sort": 8}])
    assert not gate("DELETE", "/leads/custom_fields/500", None)


def test_open_for_an_attribute_it_lets_only_this_one_of_this_item_through() -> None:
    gate = opened(
        changed(replace(NOTES, name="Remarks", is_api_only=True)), Pick(Kind.CUSTOM_FIELD, "leads/21", "name")
    )

    assert gate("PATCH", "/leads/custom_fields", [{"id": 21, "name": "Remarks"}])
    assert not gate("PATCH", "/leads/custom_fields", [{"id": 21, "name": "Remarks", "is_api_only": True}])
    assert not gate("PATCH", "/leads/custom_fields", [{"id": 20, "name": "Remarks"}])
    assert not gate("POST", "/leads/custom_fields", [{"name": "Remarks"}])


def test_open_for_an_option_it_wants_all_the_others_with_their_ids() -> None:
    more = replace(SOURCE, enums=(*SOURCE.enums, Enum(3, "Fair", 3)))
    gate = opened(changed(more), Pick(Kind.ENUM, "leads/20/3"))

    def patch(*enums: dict[str, Any]) -> bool:
        return gate("PATCH", "/leads/custom_fields", [{"id": 20, "enums": list(enums)}])

    assert patch({"id": 1, "value": "Web"}, {"id": 2, "value": "Phone"}, {"value": "Fair"})
    assert not patch({"id": 1, "value": "Web"}, {"value": "Fair"})
    assert not patch({"value": "Web"}, {"value": "Phone"}, {"value": "Fair"})


def test_open_for_a_stage_it_lets_it_into_its_own_pipeline_only() -> None:
    more = replace(SALES, stages=(*SALES.stages, stage(12, "Called")))
    gate = opened(changed(more), Pick(Kind.STAGE, "1/12"))

    assert gate("POST", "/leads/pipelines/1/statuses", [{"name": "Called"}])
    assert not gate("POST", "/leads/pipelines/77/statuses", [{"name": "Called"}])
    assert not gate("PATCH", "/leads/pipelines/1/statuses/10", {"name": "New", "color": "#fff", "sort": 90})
    assert not gate("DELETE", "/leads/pipelines/1/statuses/10", None)


def test_open_for_a_pipeline_it_lets_it_in_with_its_own_stages_and_not_as_the_main_one() -> None:
    gate = opened(changed(pipeline(70, "Support", stage(71, "Open"))), Pick(Kind.PIPELINE, "70"))

    def post(*names: str, **facts: Any) -> bool:
        statuses = [{"id": 142, "name": "Won"}, *({"name": name} for name in names)]
        return gate("POST", "/leads/pipelines", [{"name": "Support", "_embedded": {"statuses": statuses}, **facts}])

    assert post("Open")
    assert not post("Open", "Closed")
    assert not post("Open", is_main=True)
    assert not gate("PATCH", "/leads/pipelines/1", {"name": "Sales", "is_main": True})


def test_a_pipeline_that_was_made_with_some_of_its_stages_may_get_the_rest_of_them() -> None:
    gate = opened(changed(pipeline(70, "Support", stage(71, "Open"), stage(72, "Closed"))), Pick(Kind.PIPELINE, "70"))
    assert not gate("POST", "/leads/pipelines/900/statuses", [{"name": "Closed"}])

    gate.admit(Ref(Kind.PIPELINE, "-70"), "900")

    assert gate("POST", "/leads/pipelines/900/statuses", [{"name": "Closed"}])
    assert not gate("POST", "/leads/pipelines/900/statuses", [{"name": "Other"}])
    assert not gate("POST", "/leads/pipelines/1/statuses", [{"name": "Closed"}])
