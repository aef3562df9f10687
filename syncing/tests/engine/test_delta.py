"""What a change of the master touches, and what is assumed of an account that was equal to it."""

from dataclasses import replace

import pytest

from syncing.engine.assumed import completed, delta_base
from syncing.engine.delta import PIPELINES, PartRead, list_of, lists_of, touched_part
from syncing.engine.refs import Kind, Ref, Scope
from syncing.engine.resources.custom_fields import CustomField, Enum
from syncing.engine.resources.field_groups import FieldGroup
from syncing.engine.resources.pipelines import Pipeline
from syncing.engine.resources.stages import Description, Stage
from syncing.engine.rules import NO_RULES, ExclusionRule, Rules
from syncing.engine.snapshot import Snapshot, refs_in

NEW, OFFER = Stage(11, "New", 10, "#fffeb2", 0, True), Stage(12, "Offer", 20, "#fffeb2", 0, True)
SALES = Pipeline(1, "Sales", 1, True, True, False, (NEW, OFFER, Stage(142, "Won", 10000, "", 0, False)))
OLD = Pipeline(2, "Old", 2, False, False, True, (Stage(21, "Was", 10, "#fffeb2", 0, True),))
MAIN, DEAL = FieldGroup("leads", "default", "Main", 0, True, ()), FieldGroup("leads", "leads_5", "Deal", 3, False, (7,))
SOURCE = CustomField(
    "leads", 7, "Source", "select", 5, None, "leads_5",
    enums=(Enum(71, "Web", 1), Enum(72, "Fair", 2)), required_statuses=((1, 12),),
)  # fmt: skip
NOTES = CustomField("leads", 8, "Notes", "textarea", 5)
PHONE = CustomField("contacts", 9, "Phone", "multitext", 1, "PHONE", is_predefined=True, enums=(Enum(91, "Work", 1),))
MASTER = Snapshot((SALES, OLD), (MAIN, DEAL), (SOURCE, NOTES, PHONE))
FIELDS, GROUPS = (Kind.CUSTOM_FIELD, "leads"), (Kind.FIELD_GROUP, "leads")
NOTHING, ONE_LIST = PartRead(frozenset()), PartRead(frozenset({GROUPS}))
# The slave's ids are 100 higher; it has no archived pipeline, and no predefined field of contacts.
KNOWN = {
    Ref(Kind.PIPELINE, "1"): "101",
    Ref(Kind.STAGE, "1/11"): "101/111",
    Ref(Kind.STAGE, "1/12"): "101/112",
    Ref(Kind.STAGE, "1/142"): "101/142",
    Ref(Kind.FIELD_GROUP, "leads/default"): "leads/default",
    Ref(Kind.FIELD_GROUP, "leads/leads_5"): "leads/leads_105",
    Ref(Kind.CUSTOM_FIELD, "leads/7"): "leads/107",
    Ref(Kind.ENUM, "leads/7/71"): "leads/107/171",
    Ref(Kind.ENUM, "leads/7/72"): "leads/107/172",
    Ref(Kind.CUSTOM_FIELD, "leads/8"): "leads/108",
}


def with_stage(stage: Stage) -> Snapshot:
    others = tuple(each for each in SALES.stages if each.id != stage.id)
    return replace(MASTER, pipelines=(replace(SALES, stages=(*others, stage)), OLD))


def with_field(item: CustomField) -> Snapshot:
    others = tuple(each for each in MASTER.fields or () if each.id != item.id)
    return replace(MASTER, fields=(*others, item))


CHANGES = {
    "nothing": (MASTER, set()),
    "other numbers, the same order": (with_stage(replace(OFFER, sort=77)), set()),
    "members of a group": (replace(MASTER, groups=(MAIN, replace(DEAL, fields=(7, 8)))), set()),
    "a predefined group's name": (replace(MASTER, groups=(replace(MAIN, name="Haupt"), DEAL)), set()),
    "a stage's place": (with_stage(replace(OFFER, sort=5)), {PIPELINES}),
    "a colour": (with_stage(replace(NEW, color="#98cbff")), {PIPELINES}),
    "a colour that Kommo calls the same": (with_stage(replace(NEW, color="#FFFEB2")), set()),
    "an archived pipeline": (replace(MASTER, pipelines=(SALES, replace(OLD, is_archive=False))), {PIPELINES}),
    "a group's name": (replace(MASTER, groups=(MAIN, replace(DEAL, name="Money"))), {GROUPS}),
    "a field's group": (with_field(replace(SOURCE, group_id=None)), {FIELDS}),
    "the order of fields": (with_field(replace(NOTES, group_id="leads_5", sort=1)), {FIELDS}),
    "the order of options": (with_field(replace(SOURCE, enums=(Enum(71, "Web", 3), Enum(72, "Fair", 2)))), {FIELDS}),
    "a new option": (with_field(replace(SOURCE, enums=(*SOURCE.enums, Enum(73, "Ads", 3)))), {FIELDS}),
    "required in no stage": (with_field(replace(SOURCE, required_statuses=())), {FIELDS}),
    "a stage gone that a field named": (
        replace(
            with_field(replace(SOURCE, required_statuses=())),
            pipelines=(replace(SALES, stages=(NEW, SALES.stages[2])), OLD),
        ),
        {PIPELINES},
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_only_lists_that_plans_see_differ_are_touched(what: str) -> None:
    after, lists = CHANGES[what]
    assert touched_part(MASTER, after, Scope.FULL) == PartRead(frozenset(lists), frozenset())
    assert touched_part(after, MASTER, Scope.FULL).lists == lists or what == "a stage gone that a field named"


def test_a_run_of_fields_looks_only_at_which_stages_there_are() -> None:
    renamed = with_stage(replace(NEW, name="Fresh"))
    gone = replace(MASTER, pipelines=(SALES,))
    assert touched_part(MASTER, renamed, Scope.CUSTOM_FIELDS).lists == frozenset()
    assert touched_part(MASTER, gone, Scope.CUSTOM_FIELDS).lists == {PIPELINES}
    assert touched_part(Snapshot((SALES,)), Snapshot((SALES, OLD)), Scope.PIPELINES).lists == {PIPELINES}


def test_descriptions_are_wanted_of_pipelines_where_some_are_new_or_others() -> None:
    described = with_stage(replace(NEW, descriptions=(Description(1, "newbie", "Call."),)))
    other = with_stage(replace(NEW, descriptions=(Description(1, "newbie", "Write."),)))
    assert touched_part(MASTER, described, Scope.FULL) == PartRead(frozenset({PIPELINES}), frozenset({"1"}))
    assert touched_part(described, other, Scope.FULL).described == {"1"}
    assert touched_part(described, described, Scope.FULL) == PartRead(frozenset())
    assert touched_part(described, MASTER, Scope.FULL).described == frozenset()
    assert touched_part(described, other, Scope.CUSTOM_FIELDS).described == frozenset()


def base(
    part: PartRead = ONE_LIST, known: dict[Ref, str] = KNOWN, rules: Rules = NO_RULES,
    scope: Scope = Scope.FULL, desired: Snapshot = MASTER,
) -> Snapshot | None:  # fmt: skip
    found = delta_base(MASTER, desired, part, known, rules, scope)
    return found and found.assumed


def test_what_is_assumed_is_the_master_in_the_accounts_own_ids() -> None:
    assumed = base()

    assert assumed is not None
    assert {(ref.kind, ref.key) for ref in refs_in(assumed)} == {(ref.kind, key) for ref, key in KNOWN.items()}
    source, notes = sorted(assumed.fields or (), key=lambda item: item.id)
    assert (source.group_id, source.required_statuses) == ("leads_105", ((101, 112),))
    assert (source.sort, notes.sort) == (2, 3), "of equal numbers the order is the master's, whatever the ids"
    assert next(group.fields for group in assumed.groups or () if group.id == "leads_105") == (107,)


def without(kind: Kind, key: str) -> dict[Ref, str]:
    return {ref: each for ref, each in KNOWN.items() if ref != Ref(kind, key)}


@pytest.mark.parametrize("ref", sorted(KNOWN), ids=str)
def test_an_item_of_an_unread_list_without_an_id_is_a_doubt(ref: Ref) -> None:
    """But system stages and predefined groups: no plan ever makes them. In lists that are read it is none."""
    by_kommo = ref.key in ("1/142", "leads/default")
    assert (base(NOTHING, without(ref.kind, ref.key)) is None) is not by_kommo
    part = PartRead(frozenset({list_of(ref)}))
    assert base(part, without(ref.kind, ref.key)) is not None


@pytest.mark.parametrize(
    ("rule", "gone"),
    [
        (ExclusionRule(Kind.PIPELINE, "Sales"), ["1", "1/11", "1/12", "1/142"]),
        (ExclusionRule(Kind.STAGE, "Offer"), ["1/12"]),
        (ExclusionRule(Kind.FIELD_GROUP, "Deal"), ["leads/leads_5", "leads/7", "leads/7/71", "leads/7/72"]),
        (ExclusionRule(Kind.CUSTOM_FIELD, "Source"), ["leads/7", "leads/7/71", "leads/7/72"]),
    ],
    ids=str,
)
def test_what_is_excluded_may_be_missing(rule: ExclusionRule, gone: list[str]) -> None:
    known = {ref: key for ref, key in KNOWN.items() if ref.key not in gone}
    assert base(NOTHING, known) is None
    assert base(NOTHING, known, Rules(exclusions=frozenset({rule}))) is not None


def test_what_was_excluded_before_and_is_not_now_is_a_doubt() -> None:
    """By the new name of its group, say: then a plan creates it."""
    rules = Rules(exclusions=frozenset({ExclusionRule(Kind.FIELD_GROUP, "Deal")}))
    known = {ref: key for ref, key in KNOWN.items() if not ref.key.startswith(("leads/7", "leads/leads_5"))}
    renamed = replace(MASTER, groups=(MAIN, replace(DEAL, name="For all")))
    part = touched_part(MASTER, renamed, Scope.FULL)

    assert base(NOTHING, known, rules) is not None
    assert base(part, known, rules, desired=renamed) is None


def test_options_may_be_missing_where_the_accounts_own_were_accepted() -> None:
    rules = Rules(accepted=frozenset({(Ref(Kind.CUSTOM_FIELD, "leads/7"), "enums")}))
    assert base(NOTHING, without(Kind.ENUM, "leads/7/72"), rules) is not None


def test_a_run_of_fields_creates_no_stage_so_one_may_be_missing() -> None:
    assert base(NOTHING, without(Kind.STAGE, "1/11"), scope=Scope.CUSTOM_FIELDS) is not None


def test_all_lists_or_an_option_that_nobody_can_read_are_read_whole() -> None:
    unknown = with_field(replace(SOURCE, enums=(Enum(71, None, 1),)))
    assert base(PartRead(lists_of(Scope.FULL))) is None
    assert base(desired=unknown) is None


def test_what_was_only_assumed_is_completed_by_a_later_reading() -> None:
    read = replace(NEW, name="Before", descriptions=(Description(5, "newbie", "Read."),))
    before = replace(with_stage(read), fields=(replace(NOTES, name="Assumed"),))
    after = with_stage(replace(NEW, name="After", descriptions=(Description(6, "newbie", "Later."),)))
    lists = frozenset({PIPELINES, (Kind.CUSTOM_FIELD, "contacts")})

    plain = completed(before, PartRead(lists), after)
    described = completed(before, PartRead(lists, frozenset({"1"})), after)

    (stage,) = (each for each in plain.pipelines[0].stages if each.id == NEW.id)
    assert (stage.name, stage.descriptions) == ("Before", (Description(6, "newbie", "Later."),))
    assert described.pipelines == before.pipelines
    assert (plain.groups, plain.fields) == ((MAIN, DEAL), (SOURCE, NOTES))


def test_rules_have_the_same_digest_as_long_as_they_mean_the_same_for_an_account() -> None:
    group, field = ExclusionRule(Kind.FIELD_GROUP, "Deal"), ExclusionRule(Kind.CUSTOM_FIELD, "Notes")
    digest = Rules(exclusions=frozenset({group, field})).digest(Scope.FULL)
    same = Rules(
        exclusions=frozenset({field, group}), created=frozenset({(Kind.STAGE, "1/1")}), deletes_after_review=True
    )
    assert same.digest(Scope.FULL) == digest
    assert same.digest(Scope.PIPELINES) != digest
    others = [
        Rules(exclusions=frozenset({group})),
        replace(same, accepted=frozenset({(Ref(Kind.STAGE, "1/11"), "name")})),
        replace(same, unmatched={Kind.STAGE: "delete_all"}),  # type: ignore[dict-item]
    ]
    assert len({digest, *(each.digest(Scope.FULL) for each in others)}) == 4
