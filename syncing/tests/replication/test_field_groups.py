"""Groups of fields: fields move between them, and are in order in them."""

import pytest

from accounts.simulator.compare import differences
from accounts.simulator.edits import change
from accounts.simulator.server import RunningServer
from syncing.tests.branches import Scene, changes, shown


@pytest.fixture
def scene(simulator: RunningServer) -> Scene:
    return Scene(simulator)


def test_what_the_master_made_anew_under_its_old_name_adopts_what_the_slave_has(scene: Scene) -> None:
    """Deleted and made again in the master: other ids there, the same things here."""
    north = scene.branch()
    for _ in range(2):
        sales = scene.master.add_pipeline("Sales", stages=["New", "Offer"])
        group = scene.master.add_group("leads", "Deal")
        ours = scene.master.add_field("leads", "Source", "select", enums=["Web", "Fair"], group=group)
        ours.required_statuses = [(sales.id, sales.stage("New").id)]
        result = north.sync(scene.desired())
        scene.master.delete_pipeline(sales)
        scene.master.delete_field(ours)
        scene.master.delete_group("leads", group)

    assert (result.state, result.created, result.updated) == ("in_sync", 0, 0)
    assert len(north.account.pipelines) == 2
    assert north.wounds == (0, 0, 0)


def test_product_groups_are_not_ours(scene: Scene) -> None:
    scene.master.add_group("leads", "Products", type="linked_group")
    north = scene.branch()
    north.account.add_group("leads", "Products of mine", type="linked_group")

    result = north.sync(scene.desired())

    assert not [row for row in shown(result) if row[1] == "field_group"]
    assert "Products of mine" not in {extra["name"] for extra in result.document["extras"]}


@pytest.mark.parametrize("shown_as", ["null", "default"])
def test_a_field_moves_between_groups_and_back_to_the_main_one(scene: Scene, shown_as: str) -> None:
    scene.world.variants.main_group_shown_as = shown_as
    first, second = scene.master.add_group("leads", "First"), scene.master.add_group("leads", "Second")
    ours = scene.master.add_field("leads", "Source", group=first)
    north = scene.branch()
    north.sync(scene.desired())
    mine = north.account.field("leads", "Source")
    number = mine.id
    for group_id, name in ((second.id, "Second"), ("default", None), (first.id, "First")):
        ours.group_id = group_id
        result = north.sync(scene.desired())

        assert result.state == "changed"
        assert mine.group_id == ("default" if name is None else north.account.group("leads", name).id)
        assert north.sync(scene.desired()).state == "in_sync"
    assert mine.id == number


def test_a_field_in_another_group_is_moved_and_not_made_again(scene: Scene) -> None:
    group = scene.master.add_group("leads", "Deal")
    scene.master.add_field("leads", "Source", group=group)
    north = scene.branch()
    mine = north.account.add_field("leads", "Source")

    result = north.sync(scene.desired())

    assert [row for row in shown(result) if row[1] == "custom_field"] == [("update", "custom_field", "Source")]
    assert mine.group_id == north.account.group("leads", "Deal").id


def test_the_group_of_a_tracking_field_is_left_to_kommo(scene: Scene) -> None:
    scene.master.add_field("leads", "Campaign", "tracking_data", group_id="statistic")
    north = scene.branch()
    north.account.add_field("leads", "Campaign", "tracking_data", group_id="default")
    assert north.sync(scene.desired()).state == "in_sync"


def test_a_group_in_conflict_holds_back_the_fields_that_need_it_and_nothing_else(scene: Scene) -> None:
    group = scene.master.add_group("leads", "Deal")
    scene.master.add_field("leads", "Inside", group=group)
    scene.master.add_field("leads", "Outside")
    north = scene.branch()
    for _ in range(2):
        north.account.add_group("leads", "Deal")

    result = north.sync(scene.desired())

    assert (result.state, result.reason) == ("partial", "conflict")
    assert {(each["kind"], each["name"]) for each in result.document["conflicts"]} == {
        ("field_group", "Deal"),
        ("custom_field", "Inside"),
    }
    assert [each["name"] for each in changes(result, kind="custom_field")] == ["Outside"]


@pytest.mark.parametrize("sort", [0, 999_999, 1_000_000, 2**31 - 1])
def test_the_order_is_reached_beside_any_number_that_the_slave_has(scene: Scene, sort: int) -> None:
    for name in ("A", "B", "C"):
        scene.master.add_field("companies", name, sort=10 * ord(name))
    north = scene.branch()
    for name in ("C", "Own", "A", "B"):
        north.account.add_field("companies", name, sort=sort)

    result = north.sync(scene.desired())

    assert (result.state, result.reason) == ("changed", None)
    assert differences(scene.master, north.account) == []
    assert north.sync(scene.desired()).state == "in_sync"


def test_a_group_that_moves_takes_its_fields_along(scene: Scene) -> None:
    groups = [scene.master.add_group("leads", name) for name in ("A", "B", "C")]
    for group in groups:
        scene.master.add_field("leads", f"In {group.name}", group=group)
    north = scene.branch()
    north.sync(scene.desired())
    change(scene.master, "group", ["leads", groups[2].id], sort=0)
    scene.master.add_field("leads", "Also in C", group=groups[2])

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert differences(scene.master, north.account) == []


def test_a_field_of_a_group_that_is_not_ours_to_copy_is_made_in_the_main_group(scene: Scene) -> None:
    products = scene.master.add_group("leads", "Products", type="linked_group")
    ours = scene.master.add_field("leads", "Inside", group=products)
    north = scene.branch()

    assert north.sync(scene.desired()).state == "changed"
    assert north.account.field("leads", "Inside").group_id == "default"
    ours.name = "Still inside"
    assert north.sync(scene.desired()).state == "changed"
    assert north.sync(scene.desired()).state == "in_sync"


def test_a_field_of_a_predefined_group_that_the_slave_lacks_is_made_in_the_main_group(scene: Scene) -> None:
    scene.master.add_field("leads", "Inside", group_id="statistic")
    north = scene.branch()
    north.account.delete_group("leads", north.account.group("leads", "statistic"))

    assert north.sync(scene.desired()).state == "changed"
    assert north.account.field("leads", "Inside").group_id == "default"
    assert north.sync(scene.desired()).state == "in_sync"
