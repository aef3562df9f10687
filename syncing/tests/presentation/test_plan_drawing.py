"""A plan as a drawing: what is drawn as before is the account, what is drawn as after is the master."""

import json
from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import given

from accounts.tests.laws import law, seeds
from syncing.engine.changes import Action, Change
from syncing.engine.plan import make_plan
from syncing.engine.refs import Kind, Ref, Scope
from syncing.engine.resources.custom_fields import CustomField
from syncing.engine.resources.pipelines import Pipeline
from syncing.engine.resources.stages import Stage
from syncing.engine.rules import Rules, Unmatched
from syncing.engine.snapshot import Snapshot, resources_of
from syncing.presentation.drawing import DrawnPipeline, Mark
from syncing.presentation.plan_drawing import DrawnPlan, draw_plan
from syncing.presentation.stage_matrix import MatrixRow
from syncing.tests.engine.items import field, group, pipeline, snapshot, stage

DELETING = Rules(unmatched=dict.fromkeys(Kind, Unmatched.DELETE_ALL))
PALETTE = ("#fffeb2", "#98cbff", "#87f2c0")
MASTER = snapshot(
    pipeline(1, "Sales", stage(11, "New"), stage(12, "Offer"), stage(13, "Signed"), is_main=True),
    pipeline(2, "Care", stage(21, "Call"), stage(22, "Visit")),
    group("g1", "Deal"),
    group("g2", "Site", sort=1),
    field(5, "Source", "select", enums=("Web", "Fair", "Friend"), group_id="g1", required_statuses=((1, 12),)),
    field(6, "Budget", group_id="g1"),
    field(7, "Address", group_id="g2"),
)


def row_of(change: Change) -> dict[str, Any]:
    """A change as a document has it, from the database."""
    row = {"action": change.action, "kind": change.ref.kind, "name": change.name, "parent": change.parent}
    return json.loads(json.dumps({**row, "fields": dict(change.fields), "outcome": "planned"}, default=list))


def drawn(account: Snapshot, master: Snapshot = MASTER, rules: Rules = DELETING) -> DrawnPlan:
    """The plan of an account in which equal ids mean the same."""
    here = set(resources_of(account))
    known = {ref: ref.key for ref in resources_of(master) if ref in here}
    changes = make_plan(master, account, known, Scope.FULL, rules).changes
    return draw_plan([row_of(change) for change in changes], master)


def names(drawing: DrawnPipeline | None) -> list[str]:
    return [chip.name for chip in drawing.stages] if drawing else []


def ordinary(pipeline: Pipeline) -> list[Stage]:
    return sorted((each for each in pipeline.stages if not each.is_system), key=lambda each: (each.sort, each.id))


def with_stages(item: Pipeline, stages: list[Stage]) -> Pipeline:
    numbered = tuple(replace(each, sort=100 + at) for at, each in enumerate(stages))
    return replace(item, stages=(*(each for each in item.stages if each.is_system), *numbered))


def with_fields(*fields: CustomField) -> Snapshot:
    return replace(MASTER, fields=fields)


def seen(drawing: DrawnPipeline | None) -> list[tuple[str, str]]:
    """Name and colour of the ordinary stages that the master has too, in the order in which they are drawn."""
    shown = drawing.stages if drawing else ()
    return [(chip.name, chip.color) for chip in shown if not chip.is_system and chip.mark is not Mark.REMOVED]


def changed_at_random(master: Snapshot, rng: Random) -> Snapshot:
    """The account of somebody who has renamed, moved, painted, removed and added stages."""
    pipelines = []
    for item in master.pipelines:
        stages = [each for each in ordinary(item) if rng.random() < 0.8]
        rng.shuffle(stages)
        stages = [
            replace(
                each,
                name=f"{each.name} {each.id} old" if rng.random() < 0.3 else each.name,
                color=rng.choice(PALETTE),
            )
            for each in stages
        ]
        stages += [stage(item.id * 100 + at, f"Own {item.id} {at}") for at in range(rng.randint(0, 2))]
        rng.shuffle(stages)
        pipelines.append(with_stages(item, stages))
    return replace(master, pipelines=tuple(pipelines))


@given(seeds)
@law(60)
def test_before_is_the_account_and_after_is_the_master(seed) -> None:
    rng = Random(seed)
    stages = [
        stage(number, f"Stage {number}", color=rng.choice(PALETTE)) for number in range(10, 10 + rng.randint(1, 9))
    ]
    master = snapshot(
        pipeline(1, "Sales", *stages, is_main=True), pipeline(2, "Care", stage(31, "Call"), stage(32, "Visit"))
    )
    account = changed_at_random(master, rng)
    plan = drawn(account, master)

    assert not plan.undrawn
    theirs = {str(each.id): each for each in account.pipelines}
    ours = {str(each.id): each for each in master.pipelines}
    pairs = {pair.shown.title.key: pair for pair in plan.pipelines}
    for key, pair in pairs.items():
        shared = [each for each in ordinary(theirs[key]) if not each.name.startswith("Own")]
        assert seen(pair.before) == [(each.name, each.color) for each in shared]
        assert seen(pair.after) == [(each.name, each.color) for each in ordinary(ours[key])]
    assert sorted([*pairs, *(each.title.key for each in plan.same_pipelines)]) == sorted(ours)


def test_a_new_funnel_has_no_before_and_one_that_goes_no_after() -> None:
    account = replace(MASTER, pipelines=(MASTER.pipelines[0], pipeline(9, "Old", stage(91, "Start"), stage(92, "End"))))
    new, gone = drawn(account).pipelines

    assert (new.before, names(new.after)) == (
        None,
        ["Incoming leads", "Call", "Visit", "Closed - won", "Closed - lost"],
    )
    assert (gone.shown.title.name, names(gone.before), gone.after) == ("Old", ["Start", "End"], None)
    assert {chip.mark for chip in gone.before.stages} == {Mark.REMOVED}


def test_options_are_added_renamed_and_reordered() -> None:
    source = MASTER.fields[0]
    web, fair, friend = source.enums
    mine = replace(source, enums=(replace(fair, sort=1), replace(web, sort=2, value="Site"), replace(friend, sort=3)))
    (leads,) = drawn(with_fields(mine, *MASTER.fields[1:])).groups
    (pair,) = leads.fields

    assert [chip.name for chip in pair.before.options] == ["Fair", "Site", "Friend"]
    assert [chip.name for chip in pair.after.options] == ["Web", "Fair", "Friend"]
    assert (leads.title.name, leads.same, pair.draws_options, pair.details) == ("Deal", 1, True, [])
    assert (pair.after.options[0].mark, pair.after.options[0].old_name) == (Mark.RENAMED, "Site")


def test_a_new_option_is_new_though_another_is_renamed_beside_it() -> None:
    source = MASTER.fields[0]
    web, fair, _friend = source.enums
    (leads,) = drawn(with_fields(replace(source, enums=(web, replace(fair, value="Expo"))), *MASTER.fields[1:])).groups
    (pair,) = leads.fields

    assert [chip.mark for chip in pair.before.options] == [Mark.NONE, Mark.CHANGED]
    assert [chip.mark for chip in pair.after.options] == [Mark.NONE, Mark.CHANGED, Mark.CHANGED]  # which, nobody knows

    master = replace(MASTER, fields=(field(5, "Source", "select", enums=("A", "B", "C", "New"), group_id="g1"),))
    old = replace(master.fields[0], enums=tuple(replace(each, value="Z" if each.value == "B" else each.value)
                                                for each in master.fields[0].enums[:3]))  # fmt: skip
    (leads,) = drawn(replace(master, fields=(old,)), master).groups
    marks = [(chip.name, chip.mark, chip.old_name) for chip in leads.fields[0].after.options if chip.mark]
    assert marks == [("B", Mark.RENAMED, "Z"), ("New", Mark.ADDED, "")]


def test_of_many_options_those_are_folded_that_stay() -> None:
    options = tuple(f"City {number}" for number in range(300))
    master = replace(MASTER, fields=(field(5, "City", "select", enums=options, group_id="g1"),))
    item = master.fields[0]
    first, *rest = item.enums
    (leads,) = drawn(
        replace(master, fields=(replace(item, enums=(replace(first, value="Old"), *rest)),)), master
    ).groups
    shown, folded = leads.fields[0].after.stretches

    assert [chip.name for chip in shown.chips] == ["City 0", "City 1"]
    assert (shown.is_folded, folded.is_folded, len(folded.chips)) == (False, True, 298)


def test_a_field_that_moves_to_another_group_tells_where_it_comes_from() -> None:
    source, budget, address = MASTER.fields
    (site,) = drawn(with_fields(source, budget, replace(address, group_id="g1"))).groups

    assert (site.title.name, site.fields[0].moved_from, site.fields[0].shown.title.mark) == ("Site", "Deal", Mark.MOVED)


def test_what_is_deleted_stands_in_the_group_that_takes_another_name() -> None:
    groups = [replace(each, name="Business") if each.id == "g1" else each for each in MASTER.groups]
    account = replace(
        with_fields(*MASTER.fields, field(99, "Fax", "select", enums=("Yes",), group_id="g1")), groups=tuple(groups)
    )
    plan = drawn(account)
    (deal,) = plan.groups
    (fax,) = deal.fields

    assert (deal.title.name, deal.title.old_name, plan.undrawn) == ("Deal", "Business", ())
    assert (fax.before.title.name, [each.name for each in fax.before.options], fax.after) == ("Fax", ["Yes"], None)


def test_what_is_required_is_a_table_with_the_stages_as_the_master_calls_them() -> None:
    """The account calls the stage otherwise until then: that is no other stage."""
    sales = with_stages(MASTER.pipelines[0], [stage(11, "New"), stage(12, "Proposal"), stage(13, "Signed")])
    source, budget, address = MASTER.fields
    mine = replace(source, required_statuses=((1, 12), (1, 11)))
    account = replace(with_fields(mine, budget, address), pipelines=(sales, MASTER.pipelines[1]))
    (matrix,) = drawn(account).matrices

    assert (matrix.attribute, matrix.pipeline, matrix.stages) == ("required_statuses", "Sales", ("New", "Offer"))
    assert matrix.rows == (MatrixRow("Source", "leads/Deal", ("removed", "same")),)


def test_a_change_whose_place_is_not_known_is_not_drawn_anywhere() -> None:
    """Of two stages with one name nobody can tell which is meant."""
    twins = pipeline(1, "Sales", stage(11, "Call"), stage(12, "Call"), is_main=True)
    row = row_of(Change(Action.UPDATE, Ref(Kind.STAGE, "1/12"), "Call", "Sales", {"color": ("#fffeb2", "#98cbff")}))
    plan = draw_plan([row], snapshot(twins))

    assert (plan.undrawn, bool(plan), [each.title.name for each in plan.same_pipelines]) == ((row,), False, ["Sales"])


def test_without_the_master_nothing_is_drawn() -> None:
    row = row_of(Change(Action.CREATE, Ref(Kind.PIPELINE, "1"), "Sales", "", {}))

    assert draw_plan([row], None).undrawn == (row,)
