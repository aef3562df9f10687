"""Required and hidden statuses: those of the master are copied, the slave's own stay."""

import pytest

from accounts.simulator.compare import differences
from accounts.simulator.model import SimField
from accounts.simulator.server import RunningServer
from syncing.tests.branches import WRITES, Branch, Scene


@pytest.fixture
def scene(simulator: RunningServer) -> Scene:
    return Scene(simulator)


def required(scene: Scene) -> tuple[Branch, SimField]:
    sales = scene.master.add_pipeline("Sales", stages=["New", "Offer"])
    ours = scene.master.add_field("leads", "Source", required_statuses=[(sales.id, sales.stage("New").id)])
    north = scene.branch()
    north.sync(scene.desired())
    return north, ours


def test_required_in_the_slaves_own_stages_stays(scene: Scene) -> None:
    north, ours = required(scene)
    mine = north.account.field("leads", "Source")
    sales = north.account.pipeline("Sales")
    own = north.account.add_stage(sales, "Own")
    local = north.account.add_pipeline("Local", stages=["Here"])
    kept = [(sales.id, own.id), (local.id, local.stage("Here").id), (local.id, 142)]
    mine.required_statuses += kept
    theirs = scene.master.pipeline("Sales")
    ours.required_statuses = [(theirs.id, theirs.stage("Offer").id), (theirs.id, 143)]

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert set(mine.required_statuses) == {*kept, (sales.id, sales.stage("Offer").id), (sales.id, 143)}
    assert north.sync(scene.desired()).state == "in_sync"


def test_required_statuses_that_the_master_gave_up_are_given_up(scene: Scene) -> None:
    north, ours = required(scene)
    ours.required_statuses = []

    assert north.sync(scene.desired()).state == "changed"
    assert north.account.field("leads", "Source").required_statuses == []


def test_hidden_statuses_are_copied_where_both_accounts_have_the_feature(scene: Scene) -> None:
    sales = scene.master.add_pipeline("Sales", stages=["New", "Offer"])
    scene.master.add_field("leads", "Source", hidden_statuses=[(sales.id, sales.stage("New").id)])
    north = scene.branch()

    assert north.sync(scene.desired()).state == "changed"
    assert differences(scene.master, north.account) == []


@pytest.mark.parametrize("there", [False, True], ids=["new field", "old field"])
def test_hidden_statuses_where_the_slave_lacks_the_feature_are_a_manual_item(scene: Scene, there: bool) -> None:
    sales = scene.master.add_pipeline("Sales", stages=["New", "Offer"])
    scene.master.add_field("leads", "Source", hidden_statuses=[(sales.id, sales.stage("New").id)])
    north = scene.branch(super_fields=False)
    if there:
        north.account.add_field("leads", "Source")

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert "Source" in {item.name for item in north.account.fields["leads"].values()}
    (manual,) = result.document["manual"]
    assert "hidden by stage" in manual["message"]
    assert all("hidden_statuses" not in record.body.decode() for record in north.sent(*WRITES))


def test_a_master_without_hidden_statuses_leaves_those_of_the_slave_alone(scene: Scene) -> None:
    scene.master.super_fields = False
    sales = scene.master.add_pipeline("Sales", stages=["New"])
    scene.master.add_field("leads", "Source")
    north = scene.branch()
    north.sync(scene.desired())
    mine = north.account.pipeline("Sales")
    kept = [(mine.id, mine.stage("New").id)]
    north.account.field("leads", "Source").hidden_statuses = list(kept)
    assert sales

    assert north.sync(scene.desired()).state == "in_sync"
    assert north.account.field("leads", "Source").hidden_statuses == kept
