"""Whose doing a difference is, end to end: synced, then edited in the slave, in the master, or in both."""

import pytest

from accounts.actors import Actor
from accounts.simulator.account import SimAccount
from accounts.simulator.model import SimPipeline
from syncing.models import AcceptedDifference, AccountState, Drift, Trigger
from syncing.replication import replicate
from syncing.services.actors import COMMAND
from syncing.services.drift_checks import check_now
from syncing.services.exceptions import accept, revert, withdraw
from syncing.tests.house import House

ROBOT = Actor("robot", Trigger.API)


@pytest.fixture
def synced(house: House) -> House:
    """Every slave has the master's Sales pipeline and its field Budget."""
    master = house.world.accounts["master"]
    master.add_pipeline("Sales", stages=["New", "Offer", "Deal"])
    master.add_field("leads", "Budget", "numeric")
    house.start()
    house.work(replicate)
    return house


def sales(house: House, subdomain: str) -> SimPipeline:
    pipelines = house.world.accounts[subdomain].pipelines.values()
    return next(pipeline for pipeline in pipelines if pipeline.name == "Sales")


def recolour(house: House, subdomain: str, color: str) -> None:
    next(stage for stage in sales(house, subdomain).stages if stage.name == "Offer").color = color


def rename(house: House, subdomain: str, name: str) -> None:
    next(stage for stage in sales(house, subdomain).stages if stage.name == "Deal").name = name


def look(house: House) -> dict[str, Drift]:
    """The drift of every slave after a check."""
    check_now(house.group, by=COMMAND)
    house.work(replicate)
    return {each.account.subdomain: each for each in Drift.objects.select_related("account")}


def causes(found: Drift) -> dict[tuple[str, str], str]:
    return {(row["name"], row["attribute"]): row["cause"] for row in found.differences if row["action"] != "extra"}


def field(account: SimAccount, name: str):
    return next(item for item in account.fields["leads"].values() if item.name == name)


def test_what_was_edited_in_one_slave_the_slave_did(synced: House) -> None:
    recolour(synced, "north", "#ff8f92")
    found = look(synced)
    assert causes(found["north"]) == {("Offer", "color"): "slave"}
    assert (found["north"].by_slave, found["south"].state) == (1, "in_sync")


def test_what_the_master_changed_the_master_did(synced: House) -> None:
    recolour(synced, "master", "#ff8f92")
    synced.world.accounts["master"].add_field("leads", "Source", "text")
    for each in look(synced).values():
        assert causes(each) == {("Offer", "color"): "master", ("Source", ""): "master"}


def test_what_both_changed_both_did(synced: House) -> None:
    recolour(synced, "master", "#ff8f92")
    recolour(synced, "north", "#98cbff")
    rename(synced, "north", "Contract")
    found = look(synced)
    assert causes(found["north"])["Offer", "color"] == "both"
    assert set(causes(found["north"]).values()) == {"both", "slave"}
    assert causes(found["south"]) == {("Offer", "color"): "master"}


def test_what_somebody_deleted_in_a_slave_the_slave_did(synced: House) -> None:
    north = synced.world.accounts["north"]
    north.delete_field(field(north, "Budget"))
    assert causes(look(synced)["north"]) == {("Budget", ""): "slave"}


def test_before_the_first_convergence_nobody_can_say(house: House) -> None:
    house.world.accounts["master"].add_pipeline("Sales", stages=["New"])
    found = look(house)["north"]
    assert (found.by_unknown, found.count) == (found.count, found.count)
    assert found.count


def test_a_cause_stays_as_long_as_the_difference_does(synced: House) -> None:
    recolour(synced, "north", "#ff8f92")
    first = look(synced)["north"]
    second = look(synced)["north"]
    assert causes(second) == causes(first)
    assert second.since == first.since
    assert second.converged_at == first.converged_at


def test_reverting_brings_the_masters_back_and_ends_the_drift(synced: House) -> None:
    recolour(synced, "north", "#ff8f92")
    account = look(synced)["north"].account
    run = revert(account, by=COMMAND).run
    synced.work(replicate)
    assert synced.states(run) == {"north": AccountState.CHANGED}
    assert look(synced)["north"].state == "in_sync"


# -- exceptions in runs --


def exception(house: House, subdomain: str, **facts: str) -> AcceptedDifference:
    row = next(row for row in Drift.objects.get(account=house.accounts[subdomain]).differences)
    what = {"kind": row["kind"], "key": row["key"], "attribute": row["attribute"], "reason": "Theirs.", **facts}
    return accept(house.accounts[subdomain], **what, by=ROBOT)


def test_an_accepted_attribute_is_left_alone_by_runs_until_it_is_withdrawn(synced: House) -> None:
    recolour(synced, "north", "#ff8f92")
    look(synced)
    accepted = exception(synced, "north")
    recolour(synced, "master", "#98cbff")
    rename(synced, "master", "Won deal")
    run = synced.start()
    synced.work(replicate)
    stages = {stage.name: stage.color for stage in sales(synced, "north").stages}
    assert stages["Offer"] == "#ff8f92"
    assert "Won deal" in stages
    assert synced.states(run)["north"] == AccountState.CHANGED
    assert look(synced)["north"].state == "in_sync"

    withdraw(accepted, by=ROBOT)
    assert causes(look(synced)["north"]) == {("Offer", "color"): "slave"}
    synced.start()
    synced.work(replicate)
    assert {stage.name: stage.color for stage in sales(synced, "north").stages}["Offer"] == "#98cbff"


def test_a_whole_item_that_a_slave_may_lack_is_not_made_again(synced: House) -> None:
    north = synced.world.accounts["north"]
    north.delete_field(field(north, "Budget"))
    look(synced)
    exception(synced, "north")
    run = synced.start()
    synced.work(replicate)
    assert synced.states(run)["north"] == AccountState.IN_SYNC
    assert "Budget" not in {item.name for item in north.fields["leads"].values()}


def test_an_accepted_extra_is_told_no_more(synced: House) -> None:
    synced.world.accounts["north"].add_pipeline("Own", stages=["One"])
    found = look(synced)["north"]
    assert (found.state, found.extras) == ("in_sync", 1)
    exception(synced, "north")
    assert look(synced)["north"].extras == 0
