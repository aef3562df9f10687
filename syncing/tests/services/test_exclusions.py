"""Exclusions in runs: what is left out of an account is neither made nor told as drift."""

from syncing.models import AccountState, Drift, Exclusion
from syncing.replication import replicate
from syncing.tests.house import House


def names(house: House, subdomain: str) -> set[str]:
    return {pipeline.name for pipeline in house.world.accounts[subdomain].pipelines.values()}


def test_what_is_left_out_is_neither_made_nor_told_as_drift(house: House) -> None:
    master = house.world.accounts["master"]
    master.add_pipeline("Events", stages=["Asked", "Booked"])
    master.add_pipeline("Service", stages=["New"])
    master.add_field("leads", "Budget", "numeric")
    Exclusion.objects.create(account=house.accounts["north"], kind="pipeline", name="events")
    Exclusion.objects.create(account=house.accounts["north"], kind="custom_field")
    run = house.start()
    house.work(replicate)
    assert house.states(run) == dict.fromkeys(("north", "south", "west", "east"), AccountState.CHANGED)
    assert "Events" in names(house, "south")
    assert {"Service"} <= names(house, "north")
    assert "Events" not in names(house, "north")
    assert "Budget" not in {item.name for item in house.world.accounts["north"].fields["leads"].values()}
    assert Drift.objects.get(account=house.accounts["north"]).state == "in_sync"


def test_what_is_no_longer_left_out_comes_with_the_next_run(house: House) -> None:
    house.world.accounts["master"].add_pipeline("Events", stages=["Asked"])
    row = Exclusion.objects.create(account=house.accounts["north"], kind="pipeline", name="Events")
    house.start()
    house.work(replicate)
    row.delete()
    house.start(mode="plan")
    house.work(replicate)
    found = Drift.objects.get(account=house.accounts["north"])
    assert ("create", "Events") in {(each["action"], each["name"]) for each in found.differences}
    house.start()
    house.work(replicate)
    assert "Events" in names(house, "north")
