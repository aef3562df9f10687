"""Rules: accepted attributes stay as the account has them, and a plan may be about some items only."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from syncing.adapters.bodies import field_body, stage_body
from syncing.engine.changes import Action
from syncing.engine.plan import Plan, make_plan
from syncing.engine.refs import Kind, Ref, Scope
from syncing.engine.resources.custom_fields import Enum
from syncing.engine.resources.stages import Description
from syncing.engine.rules import ExclusionRule, Rules, Unmatched
from syncing.engine.snapshot import Snapshot, refs_in
from syncing.tests.engine.items import field, group, pipeline, snapshot, stage

P, S, G, F, E = Kind.PIPELINE, Kind.STAGE, Kind.FIELD_GROUP, Kind.CUSTOM_FIELD, Kind.ENUM
SALES, NEW, SOURCE, BUDGET = Ref(P, "1"), Ref(S, "1/5"), Ref(F, "leads/3"), Ref(F, "leads/4")


def texts(text: str) -> tuple[Description, ...]:
    return (Description(9, "newbie", text),)


MASTER = snapshot(
    pipeline(1, "Sales", stage(5, "New", 1, descriptions=texts("Call")), stage(6, "Offer", 2), is_main=True),
    pipeline(2, "Service", stage(7, "Ticket")),
    group("leads_1", "Deal"),
    field(
        3, "Source", "select", group_id="leads_1", required_statuses=((1, 5),), hidden_statuses=(), is_api_only=True,
        enums=[Enum(31, "Web", 1, "W"), Enum(32, "Fair", 2)],
    ),
    field(4, "Budget", "monetary", currency="BRL", hidden_statuses=((1, 6),)),
    field(5, "Born", "birthday", remind="day", hidden_statuses=()),
    field(6, "Track", "tracking_data", group_id="statistic", tracking_callback="a", hidden_statuses=()),
)  # fmt: skip
# The same things under the same ids, every attribute another one.
SLAVE = snapshot(
    pipeline(
        1, "S", stage(6, "b", 1, color="#fff000"), stage(5, "a", 2, color="#fff000", descriptions=texts("Wait")),
        is_unsorted_on=False,
    ),
    pipeline(2, "T", stage(7, "c"), is_main=True),
    group("leads_1", "d"),
    field(
        3, "e", "select", group_id=None, required_statuses=((2, 7),), hidden_statuses=((1, 6),),
        enums=[Enum(32, "y", 1), Enum(33, "Own", 2), Enum(31, "x", 3)],
    ),
    field(4, "f", "monetary", currency="EUR", hidden_statuses=()),
    field(5, "g", "birthday", remind="week", hidden_statuses=()),
    field(6, "h", "tracking_data", group_id="statistic", tracking_callback="b", hidden_statuses=()),
)  # fmt: skip
KNOWN = {ref: ref.key for ref in refs_in(MASTER)}


def plan(rules: Rules, desired: Snapshot = MASTER, existing: Snapshot = SLAVE) -> Plan:
    return make_plan(desired, existing, KNOWN, Scope.FULL, rules)


def accepting(*pairs: tuple[Ref, str]) -> Rules:
    return Rules(accepted=frozenset(pairs))


def about(only: Mapping[Ref, set[str]]) -> Rules:
    return Rules(only={ref: frozenset(attributes) for ref, attributes in only.items()})


def differing(made: Plan) -> dict[Ref, set[str]]:
    return {change.ref: set(change.fields) for change in made.changes if change.action is Action.UPDATE}


ALL = differing(plan(Rules()))
PAIRS = sorted((ref, attribute) for ref, attributes in ALL.items() for attribute in attributes)


def test_the_slave_of_these_tests_differs_in_everything() -> None:
    assert set().union(*ALL.values()) == {
        "name", "is_unsorted_on", "is_main", "color", "descriptions", "position", "group", "is_api_only", "enums",
        "enum_codes", "currency", "remind", "tracking_callback", "required_statuses", "hidden_statuses",
    }  # fmt: skip


# -- accepted --


@pytest.mark.parametrize(("ref", "attribute"), PAIRS)
def test_an_accepted_attribute_is_no_change_and_every_other_one_still_is(ref: Ref, attribute: str) -> None:
    made = plan(accepting((ref, attribute)))
    expected = {other: set(attributes) for other, attributes in ALL.items()}
    expected[ref].discard(attribute)
    if attribute == "position":  # whoever is left to move, moves around it
        assert attribute not in differing(made).get(ref, set())
        return
    assert differing(made) == {other: attributes for other, attributes in expected.items() if attributes}


def test_a_plan_in_which_all_is_accepted_is_empty() -> None:
    assert plan(accepting(*PAIRS)).changes == ()


def test_an_accepted_attribute_is_written_back_as_the_account_has_it() -> None:
    """A stage goes with name, colour and sort always (docs/kommo.md 4.1)."""
    by_color = plan(accepting((NEW, "color"))).desired.items[NEW]
    assert stage_body(by_color, 20, described=False) == {"name": "New", "color": "#fff000", "sort": 20}
    by_name = plan(accepting((NEW, "name"))).desired.items[NEW]
    assert stage_body(by_name, 20, described=False) == {"name": "a", "color": "#fffeb2", "sort": 20}
    by_text = plan(accepting((NEW, "descriptions"))).desired.items[NEW]
    theirs = SLAVE.pipelines[0].stages[-1]
    assert "descriptions" not in stage_body(by_text, 20, theirs)
    assert plan(accepting((SALES, "name"))).desired.items[SALES].attributes["name"] == "S"


def body_of(made: Plan, number: int) -> dict[str, Any]:
    ref = Ref(F, f"leads/{number}")
    change = next(change for change in made.changes if change.ref == ref)
    ours = next(item for item in MASTER.fields or () if item.id == number)
    theirs = next(item for item in SLAVE.fields or () if item.id == number)
    return field_body(made.desired.items[ref], ours, theirs, change.fields, made.match.keys, made.shared_stages)


def test_accepted_options_are_not_sent_at_all_or_as_they_are() -> None:
    made = plan(accepting((SOURCE, "enums"), (SOURCE, "enum_codes")))
    assert "enums" not in body_of(made, 3)
    coded = body_of(plan(accepting((SOURCE, "enums"))), 3)["enums"]
    assert [(enum["id"], enum["value"]) for enum in coded] == [(32, "y"), (31, "x"), (33, "Own")]
    assert [enum.get("code") for enum in coded] == [None, "W", None]
    uncoded = body_of(plan(accepting((SOURCE, "enum_codes"))), 3)["enums"]
    assert [enum["value"] for enum in uncoded] == ["Web", "Fair", "Own"]
    assert [enum.get("code") for enum in uncoded] == [None, None, None]


def test_an_accepted_currency_is_kept_though_it_goes_with_every_patch() -> None:
    assert body_of(plan(accepting((BUDGET, "currency"))), 4)["currency"] == "EUR"
    assert body_of(plan(Rules()), 4)["currency"] == "BRL"


def test_an_accepted_place_stays_and_the_others_are_put_in_order_without_it() -> None:
    made = plan(accepting((NEW, "position"), (Ref(S, "1/6"), "position")))
    assert made.orders["stages of 1"] == ()
    assert all("position" not in change.fields for change in made.changes if change.ref.kind is S)


def test_another_main_pipeline_that_is_accepted_stays_first_without_a_word() -> None:
    """Kommo puts it there by itself."""
    names = ("A", "B", "C")
    ours = snapshot(*(pipeline(at, name, is_main=name == "A") for at, name in enumerate(names, start=1)))
    theirs = snapshot(pipeline(3, "C", sort=0, is_main=True), pipeline(1, "A"), pipeline(2, "B"))
    assert "is_main" in differing(plan(Rules(), ours, theirs))[SALES]
    assert plan(accepting((SALES, "is_main")), ours, theirs).changes == ()
    excluded = Rules(exclusions=frozenset({ExclusionRule(P, "A")}))
    assert plan(excluded, ours, theirs).changes == ()


def test_an_acceptance_of_what_is_no_difference_any_more_changes_nothing() -> None:
    same = plan(accepting((NEW, "color"), (SOURCE, "no such"), (Ref(F, "leads/99"), "name")), existing=MASTER)
    assert same.changes == ()


# -- only --


@pytest.mark.parametrize("ref", sorted(ALL))
def test_a_plan_about_one_item_changes_all_of_it_and_nothing_else(ref: Ref) -> None:
    made = differing(plan(about({ref: set()})))
    assert set(made) <= {ref}
    assert made.get(ref, set()) | {"position"} == ALL[ref] | {"position"}


@pytest.mark.parametrize(("ref", "attribute"), PAIRS)
def test_a_plan_about_one_attribute_changes_that_alone(ref: Ref, attribute: str) -> None:
    made = differing(plan(about({ref: {attribute}})))
    if attribute == "position":  # it may stand right if the others do not move
        assert made in ({}, {ref: {attribute}})
    else:
        assert made == {ref: {attribute}}


def test_one_that_is_turned_with_its_neighbour_moves_when_it_is_the_only_one_that_may() -> None:
    for ref in (NEW, Ref(S, "1/6")):
        assert differing(plan(about({ref: {"position"}}))) == {ref: {"position"}}


def test_picked_options_are_brought_and_the_others_stay_as_the_account_has_them() -> None:
    made = plan(about({Ref(E, "leads/3/31"): set()}))
    assert differing(made) == {SOURCE: {"enums"}}
    assert made.desired.items[SOURCE].attributes["enums"] == {Ref(E, "leads/3/32"): "y", Ref(E, "leads/3/31"): "Web"}
    assert body_of(made, 3).keys() == {"id", "enums"}
    less = replace(SLAVE, fields=(replace((SLAVE.fields or ())[0], enums=(Enum(33, "Own", 2),)),))
    added = plan(about({Ref(E, "leads/3/32"): set()}), existing=less)
    assert added.desired.items[SOURCE].attributes["enums"] == {Ref(E, "leads/3/32"): "Fair"}


def test_only_picked_items_are_made() -> None:
    empty = snapshot()
    made = plan(about({Ref(P, "2"): set(), Ref(S, "2/7"): set(), BUDGET: set()}), existing=empty)
    assert [change.name for change in made.changes] == ["Service", "Ticket", "Budget"]
    assert {change.action for change in made.changes} == {Action.CREATE}


def test_conflicts_and_manual_items_of_others_are_not_told() -> None:
    desired = replace(MASTER, fields=(*(MASTER.fields or ()), field(9, "Chain", "chained_list")))
    twice = snapshot(pipeline(21, "Sales"), pipeline(22, "Sales"))
    made = make_plan(desired, twice, {}, Scope.FULL, about({BUDGET: set()}))
    assert (made.conflicts, made.manual) == ((), ())
    assert [c.name for c in make_plan(desired, twice, {}, Scope.FULL, about({SALES: set()})).conflicts] == ["Sales"]


# -- as a rollback uses them: the account before, against the account now --


def test_back_to_before_a_run_that_made_changed_and_deleted_things() -> None:
    before = MASTER
    made_since = snapshot(
        *before.pipelines, pipeline(8, "Fresh", stage(81, "x")), field(9, "Made"),
        *(before.groups or ())[3:], *(before.fields or ()),
    )  # fmt: skip
    now = replace(
        made_since,
        fields=tuple(
            replace(item, name="f") if item.id == 4 else item for item in made_since.fields or () if item.id != 5
        ),
    )
    own = {(P, "8"), (S, "8/81"), (F, "leads/9")}
    rules = Rules(
        unmatched=dict.fromkeys(Kind, Unmatched.DELETE_CREATED),
        created=frozenset(own),
        only=dict.fromkeys([BUDGET, Ref(F, "leads/5"), *(Ref(*item) for item in own)], frozenset()),
    )
    known = {ref: ref.key for ref in {*refs_in(before), *(Ref(*item) for item in own)}}

    made = make_plan(before, now, known, Scope.FULL, rules)

    assert [(str(change.action), change.name) for change in made.changes] == [
        ("update", "Budget"), ("create", "Born"), ("delete", "Made"), ("delete", "Fresh"),
    ]  # fmt: skip
