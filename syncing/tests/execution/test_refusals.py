"""A plain 403: of one request (a firewall), of one account (its whitelist of IP addresses), of all (our address)."""

from collections.abc import Iterable

import pytest
from pytest_django import Settings

from accounts.models import Account
from accounts.simulator.faults import Fault
from accounts.simulator.world import World
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing import replication
from syncing.models import SyncRun
from syncing.tests.house import SLAVES, House


@pytest.fixture(autouse=True)
def outgoing_address(settings: Settings) -> None:
    settings.OUTGOING_ADDRESS = ["203.0.113.7"]


def whitelist(world: World, *subdomains: str) -> list[Fault]:
    """These accounts have a whitelist that our address is not on."""
    return [world.faults.add(Fault("403_plain", subdomain=name, times=None)) for name in subdomains]


def synced(house: House, **facts: object) -> SyncRun:
    run = house.start()
    house.work(replication.replicate, **facts)
    run.refresh_from_db()
    return run


def asked(world: World, subdomain: str, since: int = 0) -> int:
    return sum(record.subdomain == subdomain for record in list(world.log)[since:])


def health(names: Iterable[str] = SLAVES) -> dict[str, str]:
    return dict(Account.objects.filter(subdomain__in=names).values_list("subdomain", "health"))


def test_an_account_that_alone_refuses_us_ends_alone_and_says_what_to_do(house: House, world: World) -> None:
    whitelist(world, "south")

    run = synced(house)

    account_run = house.account_run(run, "south")
    assert (run.state, account_run.state, account_run.reason) == ("partial", "failed", "ip_not_allowed")
    assert "south" in account_run.error["message"]
    assert "whitelist" in account_run.error["remedy"]
    assert "203.0.113.7" in account_run.error["remedy"]
    assert {name: state for name, state in house.states(run).items() if name != "south"} == {
        "north": "in_sync", "west": "in_sync", "east": "in_sync",
    }  # fmt: skip
    assert health() == {**dict.fromkeys(SLAVES, "connected"), "south": "ip_not_allowed"}


def test_one_refusal_costs_one_more_request_to_the_account_and_one_to_the_master(house: House, world: World) -> None:
    synced(house)
    since = len(world.log)
    usual = {name: asked(world, name) for name in ("master", *SLAVES)}
    whitelist(world, "south")

    synced(house)

    assert asked(world, "south", since) == 2
    assert asked(world, "master", since) == usual["master"] + 1
    assert [asked(world, name, since) for name in ("north", "west", "east")] == [7, 7, 7]


def test_the_next_run_asks_the_account_once_and_nobody_for_it(house: House, world: World) -> None:
    whitelist(world, "south")
    first = synced(house)
    since, usual = len(world.log), first.master_requests

    run = synced(house)

    assert house.account_run(run, "south").reason == "ip_not_allowed"
    assert asked(world, "south", since) == 1
    assert asked(world, "master", since) == usual


def test_an_account_that_lets_us_in_again_is_synced_by_the_next_run(house: House, world: World) -> None:
    whitelist(world, "south")
    synced(house)
    world.faults.clear()

    run = synced(house)

    assert run.state == "succeeded"
    assert health()["south"] == "connected"


def test_several_that_refuse_us_stand_each_alone(house: House, world: World) -> None:
    whitelist(world, "south", "west", "east")

    run = synced(house)

    reasons = dict(run.account_runs.values_list("account__subdomain", "reason"))
    assert reasons == {"north": "", **dict.fromkeys(("south", "west", "east"), "ip_not_allowed")}
    assert asked(world, "master") <= run.master_requests + 3


def test_when_all_refuse_everything_is_stopped_after_three_were_asked(house: House, world: World) -> None:
    """Nobody but the master answers as the run begins; then the address is blocked."""
    run = house.start()
    answered = house.work  # the lane reads the master first

    def blocked(*args: object) -> object:
        world.limiter.blocked.add("127.0.0.1")
        return replication.replicate(*args)  # type: ignore[arg-type]

    answered(blocked)  # type: ignore[arg-type]

    run.refresh_from_db()
    assert (run.state, run.reason) == ("failed", "ip_blocked")
    assert {account_run.reason for account_run in run.account_runs.all()} == {"ip_blocked"}
    refused = [record.subdomain for record in world.log if record.status == 403]
    assert len(refused) <= 4 + 1 + 3


def test_a_master_that_alone_refuses_us_ends_its_run_and_no_other_group(house: House, world: World) -> None:
    other = GroupFactory(name="Others")
    for name, role in (("head", "master"), ("branch", "slave")):
        AccountFactory(group=other, role=role, subdomain=name, token=world.add_account(name).token)
    whitelist(world, "master")
    run, theirs = house.start(), house.start(group=other)

    house.work(replication.replicate)

    run.refresh_from_db()
    theirs.refresh_from_db()
    assert (run.state, run.reason) == ("failed", "ip_not_allowed")
    assert set(house.states(run).values()) == {"skipped"}
    assert not [name for name in SLAVES if asked(world, name) > 1]  # one request each at most
    assert theirs.state == "succeeded"
    assert health(["master", "head", "branch", *SLAVES]) == {
        "master": "ip_not_allowed", "head": "connected", "branch": "connected", **dict.fromkeys(SLAVES, "unknown"),
    }  # fmt: skip


def test_paused_accounts_are_not_asked_for_others(house: House, world: World) -> None:
    AccountFactory(group=house.group, subdomain="asleep", paused=True, token=world.add_account("asleep").token)
    whitelist(world, "master", *SLAVES)

    synced(house)

    assert asked(world, "asleep") == 0


# -- a firewall --


def test_an_item_that_a_firewall_refuses_fails_alone(house: House, world: World) -> None:
    for at in range(20):
        world.accounts["master"].add_field("leads", f"Field {at}")
    world.accounts["master"].add_field("leads", "<script>alert(1)</script>")
    world.faults.add(Fault("403_plain", method="write", holds="<script", times=None))

    run = synced(house)

    assert house.states(run) == dict.fromkeys(SLAVES, "partial")
    for account_run in run.account_runs.all():
        failed = [row for row in account_run.document["changes"] if row["outcome"] == "failed"]
        assert [row["name"] for row in failed] == ["<script>alert(1)</script>"]
        assert "firewall" in failed[0]["message"]
        assert (account_run.reason, account_run.created) == ("validation", 20)
    assert health() == dict.fromkeys(SLAVES, "connected")


@pytest.mark.parametrize("at", [0, 1, 2, 3, 4])
def test_a_stage_that_a_firewall_refuses_costs_its_new_pipeline_nothing_else(
    house: House, world: World, at: int
) -> None:
    names = ["Asked", "Offered", "Viewed", "Signed"]
    stages = [*names[:at], "<script>", *names[at:]]
    pipeline = world.accounts["master"].add_pipeline("Sales of flats", stages=stages)
    world.faults.add(Fault("403_plain", subdomain="south", method="write", holds="<script", times=None))

    run = synced(house)

    changes = {row["name"]: row["outcome"] for row in house.account_run(run, "south").document["changes"]}
    assert changes == {"Sales of flats": "done", "<script>": "failed", **dict.fromkeys(names, "done")}
    made = next(each for each in world.accounts["south"].pipelines.values() if each.name == pipeline.name)
    theirs = [(stage.name, stage.color) for stage in made.stages if stage.name in names]
    assert theirs == [(stage.name, stage.color) for stage in pipeline.stages if stage.name in names]
    since = len(world.log)

    assert house.account_run(synced(house), "south").state == "partial"

    assert sum(record.method != "GET" and record.status != 403 for record in list(world.log)[since:]) == 0


def test_a_reading_that_a_firewall_refuses_fails_its_account_and_stops_nobody(house: House, world: World) -> None:
    world.faults.add(Fault("403_plain", subdomain="south", path="/contacts/custom_fields", times=None))

    run = synced(house)

    account_run = house.account_run(run, "south")
    assert (account_run.state, account_run.reason) == ("failed", "validation")
    assert "/contacts/custom_fields" in account_run.error["message"]
    assert "firewall" in account_run.error["remedy"]
    assert "the master is not the cause" in account_run.error["remedy"]
    assert [house.states(run)[name] for name in ("north", "west", "east")] == ["in_sync"] * 3
    assert health() == dict.fromkeys(SLAVES, "connected")


def test_a_firewall_that_refuses_every_write_ends_the_account_in_bounded_requests(house: House, world: World) -> None:
    for at in range(60):
        world.accounts["master"].add_field("leads", f"Field {at}")
    world.faults.add(Fault("403_plain", subdomain="south", method="write", times=None))

    run = synced(house)

    account_run = house.account_run(run, "south")
    assert (account_run.state, account_run.reason) == ("failed", "ip_not_allowed")
    assert sum(record.status == 403 for record in world.log) <= 25
    assert house.states(run)["north"] == "changed"
