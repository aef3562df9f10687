"""Exclusions: what of the master an account is not given, and that all around it goes on."""

from dataclasses import replace

import pytest

from syncing.engine.changes import Change
from syncing.engine.exclusions import excluded_names, excluded_refs
from syncing.engine.plan import Plan, make_plan
from syncing.engine.refs import Kind, Ref, Scope
from syncing.engine.rules import WHOLE, ExclusionRule, Rules
from syncing.engine.snapshot import Snapshot
from syncing.tests.engine.items import field, group, pipeline, snapshot, stage

P, S, G, F, E = Kind.PIPELINE, Kind.STAGE, Kind.FIELD_GROUP, Kind.CUSTOM_FIELD, Kind.ENUM

MASTER = snapshot(
    pipeline(1, "Sales", stage(5, "New"), stage(6, "Offer"), is_main=True),
    pipeline(2, "Service", stage(7, "Ticket")),
    group("leads_1", "Deal"),
    field(3, "Source", "select", enums=["Web", "Fair"], group_id="leads_1", required_statuses=((1, 5), (2, 7))),
    field(4, "Budget", "numeric"),
)
# Everything is called and coloured otherwise; the mappings know it all the same.
SLAVE = snapshot(
    pipeline(11, "S", stage(16, "b", 1, color="#fff000"), stage(15, "a", 2, color="#fff000"), is_unsorted_on=False),
    pipeline(12, "T", stage(17, "c", color="#fff000"), is_main=True),
    group("leads_9", "d"),
    field(13, "e", "select", enums=["f", "g", "Own"]),
    field(14, "h", "numeric", is_api_only=True),
)
KNOWN = {
    Ref(P, "1"): "11", Ref(P, "2"): "12", Ref(S, "1/5"): "11/15", Ref(S, "1/6"): "11/16", Ref(S, "2/7"): "12/17",
    Ref(G, "leads/leads_1"): "leads/leads_9", Ref(F, "leads/3"): "leads/13", Ref(F, "leads/4"): "leads/14",
    Ref(E, "leads/3/301"): "leads/13/1301", Ref(E, "leads/3/302"): "leads/13/1302",
}  # fmt: skip
EMPTY = snapshot()


def without(
    *exclusions: ExclusionRule, existing: Snapshot = SLAVE, accepted: frozenset[tuple[Ref, str]] = frozenset()
) -> Plan:
    rules = Rules(exclusions=frozenset(exclusions), accepted=accepted)
    return make_plan(MASTER, existing, KNOWN, Scope.FULL, rules)


def touched(made: Plan) -> set[str]:
    return {change.name for change in made.changes}


def change_of(made: Plan, name: str) -> Change:
    return next(change for change in made.changes if change.name == name)


EVERYTHING = {"Sales", "New", "Offer", "Service", "Ticket", "Deal", "Source", "Budget"}


def test_without_exclusions_everything_is_brought_into_step() -> None:
    assert touched(without()) | {"Offer"} == EVERYTHING
    assert touched(without(existing=EMPTY)) == EVERYTHING
    assert excluded_refs(MASTER, Rules()) == frozenset()


@pytest.mark.parametrize("existing", [SLAVE, EMPTY])
@pytest.mark.parametrize(("excluded", "left"), [
    (ExclusionRule(P, "Sales"), {"Sales", "New", "Offer"}),
    (ExclusionRule(P, "  sALES "), {"Sales", "New", "Offer"}),
    (ExclusionRule(P), {"Sales", "New", "Offer", "Service", "Ticket"}),
    (ExclusionRule(S, "Offer"), {"Offer"}),
    (ExclusionRule(S), {"New", "Offer", "Ticket"}),
    (ExclusionRule(G, "Deal"), {"Deal", "Source"}),
    (ExclusionRule(F, "Source"), {"Source"}),
    (ExclusionRule(F), {"Source", "Budget"}),
    (ExclusionRule(F, "Sales"), set()),
    (ExclusionRule(P, "Sale"), set()),
])  # fmt: skip
def test_what_is_excluded_is_left_out_with_all_inside_it(
    excluded: ExclusionRule, left: set[str], existing: Snapshot
) -> None:
    made = without(excluded, existing=existing)
    assert touched(made) & left == set()
    assert touched(made) | {"Offer"} == EVERYTHING - left | {"Offer"}
    assert made.conflicts == ()
    assert [extra.name for extra in made.extras if extra.name not in ("Own", "Pipeline")] == [], "it is no extra"


def test_names_are_compared_as_they_are_matched() -> None:
    assert excluded_names([ExclusionRule(P, "Déjà  vu")], P, {"De\u0301ja\u0300 VU "}) == {"De\u0301ja\u0300 VU "}
    assert excluded_names([ExclusionRule(P, "Sales")], S, {"Sales"}) == set()
    assert excluded_names([ExclusionRule(P)], P, {"whatever"}) == {"whatever"}


@pytest.mark.parametrize(("name", "left"), [
    ("STATUS", {"STATUS"}), ("Status", {"Status"}), ("status", {"Status", "STATUS"}),
])  # fmt: skip
def test_of_names_that_differ_in_case_the_exact_one_is_excluded(name: str, left: set[str]) -> None:
    for kind, master in {
        P: snapshot(pipeline(1, "Status"), pipeline(2, "STATUS")),
        S: snapshot(pipeline(1, "Sales", stage(5, "Status"), stage(6, "STATUS"))),
        G: snapshot(group("leads_1", "Status"), group("leads_2", "STATUS")),
        F: snapshot(field(1, "Status"), field(2, "STATUS")),
    }.items():
        rules = Rules(exclusions=frozenset({ExclusionRule(kind, name)}))
        out = excluded_refs(master, rules)
        assert {each.name for each in all_of(master) if each.ref in out and each.ref.kind is kind} == left


def all_of(master: Snapshot) -> list[Change]:
    return list(make_plan(master, EMPTY, {}, Scope.FULL).changes)


def test_an_exclusion_by_case_is_looked_for_in_each_list_by_itself() -> None:
    master = snapshot(pipeline(1, "A", stage(5, "New")), pipeline(2, "B", stage(6, "new")))
    rules = Rules(exclusions=frozenset({ExclusionRule(S, "New")}))
    assert excluded_refs(master, rules) == {Ref(S, "1/5"), Ref(S, "2/6")}


def test_a_system_stage_is_not_excluded_by_its_name() -> None:
    assert excluded_refs(MASTER, Rules(exclusions=frozenset({ExclusionRule(S, "Closed - won")}))) == frozenset()


def test_a_stage_that_is_left_out_is_not_moved_and_the_others_come_in_order_without_it() -> None:
    made = without(ExclusionRule(S, "New"))
    assert all("position" not in change.fields for change in made.changes if change.ref.kind is S)
    assert made.orders["stages of 1"] == (Ref(S, "1/6"),)


def test_what_a_field_requires_in_a_pipeline_that_is_left_out_is_left_to_the_account() -> None:
    made = without(ExclusionRule(P, "Sales"))
    assert change_of(made, "Source").fields["required_statuses"] == ([], ["Service / Ticket"])
    assert Ref(S, "1/5") not in made.shared_stages
    own = replace(SLAVE, fields=(replace((SLAVE.fields or ())[0], required_statuses=((11, 15), (12, 17))),))
    assert "required_statuses" not in change_of(without(ExclusionRule(P, "Sales"), existing=own), "Source").fields


def test_a_field_of_an_excluded_group_is_not_made_in_another_one() -> None:
    bare = snapshot(*SLAVE.pipelines)
    made = without(ExclusionRule(G, "Deal"), existing=bare)
    assert "Source" not in touched(made)
    assert made.conflicts == ()


def test_a_conflict_of_what_is_left_out_is_nobodys_business() -> None:
    twice = snapshot(pipeline(21, "Sales"), pipeline(22, "Sales"))
    assert [c.name for c in make_plan(MASTER, twice, {}, Scope.FULL).conflicts] == ["Sales"]
    rules = Rules(exclusions=frozenset({ExclusionRule(P, "Sales")}))
    assert make_plan(MASTER, twice, {}, Scope.FULL, rules).conflicts == ()


def test_an_archived_twin_of_an_excluded_pipeline_is_no_conflict() -> None:
    archived = replace(SLAVE, pipelines=(replace(SLAVE.pipelines[0], is_archive=True), SLAVE.pipelines[1]))
    assert [c.name for c in without(existing=archived).conflicts] == ["Sales"]
    assert without(ExclusionRule(P, "Sales"), existing=archived).conflicts == ()


def test_manual_items_of_what_is_left_out_are_not_told() -> None:
    desired = replace(MASTER, fields=(*(MASTER.fields or ()), field(9, "Chain", "chained_list")))
    assert [m.name for m in make_plan(desired, SLAVE, KNOWN, Scope.FULL).manual] == ["Chain"]
    rules = Rules(exclusions=frozenset({ExclusionRule(F, "Chain")}))
    assert make_plan(desired, SLAVE, KNOWN, Scope.FULL, rules).manual == ()


# -- accepted as a whole --


@pytest.mark.parametrize(("ref", "left"), [
    (Ref(P, "1"), {"Sales", "New", "Offer"}),
    (Ref(S, "1/6"), {"Offer"}),
    (Ref(F, "leads/3"), {"Source"}),
    (Ref(G, "leads/leads_1"), {"Deal"}),
])  # fmt: skip
def test_an_accepted_item_is_left_out_and_a_group_only_itself(ref: Ref, left: set[str]) -> None:
    made = without(accepted=frozenset({(ref, WHOLE)}))
    assert touched(made) | {"Offer"} == EVERYTHING - left | {"Offer"}


def test_an_accepted_missing_group_takes_new_fields_of_it_along_but_not_those_that_are_there() -> None:
    accepted = frozenset({(Ref(G, "leads/leads_1"), WHOLE)})
    bare = snapshot(*SLAVE.pipelines, *(SLAVE.fields or ())[1:])
    assert "Source" not in touched(without(existing=bare, accepted=accepted))
    there = snapshot(*SLAVE.pipelines, *(SLAVE.fields or ()))
    made = without(existing=there, accepted=accepted)
    assert "group" not in change_of(made, "Source").fields
    assert change_of(made, "Source").fields["name"] == ("e", "Source")


def test_without_a_name_the_groups_of_people_are_meant_and_the_main_one_goes_on() -> None:
    made = without(ExclusionRule(G))
    assert {"Deal", "Source"}.isdisjoint(touched(made))
    assert "Budget" in touched(made)


def test_the_main_group_can_be_left_out_by_its_name() -> None:
    assert "Budget" not in touched(without(ExclusionRule(G, "Main")))
