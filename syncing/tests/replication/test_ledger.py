"""The ledger: what was planned, what became of it, and sums that tell the truth."""

from accounts.kommo.errors import ServerError
from syncing.adapters.outcomes import DONE, FAILED, SKIPPED, UNVERIFIED, Outcome
from syncing.engine.changes import Action, Change
from syncing.engine.plan import make_plan
from syncing.engine.refs import Kind, Ref, Scope
from syncing.replication.ledger import Ledger
from syncing.tests.engine.items import pipeline, snapshot, stage

A, B = Ref(Kind.STAGE, "1/5"), Ref(Kind.STAGE, "1/6")


EXISTING = snapshot(pipeline(1, "Sales", stage(5, "old")))
DESIRED = snapshot(pipeline(1, "Sales", stage(5, "New"), stage(6, "Offer")))
PLAN = make_plan(DESIRED, EXISTING, {A: "1/5"}, Scope.FULL)


def ledger() -> Ledger:
    made = Ledger()
    made.expect(PLAN)
    return made


def change(ref: Ref) -> Change:
    return next(change for change in PLAN.changes if change.ref == ref)


def states(made: Ledger) -> dict[str, str]:
    return {outcome.name: outcome.state for outcome in made.outcomes.values()}


def test_what_is_planned_counts_until_it_fails() -> None:
    made = ledger()
    assert (made.count(Action.UPDATE), made.count(Action.CREATE)) == (1, 1)
    made.note([Outcome.of(change(A), DONE), Outcome.of(change(B), FAILED, "no", "validation")])
    assert (made.count(Action.UPDATE), made.count(Action.CREATE)) == (1, 0)
    problem = made.first_problem()
    assert problem is not None
    assert (problem.code, problem.message) == ("validation", "no")


def test_only_news_are_told() -> None:
    made = ledger()
    assert len(made.note([Outcome.of(change(A), DONE)])) == 1
    assert made.note([Outcome.of(change(A), DONE)]) == []
    stranger = Change(Action.UPDATE, Ref(Kind.STAGE, "1/9"), "numbered anew", "Sales", {})
    assert made.note([Outcome.of(stranger, FAILED, str(ServerError("x")))]) == []


def test_a_correction_that_fails_leaves_the_created_item_unverified() -> None:
    made = ledger()
    made.note([Outcome.of(change(B), DONE)])
    made.note([Outcome.of(Change(Action.UPDATE, B, "Offer", "Sales", {"color": ("a", "b")}), FAILED, "no")])
    assert states(made)["Offer"] == "unverified"
    assert not made.is_given_up(B)


def test_what_the_re_reading_still_shows_is_unverified_with_old_and_new() -> None:
    made = ledger()
    made.note([Outcome.of(change(A), DONE), Outcome.of(change(B), DONE)])
    still = Change(Action.UPDATE, A, "New", "Sales", {"name": ("old", "New")})
    (doubted,) = made.conclude({A: still})
    assert (doubted.state, doubted.code) == ("unverified", "bad_answer")
    assert "name: 'old' instead of 'New'" in doubted.message
    assert made.first_problem() is doubted


def test_a_failure_is_not_softened_by_the_re_reading() -> None:
    made = ledger()
    made.note([Outcome.of(change(B), FAILED, "no", "validation")])
    assert made.doubt({B: change(B)}) == []
    assert made.is_given_up(B)


def test_what_other_moves_have_put_in_its_place_is_done_and_nothing_stays_planned() -> None:
    made = ledger()
    made.note([Outcome.of(change(A), DONE)])
    assert [outcome.name for outcome in made.conclude({})] == ["Offer"]
    assert set(states(made).values()) == {DONE}
    assert made.conclude({}) == []


def test_what_is_in_its_place_but_named_otherwise_gets_one_log_row() -> None:
    made = ledger()
    made.note([Outcome.of(change(A), DONE)])
    renamed = Change(Action.UPDATE, B, "Offer", "Sales", {"name": ("Off.", "Offer")})
    (outcome,) = made.conclude({}, [renamed])
    assert (outcome.ref, outcome.state, outcome.code) == (B, UNVERIFIED, "bad_answer")
    assert outcome.message == "Kommo stores it as 'Off.'."
    assert made.count(Action.CREATE) == 1


def test_a_refused_part_stays_told_until_a_later_write_is_seen_to_have_made_up_for_it() -> None:
    made = ledger()
    option = Ref(Kind.ENUM, "leads/1/2")
    made.note([Outcome.of(change(A), UNVERIFIED, "no", "validation", refused=frozenset({option}))])
    assert made.note([Outcome.of(change(A), DONE)]) == []
    assert (states(made)["New"], made.refused()) == (UNVERIFIED, {option})
    assert made.doubt({A: change(A)}) == []
    assert A not in made.confirm({A: change(A)})
    assert [outcome.name for outcome in made.conclude({})] == ["New"]
    assert made.first_problem() is None


def test_what_was_refused_to_be_made_is_known_not_to_be_there_and_what_got_lost_is_not() -> None:
    for code, refused in (("validation", {B}), ("server_error", set())):
        made = ledger()
        made.note([Outcome.of(change(B), FAILED, "no", code)])
        assert made.refused() == refused


def test_what_was_not_tried_is_skipped_and_the_rest_keeps_its_state() -> None:
    made = ledger()
    made.note([Outcome.of(change(A), DONE)])
    made.skip_planned("The end.")
    assert states(made) == {"New": DONE, "Offer": SKIPPED}
    assert made.count(Action.CREATE) == 0
