"""Options of fields: each keeps its id, whatever becomes of its name and place."""

from typing import Any

import pytest

from accounts.simulator.compare import differences
from accounts.simulator.edits import add
from accounts.simulator.model import SimField
from accounts.simulator.server import RunningServer
from syncing.tests.branches import Branch, Scene, bodies


@pytest.fixture
def scene(simulator: RunningServer) -> Scene:
    return Scene(simulator)


def values(item: SimField) -> list[str]:
    return [enum.value for enum in item.ordered_enums]


def last_patch(branch: Branch) -> list[Any]:
    found: list[Any] = bodies([record for record in branch.sent("PATCH") if record.path.endswith("/custom_fields")])[-1]
    return found


def sourced(scene: Scene) -> tuple[Branch, SimField, SimField]:
    """A select field in both, with a lead that holds its second option."""
    ours = scene.master.add_field("leads", "Source", "select", enums=["Web", "Fair", "Phone"])
    north = scene.branch()
    north.sync(scene.desired())
    mine = north.account.field("leads", "Source")
    home = north.account.ordered_pipelines[0]
    north.account.add_lead(home.id, home.ordinary[0].id, {mine.id: mine.enum("Fair").id})
    return north, ours, mine


def test_an_option_that_is_renamed_in_the_master_keeps_its_id(scene: Scene) -> None:
    north, ours, mine = sourced(scene)
    number = mine.enum("Fair").id
    ours.enum("Fair").value = "Exhibition"

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert mine.enum("Exhibition").id == number
    assert north.wounds == (0, 0, 0)


def test_the_order_of_options_follows_and_extra_options_stay(scene: Scene) -> None:
    north, ours, mine = sourced(scene)
    before = {enum.value: enum.id for enum in mine.enums}
    own = north.account.add_enum(mine, "Own", sort=1)
    for at, value in enumerate(("Phone", "Web", "Fair")):
        ours.enum(value).sort = at

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert [value for value in values(mine) if value != "Own"] == ["Phone", "Web", "Fair"]
    assert {enum.value: enum.id for enum in mine.enums} == before | {"Own": own.id}
    assert {"kind": "enum", "name": "Own", "parent": "Source"} in result.document["extras"]
    assert north.wounds == (0, 0, 0)


def test_no_option_that_exists_is_ever_sent_without_its_id(scene: Scene) -> None:
    north, ours, mine = sourced(scene)
    north.account.add_enum(mine, "Own")
    add(scene.master, "enum", field_id=ours.id, value="New one")
    existing = {enum.id for enum in mine.enums}

    north.sync(scene.desired())

    (body,) = last_patch(north)
    assert {enum.get("id") for enum in body["enums"]} == existing | {None}
    assert [enum["value"] for enum in body["enums"] if "id" not in enum] == ["New one"]


@pytest.mark.parametrize("needed", [True, False])
def test_a_renamed_select_field_keeps_all_its_options(scene: Scene, needed: bool) -> None:
    """Some PATCHes of select fields demand the list: it always goes along, with ids (docs/kommo.md 5.4)."""
    scene.world.variants.enums_required_on_patch = needed
    north, ours, mine = sourced(scene)
    before = [(enum.id, enum.value) for enum in mine.ordered_enums]
    ours.name = "Origin"

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert [(enum.id, enum.value) for enum in mine.ordered_enums] == before
    assert north.wounds == (0, 0, 0)


def test_options_that_swap_their_names_swap_them_in_the_slave_too(scene: Scene) -> None:
    north, ours, mine = sourced(scene)
    first, second = mine.enum("Web").id, mine.enum("Fair").id
    web, fair = ours.enum("Web"), ours.enum("Fair")
    web.value, fair.value = "Fair", "Web"

    north.sync(scene.desired())

    assert (mine.enum("Fair").id, mine.enum("Web").id) == (first, second)
    assert differences(scene.master, north.account) == []


def test_an_option_that_the_slave_deleted_is_made_again(scene: Scene) -> None:
    north, _, mine = sourced(scene)
    north.account.delete_enum(mine, mine.enum("Phone"))

    assert north.sync(scene.desired()).state == "changed"
    assert values(mine) == ["Web", "Fair", "Phone"]
    assert north.wounds == (0, 0, 0)
    assert north.sync(scene.desired()).state == "in_sync"


def test_ambiguous_options_are_a_conflict_and_the_field_keeps_its_list(scene: Scene) -> None:
    ours = scene.master.add_field("leads", "Source", "select", enums=["Web", "Fair"])
    north = scene.branch()
    mine = north.account.add_field("leads", "Source", "select", enums=["Web", "Web", "Own"])
    before = [(enum.id, enum.value) for enum in mine.enums]
    ours.is_api_only = True

    result = north.sync(scene.desired())

    assert (result.state, result.reason) == ("partial", "conflict")
    assert [(enum.id, enum.value) for enum in mine.enums] == before
    assert mine.is_api_only


def test_equal_options_pair_by_their_order(scene: Scene) -> None:
    scene.master.add_field("leads", "Source", "select", enums=["Same", "Same", "Other"])
    north = scene.branch()

    assert north.sync(scene.desired()).state == "changed"
    assert values(north.account.field("leads", "Source")) == ["Same", "Same", "Other"]
    assert north.sync(scene.desired()).state == "in_sync"
    keys = [key for ref, key in north.known.items() if ref.kind == "enum" and key.startswith("leads/")]
    assert len(keys) == len(set(keys)) == 3


def test_an_option_without_a_code_gets_the_masters_and_another_code_is_kept(scene: Scene) -> None:
    scene.master.add_field("leads", "Source", "select", enums=[("Web", "WEB"), ("Fair", "FAIR"), "Phone"])
    north = scene.branch()
    mine = north.account.add_field("leads", "Source", "select", enums=["Web", ("Fair", "MINE"), ("Phone", "TEL")])
    before = [enum.id for enum in mine.enums]

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert [(enum.id, enum.code) for enum in mine.enums] == list(zip(before, ("WEB", "MINE", "TEL"), strict=True))
    assert north.sync(scene.desired()).state == "in_sync"


def test_a_batch_answer_with_options_keyed_by_index_is_understood(scene: Scene) -> None:
    scene.world.variants.batch_patch_enums_as_object = True
    north, ours, mine = sourced(scene)
    ours.name = "Origin"
    assert north.sync(scene.desired()).state == "changed"
    assert mine.name == "Origin"


def test_options_and_stages_that_differ_in_case_only_keep_their_ids(scene: Scene) -> None:
    scene.master.add_field("leads", "Answer", "select", enums=["yes", "Yes"])
    scene.master.add_pipeline("Deals", stages=["new", "New"])
    north = scene.branch()
    own = north.account.add_field("leads", "Answer", "select", enums=["Yes"])
    mine = north.account.add_pipeline("Deals", stages=["New"])
    option, stage = own.enums[0].id, mine.ordinary[0].id

    assert north.sync(scene.desired()).state == "changed"

    assert {enum.value: enum.id for enum in own.enums}["Yes"] == option
    assert values(own) == ["yes", "Yes"]
    assert {each.name: each.id for each in mine.ordinary}["New"] == stage
    assert [each.name for each in mine.ordinary] == ["new", "New"]
    assert north.wounds == (0, 0, 0)
    assert north.sync(scene.desired()).state == "in_sync"
