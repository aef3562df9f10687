"""Laws of the decision whether a channel is told: over any knowledge, and anything that may be seen."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.tests.laws import law
from syncing.notifications.decision import CHANGED, EVERY, NEWLY_BAD, SubjectsSeen, decide

WHENS = (EVERY, CHANGED, NEWLY_BAD)
subjects = st.sampled_from("abcde")
reasons = st.sampled_from(["unpaid", "token_expired", "conflict"])
knowledge = st.dictionaries(subjects, reasons)


@st.composite
def sights(draw: Any, *, whole: bool | None = None, **flags: bool) -> SubjectsSeen:
    """Anything that a run, or a look at all that is bad, may see; nobody is bad and well at once."""
    bad = draw(knowledge)
    is_whole = draw(st.booleans()) if whole is None else whole
    well = None if is_whole else frozenset(draw(st.sets(subjects))) - bad.keys()
    unseen = frozenset(draw(st.sets(subjects))) - bad.keys() if is_whole else ()
    facts = {name: flags.get(name, draw(st.booleans())) for name in ("repeats", "recovers")}
    return SubjectsSeen(bad, well, unseen, **facts)


@law(60)
@given(known=knowledge, seen=sights())
def test_who_is_told_of_new_trouble_is_told_of_changes_and_who_is_told_of_those_is_told_every_time(known, seen) -> None:
    every, changed, newly_bad = (decide(when, known, seen).is_told for when in WHENS)
    assert newly_bad <= changed <= every


@law(60)
@given(known=knowledge, seen=sights())
def test_what_is_known_afterwards_depends_on_nobody_s_wish(known, seen) -> None:
    states = [decide(when, known, seen).bad for when in WHENS]
    assert states[0] == states[1] == states[2]


@law(60)
@given(known=knowledge, seen=sights())
def test_of_subjects_that_were_not_looked_at_nothing_changes(known, seen) -> None:
    after = decide(EVERY, known, seen).bad
    unseen = set(seen.unseen) if seen.well is None else set("abcde") - seen.bad.keys() - set(seen.well)
    assert {subject: after.get(subject) for subject in unseen} == {subject: known.get(subject) for subject in unseen}


@law(60)
@given(known=knowledge, seen=sights())
def test_of_subjects_that_were_looked_at_exactly_that_is_known(known, seen) -> None:
    after = decide(EVERY, known, seen).bad
    looked_at = set("abcde") - set(seen.unseen) if seen.well is None else seen.bad.keys() | set(seen.well)
    assert {subject: after.get(subject) for subject in looked_at} == {
        subject: seen.bad.get(subject) for subject in looked_at
    }


@law(60)
@given(known=knowledge, seen=sights())
def test_the_same_once_more_is_told_only_to_who_is_told_every_time_and_only_while_it_is_bad(known, seen) -> None:
    after = decide(EVERY, known, seen).bad
    again = {when: decide(when, after, seen).is_told for when in WHENS}
    assert again == {EVERY: seen.repeats and bool(seen.bad), CHANGED: False, NEWLY_BAD: False}


@law(60)
@given(known=knowledge, seen=sights())
def test_only_a_subject_that_was_well_is_newly_bad(known, seen) -> None:
    made = decide(NEWLY_BAD, known, seen)
    assert made.is_told == bool(seen.bad.keys() - known.keys())
    assert made.newly_bad == seen.bad.keys() - known.keys()


@law(60)
@given(known=knowledge, seen=sights(recovers=True))
def test_who_is_told_of_changes_is_told_of_each_and_of_nothing_else(known, seen) -> None:
    made = decide(CHANGED, known, seen)
    assert made.is_told == (made.bad != known)
    assert made.recovered == known.keys() - made.bad.keys()


@law(60)
@given(known=knowledge, looks=st.lists(sights(recovers=True), max_size=8))
def test_from_bad_to_well_there_is_one_message_however_often_it_is_looked_at(known, looks) -> None:
    """Whoever only adds up the messages about changes knows at each time what is bad."""
    state, told = dict(known), dict(known)
    for seen in looks:
        made = decide(CHANGED, state, seen)
        state = dict(made.bad)
        if made.is_told:
            told = dict(made.bad)
        assert told == state


@pytest.mark.parametrize(
    ("when", "expected"),
    [(EVERY, [1, 1, 1, 1, 1, 0]), (CHANGED, [1, 0, 1, 1, 1, 0]), (NEWLY_BAD, [1, 0, 0, 1, 0, 0])],
)
def test_a_story(when, expected) -> None:
    """North is unpaid, still; its token expires; south joins; all is well, and stays so."""
    looks = [{"n": "unpaid"}, {"n": "unpaid"}, {"n": "token_expired"}, {"n": "token_expired", "s": "unpaid"}, {}, {}]
    known, story = {}, []
    for bad in looks:
        made = decide(when, known, SubjectsSeen(bad))
        known = dict(made.bad)
        story.append(int(made.is_told))
    assert story == expected


def test_a_retry_of_one_account_makes_no_other_well() -> None:
    known = dict.fromkeys(["n", "s", "w"], "unpaid")
    made = decide(CHANGED, known, SubjectsSeen({}, ["n"]))
    assert made.bad == {"s": "unpaid", "w": "unpaid"}
    assert (made.is_told, made.recovered) == (True, {"n"})


def test_that_nothing_waits_any_more_is_no_news_where_recovery_is_none() -> None:
    assert not decide(CHANGED, {"n": "plan"}, SubjectsSeen({}, recovers=False)).is_told
    assert not decide(EVERY, {"n": "plan"}, SubjectsSeen({}, recovers=False)).is_told
    assert decide(CHANGED, {"n": "plan"}, SubjectsSeen({"n": "other"}, recovers=False)).is_told
