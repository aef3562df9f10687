"""Plan: what must change, in words; nothing else."""

import json
from dataclasses import replace

import pytest

from syncing.engine.changes import Action
from syncing.engine.plan import Plan, make_plan
from syncing.engine.refs import Kind, Ref, Scope
from syncing.engine.resources.stages import Description
from syncing.engine.snapshot import Snapshot
from syncing.tests.engine.items import field, group, pipeline, snapshot, stage

MASTER = snapshot(
    pipeline(1, "Sales", stage(5, "New"), stage(6, "Offer"), is_main=True),
    pipeline(2, "Service", stage(7, "Ticket")),
    group("leads_1", "Deal"),
    field(3, "Source", "select", enums=["Web", "Fair"], group_id="leads_1", required_statuses=((1, 5), (2, 143))),
    field(4, "Budget", "monetary", currency="BRL"),
)


def plan(desired: Snapshot, existing: Snapshot, scope: Scope = Scope.FULL, known: dict[Ref, str] | None = None) -> Plan:
    return make_plan(desired, existing, known or {}, scope)


def rows(made: Plan) -> list[tuple[str, str, str]]:
    return [(str(change.action), str(change.ref.kind), change.name) for change in made.changes]


def fields(made: Plan, name: str) -> dict[str, tuple[object, object]]:
    return dict(next(change for change in made.changes if change.name == name).fields)


@pytest.mark.parametrize("scope", Scope)
def test_a_plan_for_itself_is_empty(scope: Scope) -> None:
    made = plan(MASTER, MASTER, scope)
    assert (made.changes, made.conflicts, made.extras, made.manual) == ((), (), (), ())


def test_an_empty_account_gets_everything_parents_before_children() -> None:
    made = plan(MASTER, snapshot())
    assert rows(made) == [
        ("create", "pipeline", "Sales"), ("create", "stage", "New"), ("create", "stage", "Offer"),
        ("create", "pipeline", "Service"), ("create", "stage", "Ticket"),
        ("create", "field_group", "Deal"), ("create", "custom_field", "Source"), ("create", "custom_field", "Budget"),
    ]  # fmt: skip
    assert fields(made, "Source") == {
        "type": (None, "select"),
        "enums": (None, ["Web", "Fair"]),
        "group": (None, "Deal"),
        "required_statuses": (None, ["Sales / New", "Service / Closed - lost"]),
    }


def test_the_scope_of_fields_requires_only_in_stages_that_are_there() -> None:
    existing = snapshot(pipeline(11, "Sales", stage(15, "New")))
    made = plan(MASTER, existing, Scope.CUSTOM_FIELDS)
    assert {row[1] for row in rows(made)} == {"field_group", "custom_field"}
    assert fields(made, "Source")["required_statuses"] == (None, ["Sales / New"])


def test_the_scope_of_pipelines_says_nothing_of_fields() -> None:
    made = plan(Snapshot(MASTER.pipelines), Snapshot((pipeline(11, "Own"),)), Scope.PIPELINES)
    assert {row[1] for row in rows(made)} == {"pipeline", "stage"}
    assert [extra.name for extra in made.extras] == ["Own"]


def test_old_and_new_are_said_in_words() -> None:
    existing = replace(
        MASTER,
        pipelines=(
            pipeline(1, "sales", stage(6, "Offer", 1, color="#87f2c0"), stage(5, "New", 2)),
            pipeline(2, "Service", stage(7, "Ticket"), is_main=True),
        ),
    )
    made = plan(MASTER, existing)
    assert fields(made, "Sales")["name"] == ("sales", "Sales")
    assert fields(made, "Sales")["is_main"] == (None, True)
    assert fields(made, "Offer")["color"] == ("#87f2c0", "#fffeb2")
    moved = [change.fields["position"] for change in made.changes if "position" in change.fields]
    assert moved in ([(1, 2)], [(2, 1)])


def test_no_number_of_the_slave_is_in_a_plan() -> None:
    existing = snapshot(
        pipeline(7_001, "Sales", stage(7_002, "Offer"), stage(7_003, "Own")),
        group("leads_7004", "deal"),
        field(7_005, "Source", "select", enums=["Fair", "Own"], group_id=None, required_statuses=((7_001, 7_003),)),
    )
    made = plan(MASTER, existing)
    text = json.dumps(
        [[change.name, change.parent, change.fields, str(change.ref)] for change in made.changes]
        + [[item.name, item.parent] for item in (*made.extras, *made.manual, *made.conflicts)],
        default=list,
    )
    assert "700" not in text


def test_the_digest_knows_what_is_done_and_not_where() -> None:
    here, there = snapshot(pipeline(11, "Own")), snapshot(pipeline(12, "Other"))
    assert plan(MASTER, here).digest == plan(MASTER, there).digest
    renamed = replace(MASTER, fields=(*(MASTER.fields or ())[:1], field(4, "Ticket", "monetary", currency="BRL")))
    assert plan(renamed, here).digest != plan(MASTER, here).digest
    assert plan(MASTER, MASTER).digest == plan(renamed, renamed).digest


def test_the_digest_does_not_depend_on_the_accounts_language() -> None:
    def account(number: int, main: str, won: str) -> Snapshot:
        made = snapshot(
            pipeline(number, "Sales", stages=(stage(142, won, editable=False), stage(number + 1, "New"))),
            group(f"leads_{number}", "Deal"),
            field(number, "Source", required_statuses=((number, 142),)),
        )
        return replace(made, groups=(group("default", main), *(made.groups or ())[1:]))

    ours = account(1, "Main", "Closed - won")
    ours = replace(ours, fields=(field(1, "Source", group_id="leads_1"),))
    plans = [plan(ours, account(11, "Principal", "Venda ganha")), plan(ours, account(21, "Main", "Closed - won"))]
    assert [fields(made, "Source")["group"] for made in plans] == [("Main", "Deal")] * 2
    assert plans[0].digest == plans[1].digest


def test_a_renamed_system_stage_is_made_with_its_pipeline_and_manual_later() -> None:
    ours = snapshot(pipeline(1, "A", stages=(stage(142, "Signed", editable=False),)))
    assert plan(ours, snapshot()).manual == ()
    later = plan(ours, snapshot(pipeline(11, "A")))
    assert (later.changes, [item.name for item in later.manual]) == ((), ["Signed"])


def test_descriptions_compare_only_the_masters_levels() -> None:
    def with_texts(*texts: tuple[str, str]) -> Snapshot:
        described = tuple(Description(9, level, text) for level, text in texts)
        return snapshot(pipeline(1, "A", stage(5, "x", descriptions=described)))

    assert plan(with_texts(("newbie", "a")), with_texts(("newbie", "a"), ("master", "own"))).changes == ()
    assert plan(with_texts(), with_texts(("master", "own"))).changes == ()
    made = plan(with_texts(("newbie", "b")), with_texts(("newbie", "a")))
    assert fields(made, "x") == {"descriptions": ({"newbie": "a"}, {"newbie": "b"})}


def test_hidden_statuses_are_not_sent_to_an_account_without_the_feature() -> None:
    ours = snapshot(pipeline(1, "A", stage(5, "x")), field(3, "f", hidden_statuses=((1, 5),)))
    for existing in (
        snapshot(pipeline(1, "A", stage(5, "x"))),
        snapshot(pipeline(1, "A", stage(5, "x")), field(9, "f")),
    ):
        made = plan(ours, existing)
        assert all("hidden_statuses" not in change.fields for change in made.changes)
        assert ["hidden by stage" in item.message for item in made.manual] == [True]
        assert "hidden_statuses" not in made.desired.items[Ref(Kind.CUSTOM_FIELD, "leads/3")].attributes


def test_a_field_that_the_account_has_in_an_unreachable_group_is_not_moved() -> None:
    ours = snapshot(group("leads_1", "Deal"), field(3, "f", group_id="leads_1"))
    theirs = snapshot(group("leads_8", "Deal"), group("leads_9", "Deal"), field(13, "f"))
    made = plan(ours, theirs)
    assert [change for change in made.changes if change.ref.kind is Kind.CUSTOM_FIELD] == []
    assert {conflict.ref.kind for conflict in made.conflicts} == {Kind.FIELD_GROUP}


def test_nothing_is_ever_planned_to_be_deleted() -> None:
    made = plan(snapshot(pipeline(1, "A")), MASTER)
    assert Action.DELETE not in {change.action for change in made.changes}
    assert {extra.name for extra in made.extras} >= {"Sales", "Service", "Deal", "Source", "Budget"}
