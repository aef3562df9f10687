"""Three-way: who caused a difference, by the master that both were last equal to."""

from dataclasses import replace
from typing import Any

import pytest

from syncing.engine.drift import Cause, Difference, differences
from syncing.engine.plan import make_plan
from syncing.engine.refs import Kind, Ref, Scope
from syncing.engine.resources.custom_fields import Enum
from syncing.engine.resources.stages import Description
from syncing.engine.rules import WHOLE, Rules, Unmatched
from syncing.engine.snapshot import Snapshot, refs_in
from syncing.tests.engine.items import field, group, pipeline, snapshot, stage

P, S, G, F, E = Kind.PIPELINE, Kind.STAGE, Kind.FIELD_GROUP, Kind.CUSTOM_FIELD, Kind.ENUM
MASTER, SLAVE, BOTH, UNKNOWN = Cause.MASTER, Cause.SLAVE, Cause.BOTH, Cause.UNKNOWN
ALL = Rules(unmatched=dict.fromkeys(Kind, Unmatched.DELETE_ALL))
IN_STEP = Rules()


def account(*changed: Any, without: tuple[int, ...] = ()) -> Snapshot:
    """An account in step with all others of its kind but for the items that are given, and without some."""
    usual = [
        pipeline(1, "Sales", stage(5, "New"), stage(6, "Offer"), stage(7, "Deal"), is_main=True),
        pipeline(2, "Service", stage(8, "Ticket")),
        group("leads_1", "Money"), group("leads_2", "Work"),
        field(30, "Source", "select", enums=["Web", "Fair"], hidden_statuses=()),
        field(31, "Budget", "monetary", currency="BRL", hidden_statuses=()),
        field(32, "Born", "birthday", remind="day", hidden_statuses=()),
        field(33, "Track", "tracking_data", group_id="statistic", hidden_statuses=()),
    ]  # fmt: skip
    numbers = {item.id for item in changed}
    return snapshot(*(item for item in usual if item.id not in numbers | set(without)), *changed)


BASE = account()
KNOWN = {ref: ref.key for ref in refs_in(BASE)}


def told(
    desired: Snapshot, existing: Snapshot, base: Snapshot | None = BASE, rules: Rules = IN_STEP
) -> list[Difference]:
    plan = make_plan(desired, existing, KNOWN, Scope.FULL, rules)
    return list(differences(plan, base, KNOWN))


def causes(*facts: Any, **more: Any) -> dict[tuple[str, str], Cause]:
    return {(row.name, row.attribute): row.cause for row in told(*facts, **more)}


def sales(**facts: Any) -> Snapshot:
    return account(replace(BASE.pipelines[0], **facts))


def first_stage(**facts: Any) -> Snapshot:
    ours = BASE.pipelines[0]
    return sales(stages=tuple(replace(each, **facts) if each.id == 5 else each for each in ours.stages))


def stages(*ordinary: Any) -> Snapshot:
    return sales(stages=pipeline(1, "Sales", *ordinary).stages)


def source(*enums: Any, **facts: Any) -> Snapshot:
    options = [Enum(number, value, 10 * at, code) for at, (number, value, code) in enumerate(enums, start=1)]
    given = {"enums": options} if options else {"enums": ["Web", "Fair"]}
    return account(field(30, "Source", "select", hidden_statuses=(), **given, **facts))  # type: ignore[arg-type]


def texts(**levels: str) -> tuple[Description, ...]:
    return tuple(Description(9, level, text) for level, text in levels.items())


WEB, FAIR = (3001, "Web", None), (3002, "Fair", None)

# attribute -> one account changed in one way, and in another way
EDITS: dict[str, tuple[Snapshot, Snapshot]] = {
    "Sales name": (sales(name="Deals"), sales(name="Business")),
    "New name": (first_stage(name="Fresh"), first_stage(name="Young")),
    "New color": (first_stage(color="#87f2c0"), first_stage(color="#fff000")),
    "Money name": (account(group("leads_1", "Cash")), account(group("leads_1", "Coins"))),
    "Source group": (source(group_id="leads_1"), source(group_id="leads_2")),
    "Source enums": (source((3001, "Net", None), FAIR), source((3001, "Online", None), FAIR)),
    "Source required_statuses": (source(required_statuses=((1, 5),)), source(required_statuses=((1, 6), (2, 142)))),
    "Source hidden_statuses": (
        account(field(30, "Source", "select", enums=["Web", "Fair"], hidden_statuses=((1, 5),))),
        account(field(30, "Source", "select", enums=["Web", "Fair"], hidden_statuses=((1, 6),))),
    ),
    "Budget currency": (
        account(field(31, "Budget", "monetary", currency="EUR", hidden_statuses=())),
        account(field(31, "Budget", "monetary", currency="USD", hidden_statuses=())),
    ),
    "Budget name": (
        account(field(31, "Price", "monetary", currency="BRL", hidden_statuses=())),
        account(field(31, "Cost", "monetary", currency="BRL", hidden_statuses=())),
    ),
    "Born remind": (
        account(field(32, "Born", "birthday", remind="week", hidden_statuses=())),
        account(field(32, "Born", "birthday", remind="never", hidden_statuses=())),
    ),
    "Track tracking_callback": (
        account(field(33, "Track", "tracking_data", group_id="statistic", tracking_callback="a", hidden_statuses=())),
        account(field(33, "Track", "tracking_data", group_id="statistic", tracking_callback="b", hidden_statuses=())),
    ),
}


@pytest.mark.parametrize("what", EDITS)
def test_of_every_attribute_it_is_told_who_changed_it(what: str) -> None:
    one, other = EDITS[what]
    attribute = what.split()[1]
    assert [(row.attribute, row.cause) for row in told(one, BASE)] == [(attribute, MASTER)]
    assert [(row.attribute, row.cause) for row in told(BASE, one)] == [(attribute, SLAVE)]
    assert [(row.attribute, row.cause) for row in told(one, other)] == [(attribute, BOTH)]
    assert [(row.attribute, row.cause) for row in told(one, other, base=None)] == [(attribute, UNKNOWN)]
    assert told(one, one) == []


@pytest.mark.parametrize(("what", "edited"), [
    ("is_unsorted_on", sales(is_unsorted_on=False)),
    ("is_api_only", source(is_api_only=True)),
    ("enum_codes", source((3001, "Web", "W"), FAIR)),
    ("descriptions", first_stage(descriptions=texts(newbie="Call"))),
])  # fmt: skip
def test_what_can_be_changed_in_one_way_only(what: str, edited: Snapshot) -> None:
    assert [(row.attribute, row.cause) for row in told(edited, BASE)] == [(what, MASTER)]
    if what in ("is_unsorted_on", "is_api_only"):
        assert [(row.attribute, row.cause) for row in told(BASE, edited)] == [(what, SLAVE)]


def test_another_main_pipeline() -> None:
    other = replace(
        BASE, pipelines=(replace(BASE.pipelines[0], is_main=False), replace(BASE.pipelines[1], is_main=True))
    )
    assert causes(other, BASE)["Service", "is_main"] is MASTER
    assert causes(BASE, other)["Sales", "is_main"] is SLAVE


def test_descriptions_that_somebody_took_away_or_overwrote() -> None:
    base = first_stage(descriptions=texts(newbie="Call", master="Delegate"))
    for edited in (texts(newbie="Call"), texts(newbie="Call", master="Wait")):
        assert [row.cause for row in told(base, first_stage(descriptions=edited), base)] == [SLAVE]
    more = first_stage(descriptions=texts(newbie="Call", master="Delegate", candidate="Ask"))
    assert [row.cause for row in told(more, base, base)] == [MASTER]


# -- options --


def test_options_renamed_added_removed_and_reordered() -> None:
    added = source(WEB, FAIR, (3003, "Radio", None))
    assert causes(added, BASE) == {("Source", "enums"): MASTER}
    removed = source(FAIR)
    assert causes(BASE, removed) == {("Source", "enums"): SLAVE}
    turned = source(FAIR, WEB)
    assert causes(turned, BASE) == {("Source", "enums"): MASTER}
    assert causes(BASE, turned) == {("Source", "enums"): SLAVE}
    assert causes(added, removed) == {("Source", "enums"): BOTH}


def test_an_option_that_only_one_of_them_has_is_told_apart_too() -> None:
    """The master's removal leaves an extra behind; an own option of the slave is one from the beginning."""
    removed = source(FAIR)
    assert causes(removed, BASE) == {("Web", WHOLE): MASTER}
    added = source(WEB, FAIR, (3003, "Radio", None))
    assert causes(BASE, added) == {("Radio", WHOLE): SLAVE}


def test_what_the_slave_did_to_an_option_that_the_master_gave_up_is_no_cause() -> None:
    """Web went in both, Fair was renamed in the master."""
    assert causes(source((3002, "Market", None)), source(FAIR)) == {("Source", "enums"): MASTER}


# -- whole items --


@pytest.mark.parametrize(("number", "name"), [
    (2, "Service"), ("leads_2", "Work"), (31, "Budget"),
])  # fmt: skip
def test_an_item_that_is_missing_here_or_there(number: Any, name: str) -> None:
    less = account(without=(number,))
    made = causes(BASE, less)
    assert made[name, WHOLE] is SLAVE, "somebody deleted it in the slave"
    assert causes(BASE, less, base=less)[name, WHOLE] is MASTER, "new in the master"
    assert causes(less, BASE)[name, WHOLE] is MASTER, "the master has it no more"
    assert causes(less, BASE, rules=ALL)[name, WHOLE] is MASTER
    assert causes(BASE, less, base=None)[name, WHOLE] is UNKNOWN


def test_a_stage_that_is_missing_here_or_there() -> None:
    less = stages(stage(5, "New"), stage(7, "Deal"))
    assert causes(BASE, less)["Offer", WHOLE] is SLAVE
    assert causes(BASE, less, base=less)["Offer", WHOLE] is MASTER
    assert causes(less, BASE)["Offer", WHOLE] is MASTER
    assert causes(less, BASE, rules=ALL)["Offer", WHOLE] is MASTER


@pytest.mark.parametrize("rules", [IN_STEP, ALL])
def test_what_somebody_made_in_the_slave_is_the_slaves_doing_whether_it_stays_or_goes(rules: Rules) -> None:
    more = account(
        pipeline(3, "Own"), group("leads_3", "Mine"), field(34, "Note"),
        replace(BASE.pipelines[0], stages=(*BASE.pipelines[0].stages, stage(9, "Extra"))),
    )  # fmt: skip
    rows = told(BASE, more, rules=rules)
    assert {row.name: row.cause for row in rows} == dict.fromkeys(("Own", "Mine", "Note", "Extra"), SLAVE)
    assert {row.action for row in rows} == {"delete" if rules is ALL else "extra"}


def test_a_namesake_that_the_slave_had_when_the_master_got_the_item_is_the_masters_doing() -> None:
    base = account(without=(31,))
    there = account(field(71, "Budget", "monetary", sort=31, currency="EUR", hidden_statuses=()), without=(31,))
    assert causes(BASE, there, base=base) == {("Budget", "currency"): MASTER}


# -- places --


def test_places() -> None:
    turned = stages(stage(6, "Offer", 1), stage(5, "New", 2), stage(7, "Deal", 3))
    assert set(causes(turned, BASE).values()) == {MASTER}
    assert set(causes(BASE, turned).values()) == {SLAVE}
    other = stages(stage(7, "Deal", 1), stage(5, "New", 2), stage(6, "Offer", 3))
    assert set(causes(turned, other).values()) == {BOTH}
    assert {row.attribute for row in told(turned, other)} == {"position"}


def test_an_own_stage_of_the_slave_moves_nothing() -> None:
    more = stages(stage(5, "New", 1), stage(9, "Own", 2), stage(6, "Offer", 3), stage(7, "Deal", 4))
    assert [row.action for row in told(BASE, more)] == ["extra"]


# -- what the base says, and what it does not --


def test_a_requirement_in_a_stage_that_is_new_in_the_master_is_the_masters() -> None:
    desired = replace(
        stages(*(stage(n, name) for n, name in ((5, "New"), (6, "Offer"), (7, "Deal"), (9, "Next")))),
        fields=source(required_statuses=((1, 9),)).fields,
    )
    assert causes(desired, BASE) == {("Next", WHOLE): MASTER, ("Source", "required_statuses"): MASTER}


def test_a_base_that_was_read_for_another_type_of_run_says_nothing_of_the_rest() -> None:
    desired, existing = sales(name="Deals"), source(WEB)
    assert causes(desired, existing, base=Snapshot(BASE.pipelines)) == {
        ("Deals", "name"): MASTER, ("Source", "enums"): UNKNOWN,
    }  # fmt: skip
    assert causes(desired, existing, base=replace(BASE, pipelines=())) == {
        ("Deals", "name"): UNKNOWN, ("Source", "enums"): SLAVE,
    }  # fmt: skip
    assert set(causes(account(without=(2,)), BASE, base=replace(BASE, pipelines=())).values()) == {UNKNOWN}


def test_rows_speak_of_both_accounts_and_name_the_slaves_item() -> None:
    existing = snapshot(pipeline(11, "Sales", stage(15, "New", color="#87f2c0"), is_main=True))
    plan = make_plan(snapshot(pipeline(1, "Sales", stage(5, "New"), is_main=True)), existing, {}, Scope.FULL)
    (row,) = differences(plan, None, {})
    assert (row.ref, row.slave_key, row.name, row.parent) == (Ref(S, "1/5"), "11/15", "New", "Sales")
    assert (row.ours, row.theirs, row.attribute) == ("#fffeb2", "#87f2c0", "color")
    (create,) = differences(make_plan(account(), account(without=(2,)), KNOWN, Scope.PIPELINES), None, {})[:1]
    assert (create.slave_key, create.ours, create.theirs) == ("", "Service", None)
