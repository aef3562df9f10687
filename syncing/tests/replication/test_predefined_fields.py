"""Predefined fields: known by their code, put in order around, never made or renamed."""

import pytest

from accounts.simulator.server import RunningServer
from syncing.tests.branches import Scene, shown


@pytest.fixture
def scene(simulator: RunningServer) -> Scene:
    return Scene(simulator)


def test_predefined_fields_are_known_by_code_and_never_made_or_renamed(scene: Scene) -> None:
    north = scene.branch(language="pt")
    scene.master.field("contacts", "PHONE").name = "Telephone!"

    result = north.sync(scene.desired())

    assert not [row for row in shown(result) if row[1] == "custom_field"]
    assert north.account.field("contacts", "PHONE").name == "Telefone"
    assert result.document["manual"] == []


def test_a_predefined_field_that_is_missing_is_a_manual_item(scene: Scene) -> None:
    north = scene.branch()
    north.account.delete_field(north.account.field("contacts", "POSITION"))

    result = north.sync(scene.desired())

    assert result.state in ("changed", "in_sync")
    (manual,) = result.document["manual"]
    assert manual["kind"] == "custom_field"
    assert manual["name"] == "Position"
    assert len(north.account.fields["contacts"]) == 2


def test_fields_are_put_in_order_around_the_predefined_ones(scene: Scene) -> None:
    """Phone stands between the two in the master: so it does in the slave, and is not moved for it."""
    scene.master.field("contacts", "PHONE").sort = 50
    scene.master.add_field("contacts", "First", sort=10)
    scene.master.add_field("contacts", "Last", sort=90)
    north = scene.branch()
    phone = north.account.field("contacts", "PHONE")
    before = phone.sort

    north.sync(scene.desired())

    order = [item.name for item in north.account.members("contacts", "default")]
    assert order.index("First") < order.index("Phone") < order.index("Last")
    assert phone.sort == before


@pytest.mark.parametrize("hidden", ["PHONE", "EMAIL"])
def test_predefined_fields_keep_their_order_while_the_master_does_not_show_one_of_them(
    scene: Scene, hidden: str
) -> None:
    """There is no room for both between two of them, and whoever is numbered anew may not leave the third behind."""
    scene.master.add_field("contacts", "First", sort=400)
    scene.master.add_field("contacts", "Last", sort=900)
    item = scene.master.field("contacts", hidden)
    scene.fault("odd", method="GET", item=item.id, at="name", times=None)
    north = scene.branch()
    before = {item.id: item.sort for item in north.account.fields["contacts"].values()}

    assert north.sync(scene.desired()).state == "changed"

    order = [item.code or item.name for item in north.account.members("contacts", "default")]
    assert order == ["POSITION", "PHONE", "EMAIL", "First", "Last"]
    assert {number: north.account.fields["contacts"][number].sort for number in before} == before


def test_required_statuses_of_a_predefined_field_are_copied(scene: Scene) -> None:
    sales = scene.master.add_pipeline("Sales", stages=["New"])
    scene.master.field("contacts", "PHONE").required_statuses = [(sales.id, sales.stage("New").id)]
    north = scene.branch()

    assert north.sync(scene.desired()).state == "changed"
    assert len(north.account.field("contacts", "PHONE").required_statuses) == 1
    assert len(north.account.field("contacts", "PHONE").enums) == 6
