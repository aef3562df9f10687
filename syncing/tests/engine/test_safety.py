"""Safety: what is refused, and the sentence that says why."""

from dataclasses import replace

import pytest

from syncing.engine.held_items import HeldItem
from syncing.engine.plan import make_plan
from syncing.engine.refs import Kind, Ref, Scope
from syncing.engine.resources.field_groups import FieldGroup
from syncing.engine.rules import Limits, Rules, Unmatched
from syncing.engine.safety import (
    empty_master,
    incomplete_reading,
    inconsistency,
    kommo_limits,
    master_losses,
    thresholds,
)
from syncing.engine.snapshot import Snapshot, refs_in
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
    said = master_losses(account(**before), account(**after), 30, 10)
    assert (said is not None) is refused


def test_the_sentence_has_the_numbers_and_the_way_out() -> None:
    said = master_losses(account(stages=10), account(stages=6), 30, 10)
    assert said is not None
    for part in ("4 of 10 stages", "40.00%", "30%", "--force --reason"):
        assert part in said


def test_what_was_not_read_is_not_lost() -> None:
    assert master_losses(account(), Snapshot(account().pipelines), 30, 10) is None
    assert master_losses(Snapshot(account().pipelines), account(), 30, 10) is None


def test_replaced_items_count_as_lost() -> None:
    swapped = replace(account(), fields=tuple(field(900 + number, f"F{number}") for number in range(10)))
    assert master_losses(account(), swapped, 30, 10) is not None


def test_a_master_without_any_pipeline_is_not_believed() -> None:
    assert empty_master(snapshot()) is not None
    assert empty_master(snapshot(pipeline(1, "A", is_archive=True))) is not None
    assert empty_master(account()) is None


# -- a slave's reading --


def mains(*entities: str) -> tuple[FieldGroup, ...]:
    return tuple(group("default", entity=entity, fields=(3,)) for entity in entities)


def test_a_reading_that_can_be_true_is_believed() -> None:
    master = account()
    assert incomplete_reading(master, account(), {}) is None
    assert incomplete_reading(Snapshot(master.pipelines), Snapshot(account().pipelines), {}) is None
    assert (
        incomplete_reading(master, account(fields=0), {Ref(Kind.CUSTOM_FIELD, "contacts/1"): "contacts/7"}) is not None
    )
    assert incomplete_reading(master, account(fields=0), {}) is None


def test_an_account_without_any_group_is_believed_where_the_master_has_none_either() -> None:
    bare = replace(account(), groups=())
    assert incomplete_reading(bare, bare, {}) is None


@pytest.mark.parametrize(("reading", "part"), [
    (snapshot(field(1, "f")), "list of pipelines"),
    (snapshot(pipeline(1, "Bare", stages=())), "'Bare'"),
    (replace(account(), groups=()), "field groups of leads"),
    (replace(account(contacts=1), groups=mains("leads", "contacts")), "companies"),
    (replace(snapshot(pipeline(1, "A")), groups=mains("leads", "contacts", "companies")), "custom fields of leads"),
])  # fmt: skip
def test_a_reading_that_cannot_be_true_is_named(reading: Snapshot, part: str) -> None:
    said = incomplete_reading(replace(account(), groups=mains("leads", "contacts", "companies")), reading, {})
    assert said is not None
    assert part in said


# -- limits --


def refusal(desired: Snapshot, existing: Snapshot) -> str | None:
    return kommo_limits(make_plan(desired, existing, {}, Scope.FULL), existing)


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


# -- thresholds --

ALL = Rules(unmatched=dict.fromkeys(Kind, Unmatched.DELETE_ALL))
NO_SHARES = Limits(max_update_share=100, max_delete_share=100)


def held(desired: Snapshot, existing: Snapshot, allowed: Limits, *, first: bool = False) -> str | None:
    known = {} if first else {ref: ref.key for ref in refs_in(existing)}
    return thresholds(make_plan(desired, existing, known, Scope.FULL, ALL), existing, known, allowed)


def renamed(number: int) -> Snapshot:
    """Of one pipeline, ten stages and ten fields so many stages are called otherwise."""
    full = account()
    stages = tuple(
        replace(each, name=each.name + "!") if 5 <= each.id < 5 + number else each for each in full.pipelines[0].stages
    )
    return replace(full, pipelines=(replace(full.pipelines[0], stages=stages),))


@pytest.mark.parametrize(("number", "share", "refused"), [
    (6, 30, False), (7, 30, True), (7, 33, True), (7, 34, False), (1, 0, True), (0, 0, False), (10, 100, False),
])  # fmt: skip
def test_the_share_of_updates_of_what_was_kept_in_step(number: int, share: int, refused: bool) -> None:
    said = held(renamed(number), account(), Limits(max_update_share=share))
    assert (said is not None) is refused
    if said:
        assert f"{number} of 21 items kept in step ({number * 100 / 21:.2f}%) would be updated" in said
        assert f"{share}% are allowed" in said
        assert "--force --reason" in said


def test_at_the_first_contact_updates_are_not_counted() -> None:
    here = account()
    there = replace(here, fields=tuple(replace(item, is_api_only=True) for item in here.fields or ()))
    assert held(here, there, Limits(max_update_share=0)) is not None
    assert held(here, there, Limits(max_update_share=0), first=True) is None


def test_few_items_have_no_shares() -> None:
    allowed = Limits(max_update_share=0, minimum_items=22)
    assert held(renamed(5), account(), allowed) is None
    assert held(renamed(5), account(), replace(allowed, minimum_items=21)) is not None


def test_creates_are_not_counted() -> None:
    assert held(account(stages=60, fields=60), account(), Limits(0, 0, 0, 0)) is None


@pytest.mark.parametrize(("kept", "share", "refused"), [
    (8, 10, False), (7, 10, True), (7, 14, True), (7, 15, False), (10, 0, False), (9, 0, True),
])  # fmt: skip
def test_the_share_of_deletions_of_all_items_of_the_account(kept: int, share: int, refused: bool) -> None:
    said = held(account(fields=kept), account(), Limits(max_delete_share=share))
    assert (said is not None) is refused
    if said:
        gone = 10 - kept
        assert f"{gone} of 21 items of the account ({gone * 100 / 21:.2f}%) would be deleted; {share}% are" in said


@pytest.mark.parametrize(("most", "refused"), [(10, False), (9, True)])
def test_the_absolute_number_of_deletions_holds_whatever_the_shares(most: int, refused: bool) -> None:
    said = held(account(fields=0), account(), replace(NO_SHARES, max_deletes=most))
    assert (said is not None) is refused
    if said:
        assert f"10 items would be deleted; {most} are allowed in one run" in said
    few = replace(NO_SHARES, max_deletes=1, minimum_items=1000)
    assert held(account(fields=8), account(), few) is not None


def test_a_pipeline_counts_with_its_stages_and_an_option_for_itself() -> None:
    own = pipeline(9, "Own", *(stage(90 + at, f"x{at}") for at in range(5)))
    there = replace(account(), pipelines=(*account().pipelines, own))
    assert "6 items would be deleted" in (held(account(), there, replace(NO_SHARES, max_deletes=5)) or "")
    assert "6 of 27 items" in (held(account(), there, Limits(max_delete_share=22)) or "")
    ours, theirs = field(99, "Source", "select", enums=["a"]), field(99, "Source", "select", enums=["a", "b", "c"])
    said = held(snapshot(ours), snapshot(theirs), replace(NO_SHARES, max_deletes=1))
    assert "2 items would be deleted" in (said or "")
    assert held(snapshot(ours), snapshot(theirs), Limits(max_delete_share=0, minimum_items=0)) is None


# -- doubt --


def whole() -> Snapshot:
    """A master whose parts name each other."""
    made = snapshot(
        pipeline(1, "Sales", stage(5, "New"), is_main=True),
        pipeline(2, "Service", stage(7, "Ticket")),
        pipeline(3, "Gone", stages=(), is_archive=True),
        group("leads_1", "Deal", fields=(31, 32)),
        field(31, "Source", group_id="leads_1", required_statuses=((2, 7),)),
        field(32, "Budget", group_id="leads_1"),
        field(33, "Note"),
        field(34, "Utm", "tracking_data", group_id="statistic"),
    )
    return replace(made, groups=(*(made.groups or ()), group("default", "Main", "contacts")))


def test_a_master_whose_parts_agree_is_beyond_doubt() -> None:
    assert inconsistency(whole()) is None
    assert inconsistency(Snapshot(whole().pipelines)) is None


def lacking(**facts: object) -> Snapshot:
    return replace(whole(), **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(("reading", "part"), [
    (lacking(pipelines=whole().pipelines[1:]), "main pipeline"),
    (lacking(pipelines=()), "main pipeline"),
    (lacking(pipelines=(whole().pipelines[0],)), "'Source' of leads"),
    (lacking(pipelines=(replace(whole().pipelines[0], stages=whole().pipelines[0].stages[:2]), *whole().pipelines[1:])),
     "'Sales'"),
    (lacking(fields=(whole().fields or ())[1:]), "'Deal' of leads"),
    (lacking(fields=()), "'Deal' of leads"),
    (lacking(groups=tuple(g for g in whole().groups or () if g.id != "leads_1")), "'Source' of leads"),
    (lacking(groups=()), "'Source' of leads"),
])  # fmt: skip
def test_what_is_named_and_missing_was_not_read(reading: Snapshot, part: str) -> None:
    assert part in (inconsistency(reading) or "")


# -- what is held back is there --


def odd(kind: Kind, key: str, within: str = "", path: str = "name") -> HeldItem:
    return HeldItem(kind, key, within, None, "", path, "it is missing")


def holding(snapshot: Snapshot, *items: HeldItem) -> Snapshot:
    return replace(snapshot, held=items)


@pytest.mark.parametrize("kept", [
    odd(Kind.PIPELINE, "1"), odd(Kind.PIPELINE, ""), odd(Kind.STAGE, "", "1"),
])  # fmt: skip
def test_what_may_be_among_the_unread_is_not_lost(kept: HeldItem) -> None:
    before = snapshot(pipeline(1, "A", *(stage(number, f"S{number}") for number in range(5, 15))), pipeline(2, "B"))
    after = snapshot(pipeline(2, "B")) if kept.kind is Kind.PIPELINE else snapshot(pipeline(1, "A"), pipeline(2, "B"))
    assert master_losses(before, after, 30, 10) is not None
    assert master_losses(before, holding(after, kept), 30, 10) is None


def test_an_unread_item_of_another_list_explains_nothing() -> None:
    after = holding(account(stages=5), odd(Kind.STAGE, "", "2"), odd(Kind.CUSTOM_FIELD, "", "leads"))
    assert master_losses(account(stages=10), after, 30, 10) is not None


def test_what_was_unread_before_counts_as_what_was_there() -> None:
    before = holding(snapshot(pipeline(1, "A")), *(odd(Kind.PIPELINE, str(number)) for number in range(2, 12)))
    assert master_losses(before, snapshot(pipeline(1, "A")), 30, 10) is not None


def test_unread_items_leave_no_doubt_about_what_names_them() -> None:
    whole = snapshot(
        pipeline(1, "A", is_main=True), group("leads_1", fields=(3, 4)),
        field(3, "F", group_id="leads_2", required_statuses=((2, 5),)),
    )  # fmt: skip
    assert inconsistency(whole) is not None
    unread = (
        odd(Kind.CUSTOM_FIELD, "leads/4", "leads"), odd(Kind.FIELD_GROUP, "leads/leads_2", "leads"),
        odd(Kind.PIPELINE, "2"),
    )  # fmt: skip
    assert inconsistency(holding(whole, *unread)) is None
    for at in range(3):
        assert inconsistency(holding(whole, *unread[:at], *unread[at + 1 :])) is not None


def test_unread_pipelines_and_stages_count_in_kommos_limits() -> None:
    existing = snapshot(*(pipeline(number, f"P{number}") for number in range(1, 50)))
    desired = snapshot(pipeline(90, "New"))
    assert kommo_limits(make_plan(desired, existing, {}, Scope.FULL), existing) is None
    full = holding(existing, replace(odd(Kind.PIPELINE, "50"), name="Odd"))
    said = kommo_limits(make_plan(desired, full, {}, Scope.FULL), full)
    assert said is not None
    assert "has 50 pipelines" in said


def test_a_slave_without_a_readable_pipeline_is_believed_unless_all_came_without_stages() -> None:
    bare = snapshot()
    assert incomplete_reading(account(), bare, {}) is not None
    assert incomplete_reading(account(), holding(bare, odd(Kind.PIPELINE, "1")), {}) is None
    assert (
        incomplete_reading(account(), holding(bare, odd(Kind.PIPELINE, "1", path="_embedded.statuses")), {}) is not None
    )
    assert empty_master(holding(bare, odd(Kind.PIPELINE, "1"))) is None
