"""Collapse: every account in one group, equal plans together, and what tells two plans apart."""

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncing.engine.grouping import (
    EMPTY_DIGEST,
    LISTS,
    PlanCounts,
    common_content,
    content_digest,
    group_plans,
    plan_counts,
    plan_difference,
    rows,
)

words = st.sampled_from(["Offer", "Won", "Angebot €", ""])
values = st.one_of(st.none(), st.booleans(), st.integers(0, 3), words, st.lists(words, max_size=2))
changes = st.fixed_dictionaries(
    {
        "action": st.sampled_from(["create", "update", "delete"]),
        "kind": st.sampled_from(["stage", "custom_field"]),
        "name": words,
        "parent": words,
        "fields": st.dictionaries(st.sampled_from(["color", "position"]), st.lists(values, min_size=2, max_size=2)),
        "outcome": st.sampled_from(["planned", "skipped"]),
    },
    optional={"message": words},
)
remarks = st.fixed_dictionaries({"kind": words, "name": words, "parent": words}, optional={"message": words})
documents = st.fixed_dictionaries(
    {"changes": st.lists(changes, max_size=3), **{name: st.lists(remarks, max_size=2) for name in LISTS[1:]}}
)


def change(action: str = "create", name: str = "Offer", **facts: Any) -> dict[str, Any]:
    row = {"action": action, "kind": "stage", "name": name, "parent": "Sales", "fields": {}, "outcome": "planned"}
    return row | facts


def turned_round(value: Any) -> Any:
    """The same with every object's keys in another order."""
    if isinstance(value, dict):
        return {key: turned_round(value[key]) for key in reversed(value)}
    return [turned_round(item) for item in value] if isinstance(value, list) else value


def content(document: dict[str, Any]) -> Counter[str]:
    """What a document says, told by hand."""
    said: Counter[str] = Counter()
    for name in LISTS:
        for row in document[name]:
            if name == "extras" and not row.get("message"):
                continue  # each account's own matter
            fate = ("outcome", "message") if name == "changes" else ()
            said[json.dumps([name, {k: v for k, v in row.items() if k not in fate}], sort_keys=True)] += 1
    return said


@given(st.lists(st.tuples(st.integers(), st.sampled_from("abc")), unique_by=lambda pair: pair[0]))
def test_every_account_is_in_exactly_one_plan_the_most_common_first(digests: list[tuple[int, str]]) -> None:
    plans = group_plans(digests)

    assert Counter(member for plan in plans for member in plan.members) == Counter(dict.fromkeys(dict(digests), 1))
    assert all(dict(digests)[member] == plan.digest for plan in plans for member in plan.members)
    assert len({plan.digest for plan in plans}) == len(plans)
    sizes = [len(plan.members) for plan in plans]
    assert sizes == sorted(sizes, reverse=True)


@given(documents)
def test_equal_documents_have_one_digest_whatever_the_order_of_their_keys(document: dict[str, Any]) -> None:
    assert content_digest(turned_round(document)) == content_digest(document)


@given(documents, st.randoms(use_true_random=False))
def test_the_order_of_rows_and_what_became_of_them_make_no_other_plan(document: dict[str, Any], random: Any) -> None:
    other = {name: random.sample(found, len(found)) for name, found in document.items()}
    other["changes"] = [{**row, "outcome": "skipped", "message": "Not tried."} for row in other["changes"]]

    assert content_digest(other) == content_digest(document)


@given(documents, documents)
def test_two_plans_are_one_exactly_when_they_say_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = content_digest(one) == content_digest(other)
    apart = plan_difference(one, other)

    assert same is (content(one) == content(other))
    assert same is not bool(apart.here or apart.missing)


@given(documents, documents)
def test_a_difference_leads_from_one_plan_to_the_other(one: dict[str, Any], other: dict[str, Any]) -> None:
    apart = plan_difference(one, other)
    mine = {name: [row for where, row in apart.here if where == name] for name in LISTS}
    theirs = {name: [row for where, row in apart.missing if where == name] for name in LISTS}

    assert content(one) - content(mine) == content(other) - content(theirs)
    assert content(one) - content(other) == content(mine)


def test_what_an_account_has_for_itself_makes_no_other_plan() -> None:
    own = {"extras": [{"kind": "stage", "name": "Own", "parent": "Sales"}]}
    assert content_digest(own) == EMPTY_DIGEST
    assert plan_difference(own, {}) == plan_difference({}, {})
    assert common_content(own)["extras"] == []


def test_another_value_is_another_plan() -> None:
    one, other = (change("update", fields={"color": ["#fff", new]}) for new in ("#000", "#111"))

    assert content_digest({"changes": [one]}) != content_digest({"changes": [other]})
    assert plan_difference({"changes": [one]}, {"changes": [other]}).here == (("changes", one),)


def test_how_many_leads_are_in_what_is_kept_makes_no_other_plan() -> None:
    kept = {"kind": "stage", "name": "Old", "parent": "Sales"}
    digests = {content_digest({"extras": [{**kept, "message": f"Kept: leads in it: {number}."}]}) for number in (1, 12)}

    assert len(digests) == 1
    assert content_digest({"extras": [kept]}) not in digests


@pytest.mark.parametrize("document", [{}, {"changes": []}, {name: [] for name in LISTS}])
def test_nothing_to_do_is_one_plan(document: dict[str, Any]) -> None:
    assert content_digest(document) == EMPTY_DIGEST


def test_the_counts_are_those_of_the_rows() -> None:
    item = {"kind": "stage", "name": "Own", "parent": "Sales"}
    made = [change("create"), change("create", "Two"), change("update"), change("delete")]
    document = {"changes": made, "extras": [item], "conflicts": [item, item], "manual": []}

    assert plan_counts(document) == PlanCounts(created=2, updated=1, deleted=1, extras=1, conflicts=2, manual=0)
    assert plan_counts(document).changes == 4
    assert [name for name, _ in rows(document)] == ["conflicts"] * 2 + ["changes"] * 4 + ["extras"]
