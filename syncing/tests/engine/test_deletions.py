"""Deletions: what of the slave's own may go by the policy, and what stays whatever the policy says."""

import json
from dataclasses import replace

import pytest

from syncing.engine.changes import Action
from syncing.engine.plan import Plan, make_plan
from syncing.engine.refs import Kind, Ref, Scope
from syncing.engine.resources.custom_fields import CREATABLE_TYPES
from syncing.engine.rules import NO_RULES, WHOLE, ExclusionRule, Rules, Unmatched
from syncing.engine.snapshot import Snapshot
from syncing.tests.engine.items import field, group, pipeline, snapshot, stage

P, S, G, F, E = Kind.PIPELINE, Kind.STAGE, Kind.FIELD_GROUP, Kind.CUSTOM_FIELD, Kind.ENUM
ALL = Rules(unmatched=dict.fromkeys(Kind, Unmatched.DELETE_ALL))

MASTER = snapshot(pipeline(1, "Sales", stage(5, "New"), is_main=True), field(3, "Source", "select", enums=["Web"]))
# The same, and one thing of its own of each kind.
SLAVE = snapshot(
    pipeline(11, "Sales", stage(15, "New"), stage(16, "Offer"), is_main=True),
    pipeline(12, "Old", stage(17, "Was"), stage(18, "Then")),
    group("leads_9", "Deal", fields=(14,)),
    field(13, "Source", "select", enums=["Web", "Fair"]),
    field(14, "Note", group_id="leads_9"),
)
OWN = [(E, "Fair"), (F, "Note"), (G, "Deal"), (S, "Offer"), (P, "Old")]
OWN_KEYS = {(E, "leads/13/1302"), (F, "leads/14"), (G, "leads/leads_9"), (S, "11/16"), (P, "12")}
INSIDE = {(S, "12/17"), (S, "12/18")}


def ours(*created: tuple[Kind, str]) -> Rules:
    return Rules(unmatched=dict.fromkeys(Kind, Unmatched.DELETE_CREATED), created=frozenset(created))


def plan(desired: Snapshot, existing: Snapshot, rules: Rules = ALL, scope: Scope = Scope.FULL) -> Plan:
    return make_plan(desired, existing, {}, scope, rules)


def gone(made: Plan) -> list[tuple[Kind, str]]:
    return [(change.ref.kind, change.name) for change in made.changes if change.action is Action.DELETE]


def kept(made: Plan) -> dict[str, str]:
    return {extra.name: extra.message for extra in made.extras}


# -- the policy --


def test_by_default_everything_is_kept_without_a_word() -> None:
    made = plan(MASTER, SLAVE, NO_RULES)
    assert gone(made) == []
    assert kept(made) == {"Old": "", "Offer": "", "Deal": "", "Note": "", "Fair": ""}


def test_delete_all_deletes_children_first_and_leaves_no_extra() -> None:
    made = plan(MASTER, SLAVE)
    assert gone(made) == OWN
    assert made.extras == ()


def test_deletions_come_behind_every_other_change() -> None:
    desired = replace(MASTER, fields=(*(MASTER.fields or ()), field(4, "Later")))
    actions = [change.action for change in plan(desired, SLAVE).changes]
    assert actions == [Action.CREATE] + [Action.DELETE] * len(OWN)


def test_delete_created_deletes_what_we_made_and_keeps_the_rest_without_a_word() -> None:
    assert gone(plan(MASTER, SLAVE, ours(*OWN_KEYS, *INSIDE))) == OWN
    assert gone(plan(MASTER, SLAVE, ours())) == []
    made = plan(MASTER, SLAVE, ours((S, "11/16")))
    assert gone(made) == [(S, "Offer")]
    assert kept(made) == {"Old": "", "Deal": "", "Note": "", "Fair": ""}


@pytest.mark.parametrize(("kind", "name"), OWN)
def test_each_kind_has_a_policy_of_its_own(kind: Kind, name: str) -> None:
    rules = Rules(unmatched={kind: Unmatched.DELETE_ALL})
    made = plan(MASTER, SLAVE, rules)
    if kind is G:  # its field stays, and so does it
        assert gone(made) == []
        assert kept(made)[name] == "Kept: there are fields in it."
    else:
        assert gone(made) == [(kind, name)]


@pytest.mark.parametrize(
    ("scope", "expected"), [(Scope.PIPELINES, OWN[3:]), (Scope.CUSTOM_FIELDS, OWN[:3]), (Scope.FULL, OWN)]
)
def test_a_run_deletes_only_what_it_covers(scope: Scope, expected: list[tuple[Kind, str]]) -> None:
    assert gone(plan(MASTER, SLAVE, scope=scope)) == expected


def test_what_takes_part_in_a_conflict_is_neither_deleted_nor_an_extra() -> None:
    slave = replace(SLAVE, pipelines=(*SLAVE.pipelines, pipeline(21, "Sales", stage(22, "Own"))))
    made = plan(MASTER, slave)
    assert [conflict.name for conflict in made.conflicts] == ["Sales"]
    assert (P, "sales") not in gone(made)
    assert {"sales", "Own", "Sales"}.isdisjoint(kept(made))


# -- what is made by Kommo, or must be there --


def test_what_kommo_makes_itself_never_goes() -> None:
    slave = snapshot(
        pipeline(11, "Sales", stage(15, "New"), is_main=True),
        group("statistic"),
        field(14, "utm", "tracking_data", is_predefined=True, code="UTM", group_id="statistic"),
        field(15, "Phone", "multitext", entity="contacts", is_predefined=True, code="PHONE", enums=["Work"]),
    )
    made = plan(snapshot(pipeline(1, "Sales", stage(5, "New"), is_main=True)), slave)
    assert (gone(made), kept(made)) == ([], {})


@pytest.mark.parametrize("rules", [ALL, ours((P, "11"), (P, "12"), (P, "13"))])
def test_the_main_pipeline_and_archived_ones_stay(rules: Rules) -> None:
    slave = snapshot(pipeline(11, "First", is_main=True), pipeline(12, "Second"), pipeline(13, "Gone", is_archive=True))
    made = plan(snapshot(pipeline(1, "Sales", is_main=False)), slave, rules)
    assert gone(made) == [(P, "Second")]
    assert kept(made)["First"] == "Kept: it is the main pipeline."
    assert "archived" in kept(made)["Gone"]


def test_a_pipeline_that_this_run_makes_no_longer_the_main_one_goes() -> None:
    slave = snapshot(pipeline(11, "First", is_main=True), pipeline(12, "Sales"))
    desired = snapshot(pipeline(1, "Sales", is_main=True))
    assert gone(plan(desired, slave)) == [(P, "First")]
    assert gone(plan(desired, snapshot(pipeline(11, "First", is_main=True)))) == [(P, "First")], "Sales is made first"
    accepted = frozenset({(Ref(P, "1"), "is_main")})
    assert gone(plan(desired, slave, replace(ALL, accepted=accepted))) == []


def test_the_last_pipeline_stays_archived_ones_do_not_count() -> None:
    slave = snapshot(pipeline(11, "A"), pipeline(12, "B"), pipeline(13, "C", is_archive=True))
    made = plan(snapshot(), slave)
    assert len(gone(made)) == 1
    assert "Kept: an account needs a pipeline." in kept(made).values()


@pytest.mark.parametrize("rules", [ALL, ours((S, "11/15"), (S, "11/16"))])
def test_the_last_stage_of_a_pipeline_stays_system_stages_do_not_count(rules: Rules) -> None:
    slave = snapshot(pipeline(11, "Sales", stage(15, "A"), stage(16, "B"), is_main=True))
    made = plan(snapshot(pipeline(1, "Sales", is_main=True)), slave, rules)
    assert gone(made) == [(S, "A")]
    assert kept(made) == {"B": "Kept: a pipeline needs a stage of its own."}


@pytest.mark.parametrize("rules", [ALL, ours((E, "leads/13/1301"), (E, "leads/13/1302"))])
def test_the_last_option_of_a_field_stays(rules: Rules) -> None:
    slave = snapshot(field(13, "Source", "select", enums=["A", "B"]))
    made = plan(snapshot(field(3, "Source", "select")), slave, rules)
    assert gone(made) == [(E, "A")]
    assert kept(made) == {"B": "Kept: a field needs an option."}


def test_what_this_run_makes_counts_before_a_last_one_is_kept() -> None:
    """All stages, all options and all pipelines are other ones in the master now."""
    desired = snapshot(pipeline(1, "Sales", stage(5, "New"), is_main=True), field(3, "Source", "select", enums=["Web"]))
    slave = snapshot(
        pipeline(11, "Sales", stage(15, "Old"), is_main=True), field(13, "Source", "select", enums=["Fair"])
    )
    made = plan(desired, slave)
    assert gone(made) == [(E, "Fair"), (S, "Old")]
    assert made.extras == ()


# -- what has something in it --


def test_delete_created_keeps_a_pipeline_or_a_field_with_something_inside_that_we_did_not_make() -> None:
    made = plan(MASTER, SLAVE, ours((P, "12"), (S, "12/17")))
    assert gone(made) == []
    assert kept(made)["Old"] == "Kept: there is something inside that KommoSync did not create."
    slave = snapshot(SLAVE.pipelines[0], field(14, "Choice", "select", enums=["a", "b"]))
    assert gone(plan(MASTER, slave, ours((F, "leads/14"), (E, "leads/14/1401")))) == []
    assert gone(plan(MASTER, slave, ours((F, "leads/14"), (E, "leads/14/1401"), (E, "leads/14/1402")))) == [
        (F, "Choice")
    ]


@pytest.mark.parametrize("told_by", ["field", "group"])
def test_a_group_goes_only_when_nothing_is_left_in_it(told_by: str) -> None:
    slave = snapshot(
        SLAVE.pipelines[0],
        group("leads_9", "Deal", fields=(14, 15) if told_by == "group" else ()),
        field(14, "Note", group_id="leads_9" if told_by == "field" else None),
        field(15, "Mine", group_id="leads_9" if told_by == "field" else None),
    )
    made = plan(MASTER, slave, ours((G, "leads/leads_9"), (F, "leads/14")))
    assert gone(made) == [(F, "Note")]
    assert kept(made)["Deal"] == "Kept: there are fields in it."
    assert gone(plan(MASTER, slave, ours((G, "leads/leads_9"), (F, "leads/14"), (F, "leads/15")))) == [
        (F, "Mine"), (F, "Note"), (G, "Deal"),
    ]  # fmt: skip


def test_a_field_that_this_run_moves_out_keeps_no_group() -> None:
    desired = snapshot(field(3, "Note"))
    slave = snapshot(group("leads_9", "Deal", fields=(14,)), field(14, "Note", group_id="leads_9"))
    assert gone(plan(desired, slave)) == [(G, "Deal")]
    unmoved = replace(ALL, accepted=frozenset({(Ref(F, "leads/3"), "group")}))
    assert gone(plan(desired, slave, unmoved)) == []


def test_a_field_of_a_type_that_the_api_cannot_make_stays() -> None:
    types = sorted({"multitext", "chained_list", "items", "price", "text"} - CREATABLE_TYPES["contacts"])
    slave = snapshot(*(field(20 + at, name, name, entity="contacts") for at, name in enumerate(types)))
    made = plan(snapshot(), slave)
    assert gone(made) == []
    assert set(kept(made).values()) == {"Kept: the API could not create a field of this type again."}


def test_what_is_in_use_stays_and_so_does_the_group_that_it_is_in() -> None:
    rules = replace(ALL, in_use={(F, "leads/14"): "Kept: leads have values in it."})
    made = plan(MASTER, SLAVE, rules)
    assert gone(made) == [(E, "Fair"), (S, "Offer"), (P, "Old")]
    assert kept(made) == {"Note": "Kept: leads have values in it.", "Deal": "Kept: there are fields in it."}


# -- what is left out --


@pytest.mark.parametrize(("kind", "name"), OWN[1:])
@pytest.mark.parametrize("by_name", [True, False])
def test_an_excluded_item_or_kind_is_not_deleted(kind: Kind, name: str, by_name: bool) -> None:
    excluded = ExclusionRule(kind, f" {name.upper()}" if by_name else "")
    made = plan(MASTER, SLAVE, replace(ALL, exclusions=frozenset({excluded})))
    assert (kind, name) not in gone(made)
    assert kept(made)[name] == ""


def test_nothing_inside_of_what_is_excluded_is_deleted() -> None:
    by_pipeline = replace(ALL, exclusions=frozenset({ExclusionRule(P, "Sales")}))
    assert (S, "Offer") not in gone(plan(MASTER, SLAVE, by_pipeline))
    by_field = replace(ALL, exclusions=frozenset({ExclusionRule(F, "Source")}))
    assert (E, "Fair") not in gone(plan(MASTER, SLAVE, by_field))
    by_group = replace(ALL, exclusions=frozenset({ExclusionRule(G, "Deal")}))
    assert {(G, "Deal"), (F, "Note")}.isdisjoint(gone(plan(MASTER, SLAVE, by_group)))
    with_deal = replace(MASTER, groups=(*(MASTER.groups or ()), group("leads_4", "Deal")))
    assert (F, "Note") not in gone(plan(with_deal, SLAVE, by_group))
    by_stage = replace(ALL, exclusions=frozenset({ExclusionRule(S, "Was")}))
    assert (P, "Old") not in gone(plan(MASTER, SLAVE, by_stage))


def test_an_accepted_extra_is_not_deleted_nor_one_inside_of_what_is_accepted() -> None:
    refs = {change.ref: change.name for change in plan(MASTER, SLAVE).changes}
    for ref, name in refs.items():
        made = plan(MASTER, SLAVE, replace(ALL, accepted=frozenset({(ref, WHOLE)})))
        assert (ref.kind, name) not in gone(made)
    accepted = {(Ref(P, "1"), WHOLE), (Ref(F, "leads/3"), "enums")}
    made = plan(MASTER, SLAVE, replace(ALL, accepted=frozenset(accepted)))
    assert gone(made) == [(F, "Note"), (G, "Deal"), (P, "Old")]
    whole_field = plan(MASTER, SLAVE, replace(ALL, accepted=frozenset({(Ref(F, "leads/3"), WHOLE)})))
    assert (E, "Fair") not in gone(whole_field)


def test_nothing_is_deleted_inside_of_a_pipeline_that_the_master_has_archived() -> None:
    archived = replace(MASTER, pipelines=(*MASTER.pipelines, pipeline(2, "Old", is_archive=True)))
    made = make_plan(archived, SLAVE, {Ref(P, "2"): "12"}, Scope.FULL, ALL)
    assert {(S, "Was"), (S, "Then"), (P, "Old")}.isdisjoint(gone(made))


# -- names, digests --


def own_of(shift: int, *, swapped: bool = False) -> Snapshot:
    """The master's things under other ids and in another language, with two namesakes of its own."""
    won = stage(142, "Venda ganha" if swapped else "Closed - won", 10_000, editable=False)
    own = [
        pipeline(shift + 2, "Own", stage(shift + 3, "a")),
        group(f"leads_{shift}", "Deal"),
        field(shift + 1, "Note", group_id=f"leads_{shift}"),
        field(shift + 2, "Note"),
        field(shift + 3, "Source", "select", enums=["Web", "Fair", "Fair"]),
    ]
    sales = pipeline(shift + 1, "Sales", stages=(won, stage(shift, "New")), is_main=True)
    made = snapshot(*(reversed(own) if swapped else own), sales)
    return replace(made, groups=(group("default", "Principal" if swapped else "Main"), *(made.groups or ())[1:]))


def test_equal_deletions_have_one_digest_in_all_accounts() -> None:
    here, there = plan(MASTER, own_of(7_000)), plan(MASTER, own_of(9_000, swapped=True))
    assert gone(here) == gone(there)
    assert len(gone(here)) == 6
    assert here.digest == there.digest
    fewer = plan(MASTER, own_of(7_000), replace(ALL, unmatched={S: Unmatched.DELETE_ALL}))
    assert fewer.digest != here.digest


def test_namesakes_are_numbered() -> None:
    made = plan(MASTER, own_of(7_000))
    keys = [change.ref.key for change in made.changes]
    assert {"leads/=text:Note", "leads/=text:Note#2", "leads/3/=Fair", "leads/3/=Fair#2", "=Own"} <= set(keys)
    assert made.slave_only[Ref(F, "leads/=text:Note#2")] == "leads/7002"


def test_a_name_that_looks_like_a_number_of_namesakes_is_no_namesake() -> None:
    """Else the deletion of what we made could hit what somebody else made."""
    names = ["Note", "Note", "Note#2", "note#", "Note#", "Note##2"]
    slave = snapshot(*(field(20 + at, name) for at, name in enumerate(names)))
    made = plan(snapshot(), slave, ours((F, "leads/21")))
    assert len(made.slave_only) == len(names)
    (change,) = made.changes
    assert made.slave_only[change.ref] == "leads/21"


def test_an_accepted_one_of_several_namesakes_protects_them_all() -> None:
    """Their numbers move up when one of them goes."""
    slave = snapshot(field(21, "Note"), field(22, "Note"), field(23, "Note#2"), field(24, "Else"))
    for number in ("", "#2"):
        accepted = frozenset({(Ref(F, f"leads/=text:Note{number}"), WHOLE)})
        assert gone(plan(snapshot(), slave, replace(ALL, accepted=accepted))) == [(F, "Else"), (F, "Note#2")]


def test_an_accepted_one_says_nothing_of_what_differs_from_it_in_case() -> None:
    slave = snapshot(field(21, "Note"), field(22, "NOTE"))
    accepted = frozenset({(Ref(F, "leads/=text:NOTE"), WHOLE)})
    assert gone(plan(snapshot(), slave, replace(ALL, accepted=accepted))) == [(F, "Note")]


def test_a_deletion_shows_what_goes_with_it() -> None:
    fields = {change.name: dict(change.fields) for change in plan(MASTER, SLAVE).changes}
    assert fields["Old"] == {"stages": (["Was", "Then"], None)}
    assert fields["Note"] == {"type": ("text", None)}
    slave = snapshot(field(14, "Choice", "select", enums=["a", "b"]))
    (change,) = plan(snapshot(), slave).changes
    assert change.fields == {"type": ("select", None), "enums": (["a", "b"], None)}


def test_no_number_of_the_slave_is_in_a_plan_that_deletes() -> None:
    made = plan(MASTER, own_of(7_000))
    rows = [[str(change.ref), change.name, change.parent, dict(change.fields)] for change in made.changes]
    assert "700" not in json.dumps(rows)
