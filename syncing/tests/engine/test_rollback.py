"""What a rollback looks at: what the run touched, what hangs on it, and nothing else."""

from syncing.engine.changes import Action
from syncing.engine.refs import Kind, Ref
from syncing.engine.rollback import LoggedChange, rollback_input
from syncing.engine.rules import Unmatched
from syncing.tests.engine.items import field, group, pipeline, snapshot, stage

BEFORE = snapshot(
    pipeline(1, "Sales", stage(10, "New"), stage(11, "Offer"), is_main=True),
    pipeline(2, "Service", stage(20, "Open")),
    group("leads_1", "Deal"),
    field(30, "Source", "select", group_id="leads_1", enums=["Web", "Phone"]),
    field(31, "Notes", required_statuses=((1, 11), (2, 20))),
)
WHOLE: frozenset[str] = frozenset()


def only(*touches: LoggedChange) -> dict[tuple[str, str], frozenset[str]]:
    """What the plan back is about, without mere places in a list."""
    found = rollback_input(BEFORE, touches).rules.only
    assert found is not None
    return {(ref.kind, ref.key): names for ref, names in found.items() if names != {"position"}}


def test_nothing_done_is_nothing_to_look_at() -> None:
    way = rollback_input(BEFORE, [])

    assert way.rules.only == {}
    assert way.rules.created == frozenset()
    assert way.known[Ref(Kind.STAGE, "1/10")] == "1/10"


def test_an_item_that_was_changed_is_looked_at_as_a_whole_and_its_neighbours_are_not() -> None:
    assert only(LoggedChange(Action.UPDATE, Kind.STAGE, "1/10", frozenset({"name"}))) == {("stage", "1/10"): WHOLE}


def test_what_the_run_made_may_go_again_options_among_it_and_nothing_else() -> None:
    way = rollback_input(
        BEFORE, [LoggedChange(Action.CREATE, Kind.CUSTOM_FIELD, "leads/99")], ["leads/99/1", "leads/30/2"]
    )

    assert way.rules.created == {
        (Kind.CUSTOM_FIELD, "leads/99"),
        (Kind.ENUM, "leads/99/1"),
        (Kind.ENUM, "leads/30/2"),
    }
    assert {way.rules.unmatched_of(kind) for kind in Kind} == {Unmatched.DELETE_CREATED}
    assert way.known[Ref(Kind.CUSTOM_FIELD, "leads/99")] == "leads/99"


def test_the_former_main_pipeline_is_looked_at_when_another_became_it() -> None:
    assert only(LoggedChange(Action.UPDATE, Kind.PIPELINE, "2", frozenset({"is_main"}))) == {
        ("pipeline", "2"): WHOLE,
        ("pipeline", "1"): {"is_main"},
    }


def test_a_pipeline_that_went_took_its_stages_along_and_fields_were_required_there() -> None:
    found = only(LoggedChange(Action.DELETE, Kind.PIPELINE, "2"))

    assert found[("stage", "2/20")] == WHOLE
    assert found[("custom_field", "leads/31")] == {"required_statuses", "hidden_statuses"}
    assert ("stage", "1/10") not in found


def test_a_group_that_went_left_its_fields_elsewhere() -> None:
    assert only(LoggedChange(Action.DELETE, Kind.FIELD_GROUP, "leads/leads_1"))[("custom_field", "leads/30")] == {
        "group",
        "position",
    }


def test_of_an_option_that_went_the_list_of_its_field_is_looked_at() -> None:
    assert only(LoggedChange(Action.DELETE, Kind.ENUM, "leads/30/3001")) == {
        ("custom_field", "leads/30"): {"enums", "enum_codes"}
    }


def test_a_whole_item_stays_whole_whatever_else_touches_it() -> None:
    touches = [
        LoggedChange(Action.UPDATE, Kind.CUSTOM_FIELD, "leads/31", frozenset({"name"})),
        LoggedChange(Action.DELETE, Kind.STAGE, "1/11"),
    ]
    for order in (touches, touches[::-1]):
        assert only(*order)[("custom_field", "leads/31")] == WHOLE
