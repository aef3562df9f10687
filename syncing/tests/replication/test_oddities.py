"""Items of an odd shape and values that read null: held back and named, never missing; the rest goes on."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from accounts.simulator.account import SimAccount
from accounts.simulator.compare import differences
from accounts.simulator.server import RunningServer
from syncing.engine.refs import Kind
from syncing.engine.rules import Rules, Unmatched
from syncing.replication.contract import Result
from syncing.tests.branches import WRITES, Branch, Scene, changes, inventory, read, shown

DELETING = Rules(unmatched=dict.fromkeys(Kind, Unmatched.DELETE_CREATED))
DELETING_ALL = Rules(unmatched=dict.fromkeys(Kind, Unmatched.DELETE_ALL))


@dataclass(frozen=True)
class Odd:
    """What is odd of which item of an account; and how the manual item names it."""

    kind: str
    of: Callable[[SimAccount], Any]
    at: str
    value: Any = None
    missing: bool = False

    def plant(self, scene: Scene, account: SimAccount) -> Any:
        """From now on the item reads so; gives it."""
        item = self.of(account)
        branch = None if account is scene.master else Branch(scene.server, account)
        scene.fault(
            "odd", branch, method="GET", item=item.id, at=self.at, value=self.value, missing=self.missing, times=None
        )
        return item


def deals(account: SimAccount) -> Any:
    return account.pipeline("Deals")


def offer(account: SimAccount) -> Any:
    return account.pipeline("Deals").stage("Offer")


def source(account: SimAccount) -> Any:
    return account.field("leads", "Source")


def note(account: SimAccount) -> Any:
    return account.field("leads", "Note")


def money(account: SimAccount) -> Any:
    return next(group for group in account.groups["leads"].values() if group.name == "Money")


WITH_ID = {
    "a pipeline without a name": Odd("pipeline", deals, "name", missing=True),
    "a pipeline whose name is null": Odd("pipeline", deals, "name"),
    "a pipeline whose stages are no list": Odd("pipeline", deals, "_embedded.statuses", "none"),
    "a stage without a name": Odd("stage", offer, "name", missing=True),
    "a stage whose sort is a word": Odd("stage", offer, "sort", "high"),
    "a field whose required status has no pipeline": Odd("custom_field", note, "required_statuses.0.pipeline_id"),
    "a field whose options are a text": Odd("custom_field", source, "enums", "Web"),
    "a field whose options are null": Odd("custom_field", source, "enums"),
    "a field whose options are missing": Odd("custom_field", source, "enums", missing=True),
    "a field without a type": Odd("custom_field", source, "type", missing=True),
    "a group without a name": Odd("field_group", money, "name", missing=True),
}
WITHOUT_ID = {
    "a pipeline without an id": Odd("pipeline", deals, "id", missing=True),
    "a stage without an id": Odd("stage", offer, "id"),
    "a field without an id": Odd("custom_field", source, "id", "x"),
    "a group without an id": Odd("field_group", money, "id", missing=True),
}
EVERY = {**WITH_ID, **WITHOUT_ID}


@pytest.fixture
def scene(simulator: RunningServer) -> Scene:
    scene = Scene(simulator)
    master = scene.master
    pipeline = master.add_pipeline("Deals", stages=["New", "Offer"])
    group = master.add_group("leads", "Money")
    master.add_field("leads", "Source", "select", enums=["Web", "Fair"])
    master.add_field("leads", "Note", required_statuses=[(pipeline.id, pipeline.stage("Offer").id)])
    master.add_field("leads", "Price", "numeric", group=group)
    return scene


def manual(result: Result) -> list[tuple[str, str]]:
    return [(each["kind"], each["message"]) for each in result.document["manual"]]


def is_named(result: Result, odd: Odd, item: Any) -> bool:
    number = "?" if odd.at == "id" else str(item.id).rpartition("/")[2]
    return any(kind == odd.kind and f"id {number}: " in text and odd.at in text for kind, text in manual(result))


# -- in the master --


@pytest.mark.parametrize("case", EVERY)
def test_an_odd_item_of_the_master_is_not_copied_and_named_and_the_rest_is_copied(scene: Scene, case: str) -> None:
    odd, north = EVERY[case], scene.branch()
    item = odd.plant(scene, scene.master)
    scene.master.add_field("contacts", "Nick")

    result = north.sync(scene.desired())

    assert result.state in ("changed", "partial"), result.error
    assert is_named(result, odd, item), manual(result)
    assert ("create", "custom_field", "Nick") in shown(result)
    assert item.name not in {row[2] for row in shown(result)}
    assert not changes(result, action="delete")


@pytest.mark.parametrize("rules", [DELETING, DELETING_ALL], ids=["delete_created", "delete_all"])
@pytest.mark.parametrize("case", EVERY)
def test_an_item_of_the_master_that_becomes_odd_is_kept_with_all_inside_it(
    scene: Scene, case: str, rules: Rules
) -> None:
    odd, north = EVERY[case], scene.branch()
    north.sync(scene.desired(), rules=rules)
    before, known = inventory(north.account), dict(north.known)
    item = odd.plant(scene, scene.master)

    result = north.sync(scene.desired(), rules=rules)

    assert result.state == "in_sync", result.document
    assert is_named(result, odd, item)
    assert inventory(north.account) == before
    assert north.known == known
    scene.world.faults.clear()
    assert north.sync(scene.desired(), rules=rules).state == "in_sync"
    assert inventory(north.account) == before


# -- in a slave --


@pytest.mark.parametrize("case", EVERY)
def test_an_item_of_a_slave_that_becomes_odd_is_left_alone_and_the_rest_goes_on(scene: Scene, case: str) -> None:
    odd, north = EVERY[case], scene.branch()
    north.sync(scene.desired())
    before, known = inventory(north.account), dict(north.known)
    item = odd.plant(scene, north.account)
    scene.master.add_field("contacts", "Nick")

    result = north.sync(scene.desired(), rules=DELETING_ALL)

    assert (result.state, result.reason) == ("partial", "conflict"), "it cannot be said that they are equal"
    assert shown(result) == [("create", "custom_field", "Nick")]
    assert is_named(result, odd, item), manual(result)
    assert not (before - inventory(north.account))
    assert known.items() <= north.known.items()
    assert not result.converged
    scene.world.faults.clear()
    assert north.sync(scene.desired(), rules=DELETING_ALL).state == "in_sync"
    assert not (before - inventory(north.account))


@pytest.mark.parametrize("case", EVERY)
def test_what_is_odd_in_a_slave_at_the_first_sync_is_not_made_again(scene: Scene, case: str) -> None:
    odd, north = EVERY[case], scene.branch()
    north.sync(scene.desired())
    before = inventory(north.account)
    north.known.clear()
    odd.plant(scene, north.account)
    scene.master.add_field("contacts", "Nick")

    result = north.sync(scene.desired())

    assert (result.state, result.reason) == ("partial", "conflict")
    assert ("create", "custom_field", "Nick") in shown(result)
    assert sum((inventory(north.account) - before).values()) == 1, "Nick"
    assert not (before - inventory(north.account))


@pytest.mark.parametrize("at", ["name", "id"])
def test_a_pipeline_of_the_slave_alone_that_is_odd_neither_goes_nor_stops_anything(scene: Scene, at: str) -> None:
    north = scene.branch()
    own = north.account.add_pipeline("Own", stages=["Mine", "Yours"])
    Odd("pipeline", lambda account: own, at, missing=True).plant(scene, north.account)

    result = north.sync(scene.desired(), rules=DELETING_ALL)

    assert result.state == "changed", result.document["conflicts"]
    assert ("create", "pipeline", "Deals") in shown(result)
    assert own.id in north.account.pipelines
    assert [kind for kind, _ in manual(result)] == ["pipeline"]


def test_a_pipeline_with_an_odd_stage_inside_is_not_deleted(scene: Scene) -> None:
    north = scene.branch()
    own = north.account.add_pipeline("Own", stages=["Mine", "Yours"])
    Odd("stage", lambda account: own.stage("Mine"), "name").plant(scene, north.account)
    result = north.sync(scene.desired(), rules=DELETING_ALL)
    assert own.id in north.account.pipelines
    assert not [each for each in changes(result, action="delete") if each["name"] in ("Own", "Mine", "Yours")]


def test_a_lost_answer_is_looked_up_beside_an_odd_item(scene: Scene) -> None:
    north = scene.branch()
    own = north.account.add_field("leads", "Own")
    Odd("custom_field", lambda account: own, "type").plant(scene, north.account)
    scene.fault("reset_applied", north, method="POST", path="leads/custom_fields")
    result = north.sync(scene.desired())
    assert result.state == "changed", result.document
    assert len([item for item in north.account.fields["leads"].values() if item.name == "Source"]) == 1


# -- null --


def test_an_option_that_reads_null_is_never_renamed_and_nothing_is_written_over_it(scene: Scene) -> None:
    north = scene.branch()
    north.sync(scene.desired())
    mine = north.account.field("leads", "Source")
    options = [(enum.id, enum.value) for enum in mine.ordered_enums]
    scene.fault("odd", north, method="GET", item=mine.id, at="enums.1.value", times=None)
    assert north.sync(scene.desired()).state == "in_sync"
    ours = scene.master.field("leads", "Source")
    scene.master.add_enum(ours, "Radio")
    ours.is_api_only = True

    result = north.sync(scene.desired())

    assert (result.state, result.reason) == ("partial", "conflict")
    assert any(
        kind == "enum" and f"id {options[1][0]}: enums.1.value: it is null" in text for kind, text in manual(result)
    )
    assert [(enum.id, enum.value) for enum in mine.ordered_enums] == options
    assert mine.is_api_only, "what needs no options is written"
    assert not any(b"enums" in record.body for record in north.sent("PATCH"))
    scene.world.faults.clear()
    assert north.sync(scene.desired()).state == "changed"
    assert [enum.value for enum in mine.ordered_enums] == ["Web", "Fair", "Radio"]
    assert [enum.id for enum in mine.ordered_enums][:2] == [number for number, _ in options]


def test_an_option_that_reads_null_is_not_taken_for_one_without_a_value(scene: Scene) -> None:
    north = scene.branch()
    mine = north.account.add_field("leads", "Source", "select", enums=["Web", "Own"])
    scene.fault("odd", north, method="GET", item=mine.id, at="enums.1.value", times=None)
    result = north.sync(scene.desired(), rules=DELETING_ALL)
    assert result.reason == "conflict"
    assert [enum.value for enum in mine.ordered_enums] == ["Web", "Own"]


def test_an_option_of_the_master_that_reads_null_is_not_copied_and_keeps_its_partner(scene: Scene) -> None:
    north, south = scene.branch(), scene.branch("south")
    north.sync(scene.desired())
    ours = scene.master.field("leads", "Source")
    scene.fault("odd", item=ours.id, at="enums.1.value", times=None)
    scene.master.add_enum(ours, "Radio")

    there, fresh = north.sync(scene.desired(), rules=DELETING), south.sync(scene.desired())

    assert {enum.value for enum in north.account.field("leads", "Source").enums} == {"Web", "Fair", "Radio"}
    assert [enum.value for enum in south.account.field("leads", "Source").ordered_enums] == ["Web", "Radio"]
    for result in (there, fresh):
        assert result.state == "changed"
        assert [kind for kind, _ in manual(result)] == ["enum"]
    scene.world.faults.clear()
    for branch in (north, south):
        assert branch.sync(scene.desired()).state in ("changed", "in_sync")
        assert differences(scene.master, branch.account) == []


def test_a_field_of_the_master_whose_options_all_read_null_is_not_made_and_named(scene: Scene) -> None:
    ours = scene.master.add_field("leads", "Other", "select", enums=["A"])
    scene.fault("odd", item=ours.id, at="enums.0.value", times=None)
    north = scene.branch()

    result, again = north.sync(scene.desired()), north.sync(scene.desired())

    assert (result.state, again.state, again.document["changes"]) == ("changed", "in_sync", [])
    assert [each["name"] for each in result.document["manual"] if each["kind"] == "custom_field"] == ["Other"]
    assert not [each for each in north.sent("POST") if b'"Other"' in each.body]
    scene.world.faults.clear()
    assert north.sync(scene.desired()).state == "changed"
    assert differences(scene.master, north.account) == []


def test_no_word_that_was_a_null_ever_leaves(scene: Scene) -> None:
    north = scene.branch()
    north.sync(scene.desired())
    scene.master.add_enum(source(scene.master), "Radio")
    for account in (scene.master, north.account):
        for item in (source(account), deals(account), note(account)):
            branch = None if account is scene.master else north
            scene.fault("odd", branch, method="GET", item=item.id, at="name", times=None)
    north.sync(scene.desired())
    north.known.clear()
    north.sync(scene.desired())
    assert not any(b"None" in record.body or b"null" in record.body for record in north.sent(*WRITES))


@pytest.mark.parametrize(("of", "at"), [
    (offer, "color"), (offer, "is_editable"), (deals, "is_unsorted_on"), (source, "is_predefined"), (note, "code"),
])  # fmt: skip
def test_an_attribute_of_the_master_that_reads_null_changes_nothing_in_a_slave(
    scene: Scene, of: Callable[[SimAccount], Any], at: str
) -> None:
    offer(scene.master).color = "#eb93ff"
    north, south = scene.branch(), scene.branch("south")
    north.sync(scene.desired())
    before = inventory(north.account)
    for branch in (None, north):
        scene.fault(
            "odd",
            branch,
            method="GET",
            item=of(scene.master if branch is None else north.account).id,
            at=at,
            times=None,
        )
        assert north.sync(scene.desired()).state == "in_sync"
    assert inventory(north.account) == before
    assert offer(north.account).color == "#eb93ff"
    assert south.sync(scene.desired()).state == "changed"


@pytest.mark.parametrize("number", [142, "default"])
def test_what_kommo_names_itself_needs_no_name(scene: Scene, number: int | str) -> None:
    north, south = scene.branch(), scene.branch("south")
    north.sync(scene.desired())
    for branch in (None, north, south):
        scene.fault("odd", branch, method="GET", item=number, at="name", times=None)
    assert north.sync(scene.desired()).state == "in_sync"
    result = south.sync(scene.desired())
    assert (result.state, result.document["manual"]) == ("changed", [])
    scene.world.faults.clear()
    assert differences(scene.master, south.account) == []


def test_what_reads_oddly_only_after_it_was_written_is_told_and_is_not_done(scene: Scene) -> None:
    scene.master.field("leads", "Note").is_api_only = True
    north = scene.branch()
    mine = north.account.add_field("leads", "Note")
    # Its groups and its fields are read without it, as before the writes.
    scene.fault("odd", north, method="GET", item=mine.id, at="type", path="leads/custom_fields", skip=2, times=None)

    result = north.sync(scene.desired())

    assert (result.state, result.reason, result.converged) == ("partial", "conflict", False)
    assert [(each["kind"], each["name"]) for each in result.document["conflicts"]] == [("custom_field", "Note")]
    assert [kind for kind, _ in manual(result)] == ["custom_field"]


# -- lists as objects --


def test_an_account_whose_lists_come_as_objects_is_read_and_written_as_every_other(scene: Scene) -> None:
    north, south = scene.branch(), scene.branch("south")
    plain = read(scene.server, scene.master)
    north.sync(scene.desired())
    scene.world.variants.lists_as_objects = True
    assert read(scene.server, scene.master) == plain
    assert north.sync(scene.desired()).state == "in_sync"
    assert south.sync(scene.desired()).state == "changed"
    assert differences(scene.master, south.account) == []
    assert [len(json.loads(record.body)) for record in south.sent("POST")] == [1, 1, 3]


def test_two_items_with_the_same_id_that_is_none_are_held_back_one_by_one(scene: Scene) -> None:
    for name in ("First", "Second", "Third"):
        scene.master.add_pipeline(name, stages=["New"])
    for name in ("First", "Second"):
        Odd("pipeline", lambda account, name=name: account.pipeline(name), "id", "x").plant(scene, scene.master)
    north = scene.branch()

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert [item["name"] for item in result.document["manual"]] == ["First", "Second"]
    assert changes(result, kind="pipeline", name="Third", outcome="done")


def test_a_list_that_is_odd_altogether_is_a_bad_answer(scene: Scene) -> None:
    north = scene.branch()
    north.sync(scene.desired())
    for item in north.account.fields["leads"].values():
        scene.fault("odd", north, method="GET", item=item.id, at="type", times=None)
    result = north.sync(scene.desired())
    assert (result.state, result.reason) == ("failed", "bad_answer")
    assert "unexpected shape" in result.error["message"]
