"""Lanes and a blocked IP: it stops everything, and is announced once."""

import logging
import time

import pytest
from pytest_django import Settings

from accounts.kommo.client import KommoClient
from accounts.simulator.world import World
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.execution import lanes
from syncing.models import SyncRun
from syncing.replication.contract import Checkpoint, Record, Result, StoreBefore, Target
from syncing.tests.house import House, database


def test_a_plain_403_stops_everything_in_every_group(
    house: House, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    other = GroupFactory(name="Others")
    AccountFactory(group=other, role="master", subdomain="other-master")
    AccountFactory(group=other, subdomain="other-slave")
    run, waiting = house.start(), house.start(group=other)
    SyncRun.objects.filter(pk=waiting.pk).update(queued_to_workers=False)

    def replicate(
        target: Target, client: KommoClient, record: Record, checkpoint: Checkpoint, store_before: StoreBefore
    ) -> Result:
        world.limiter.blocked.add("127.0.0.1")
        while True:
            client.get("/leads/pipelines")
            checkpoint("reading")

    with caplog.at_level(logging.CRITICAL):
        house.work(replicate, threads=2)

    run.refresh_from_db()
    waiting.refresh_from_db()
    assert (run.state, run.reason) == ("failed", "ip_blocked")
    assert (waiting.state, waiting.reason) == ("failed", "ip_blocked")
    reasons = set(run.account_runs.values_list("state", "reason"))
    assert reasons == {("failed", "ip_blocked")}
    assert {account_run.error["code"] for account_run in run.account_runs.all()} == {"ip_blocked"}
    refused = [record for record in world.log if record.status == 403]
    assert len(refused) <= 2 + 1 + 3  # what was in flight, the account itself once more, up to three others


def test_a_block_that_another_lane_met_stops_this_one(house: House, settings: Settings) -> None:
    settings.SYNC_LEASE = 3

    def replicate(
        target: Target, client: KommoClient, record: Record, checkpoint: Checkpoint, store_before: StoreBefore
    ) -> Result:
        if target.subdomain == "north":
            with database():
                lanes.ip_block.announce()
        while True:
            client.get("/leads/pipelines")
            checkpoint("reading")
            time.sleep(0.005)  # or the lane's own thread would starve on a busy machine

    run = house.start()
    house.work(replicate)

    run.refresh_from_db()
    assert (run.state, run.reason) == ("failed", "ip_blocked")


def test_a_block_is_announced_once_by_who_met_it(
    house: House, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SYNC_LEASE = 3
    announced: list[bool] = []
    announce = lanes.ip_block.announce
    monkeypatch.setattr(lanes.ip_block, "announce", lambda: (announced.append(True), announce()))

    def replicate(
        target: Target, client: KommoClient, record: Record, checkpoint: Checkpoint, store_before: StoreBefore
    ) -> Result:
        if target.subdomain == "north":
            with database():
                announce()
        while True:
            client.get("/leads/pipelines")
            checkpoint("reading")
            time.sleep(0.005)  # or the lane's own thread would starve on a busy machine

    house.start()
    house.work(replicate)

    assert not announced


def test_a_run_begun_after_a_block_may_try_again(house: House) -> None:
    lanes.ip_block.announce()

    run = house.start()
    house.work()

    run.refresh_from_db()
    assert run.state == "succeeded"
