"""The whole thing: real worker, web and command processes, both kinds of database, processes killed in the middle."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest
import requests

from accounts.simulator.edits import add
from accounts.simulator.seed import seed_demo
from accounts.simulator.world import World
from accounts.tests.laws import ONLY_DEEP, only_deep
from syncing.operations.child_processes import MANAGE, free_port
from syncing.tests.installation import (
    children,
    descendants,
    kill,
    new_franchise,
    threads,
    wait_until,
)

pytestmark = [pytest.mark.timeout(300), pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")]
BACKENDS = ["sqlite", "postgres+redis"]


def franchise(slaves: int) -> World:
    """A demo franchise with drifted slaves, without a rate limit."""
    world = World()
    world.limits.key = "none"
    seed_demo(world, slaves=slaves)
    return world


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_queued_run_by_a_real_worker_changes_and_verifies_every_slave(make, backend: str) -> None:
    installation = make(franchise(slaves=12), backend)
    installation.workspace.start_worker()
    first = installation.workspace.document("sync_all", "--queue", "--json")
    assert (first["state"], first["totals"]["changed"]) == ("succeeded", 12), first["accounts"]
    installation.assert_converged()
    again = installation.workspace.document("sync_all", "--queue", "--json")
    assert (again["state"], again["totals"]["in_sync"]) == ("succeeded", 12)
    assert all(account["changes"] == [] for account in again["accounts"])
    worker = installation.workspace.children["worker"]
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0


# -- kill -9 in the middle of a first sync of 20 slaves --


def lane_of(worker_pid: int) -> int:
    """The queue's worker process that has accounts in hand: the one with the most threads."""
    busiest = max(descendants(worker_pid), key=threads)
    assert threads(busiest) > 3, "no lane is at work"
    return busiest


def cluster_of(worker_pid: int) -> int:
    return children(worker_pid)[0]


def supervisor_of(worker_pid: int) -> int:
    return worker_pid


@pytest.mark.parametrize(
    ("backend", "victim"),
    [
        pytest.param("sqlite", lane_of, id="a lane"),
        pytest.param("sqlite", cluster_of, id="the main process", marks=ONLY_DEEP),
        pytest.param("sqlite", supervisor_of, id="the supervisor", marks=ONLY_DEEP),
        pytest.param("postgres+redis", lane_of, id="a lane, where messages can be lost", marks=ONLY_DEEP),
    ],
)
def test_after_kill_9_of_a_worker_process_every_slave_converges_and_nothing_is_made_twice(
    make, backend: str, victim
) -> None:
    installation = make(new_franchise(slaves=20), backend, latency=0.04)
    worker = installation.workspace.start_worker()
    installation.workspace.manage("sync_all", "--queue", "--no-wait")
    installation.wait_for_writes(25)
    family = descendants(worker.pid)
    kill(victim(worker.pid))
    if victim is supervisor_of:
        worker.wait(60)
        wait_until(lambda: not any(threads(pid) for pid in family), 60, "end of the orphans")
        installation.workspace.start_worker()
    assert installation.wait_for_run() == "succeeded"
    installation.assert_converged()


@only_deep
def test_after_kill_9_of_the_web_server_a_triggered_run_goes_on_and_the_pages_come_back(make) -> None:
    installation = make(new_franchise(slaves=20), latency=0.04)
    key = installation.workspace.manage("api_key", "create", "test", "--scope", "read", "--scope", "trigger").strip()
    port = free_port()
    up = installation.workspace.start("up", *MANAGE, "up", "--port", str(port))
    url, headers = f"http://127.0.0.1:{port}", {"Authorization": f"Bearer {key}"}
    wait_until(lambda: _answers(f"{url}/healthz"), 90, "web server")
    answer = requests.post(f"{url}/api/sync/trigger", json={"sync_type": "full"}, headers=headers, timeout=60)
    assert answer.status_code == 202, answer.text
    installation.wait_for_writes(10)
    kill(_web_server(up.pid))
    assert installation.wait_for_run() == "succeeded"
    installation.assert_converged()
    wait_until(lambda: _answers(f"{url}/healthz"), 90, "web server")
    document = requests.get(answer.json()["status_url"], headers=headers, timeout=60).json()
    assert document["totals"]["changed"] == 20
    up.send_signal(signal.SIGTERM)
    assert up.wait(60) == 0


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


def _web_server(up: int) -> int:
    for pid in children(up):
        if b"\0web\0" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    raise AssertionError("no web server below `up`")


@only_deep
def test_after_kill_9_of_a_foreground_run_the_next_one_waits_takes_over_and_converges(make) -> None:
    installation = make(new_franchise(slaves=20), latency=0.04, SYNC_LEASE="10")
    first = installation.workspace.start("first", *MANAGE, "sync_all")
    installation.wait_for_writes(25)
    kill(first.pid)
    first.wait()
    document = installation.workspace.document("sync_all", "--json")
    assert document["state"] == "succeeded", document["totals"]
    said = (installation.workspace.logs / "sync_all.log").read_text()
    assert "takes over" in said
    installation.assert_converged()
    states = [state for (state,) in installation.rows("SELECT state FROM syncing_syncrun ORDER BY id")]
    assert states[0] != "succeeded"
    assert states[1] == "succeeded"


@only_deep
def test_a_process_that_was_stopped_longer_than_its_lease_sends_nothing_more_when_it_goes_on(make) -> None:
    """As a machine that sleeps: meanwhile another command takes over and ends the work."""
    installation = make(new_franchise(slaves=6), latency=0.04)
    first = installation.workspace.start("first", *MANAGE, "sync_all")
    installation.wait_for_writes(8)
    installation.stop_between_transactions(first)
    document = installation.workspace.document("sync_all", "--json")
    assert document["state"] == "succeeded", document["totals"]
    written = sum(record.method != "GET" for record in list(installation.world.log))
    first.send_signal(signal.SIGCONT)
    assert first.wait(60) == 1
    assert sum(record.method != "GET" for record in list(installation.world.log)) == written
    installation.assert_converged()


# -- a clean stop --


@only_deep
def test_sigterm_to_the_group_lets_accounts_finish_or_go_back_and_the_next_worker_ends_the_run(make) -> None:
    installation = make(new_franchise(slaves=20), latency=0.04)
    worker = installation.workspace.start_worker()
    installation.workspace.manage("sync_all", "--queue", "--no-wait")
    installation.wait_for_writes(25)
    family = descendants(worker.pid)
    began = time.monotonic()
    os.killpg(worker.pid, signal.SIGTERM)
    assert worker.wait(60) == 0
    assert time.monotonic() - began < 15
    assert not any(threads(pid) for pid in family), "something was left behind"
    running = installation.rows("SELECT count(*) FROM syncing_accountrun WHERE state = 'running'")
    assert running == [(0,)], "an account was neither finished nor handed back"
    installation.workspace.start_worker()
    assert installation.wait_for_run() == "succeeded"
    installation.assert_converged()


def test_a_cancel_stops_between_two_requests_and_says_how_far_it_came(make) -> None:
    installation = make(new_franchise(slaves=8), latency=0.1)
    command = installation.workspace.start("sync", *MANAGE, "sync_all", "--json")
    installation.wait_for_writes(8)
    command.send_signal(signal.SIGINT)
    assert command.wait(60) == 1
    log = (installation.workspace.logs / "sync.log").read_text()
    document = json.loads(next(line for line in log.splitlines() if line.startswith("{")))
    assert document["state"] == "cancelled"
    assert {account["state"] for account in document["accounts"]} <= {"cancelled", "changed"}
    again = installation.workspace.document("sync_all", "--json")
    assert again["state"] == "succeeded"
    installation.assert_converged()


@pytest.mark.parametrize("backend", ["sqlite", pytest.param("postgres+redis", marks=ONLY_DEEP)])
def test_a_real_worker_keeps_oauth_accounts_alive_checks_and_syncs_them(make, backend: str) -> None:
    world = new_franchise(slaves=3)
    theirs = world.add_integration(redirect_uri="https://sync.example/oauth/callback")
    installation = make(world, backend)
    workspace = installation.workspace
    workspace.csv.write_text("subdomain,client_id,client_secret,redirect_uri,refresh_token\n")
    with workspace.csv.open("a") as file:
        for account in installation.accounts[1:]:
            pair = account.grants.issue(theirs.client_id)
            row = (account.subdomain, theirs.client_id, theirs.client_secret, theirs.redirect_uri, pair.refresh)
            file.write(",".join(row) + "\n")
    workspace.manage("import_accounts", str(workspace.csv))
    workspace.start_worker()
    # What the schedule does every hour; the first time after up to half a minute.
    workspace.manage("shell", "-c", "from django_q.tasks import async_task; async_task('accounts.tasks.upkeep')")
    renewed = "SELECT count(*) FROM accounts_tokenpair WHERE generation = 2"
    wait_until(lambda: installation.rows(renewed)[0][0] == 3, 90, "renewal of the imported refresh tokens")

    workspace.manage("shell", "-c", "from accounts.services.health.bulk_check import start_check; start_check()")
    finished = "SELECT count(*) FROM accounts_connectioncheck WHERE finished_at IS NOT NULL"
    wait_until(lambda: installation.rows(finished)[0][0] == 1, 90, "end of the check")
    assert installation.rows("SELECT DISTINCT health FROM accounts_account") == [("connected",)]

    document = workspace.document("sync_all", "--queue", "--json")
    assert (document["state"], document["totals"]["changed"]) == ("succeeded", 3)
    assert sum(record.path == "/oauth2/access_token" for record in world.log) == 3
    installation.assert_converged()


# -- the watcher --


def test_a_stage_that_is_added_in_the_master_arrives_in_every_slave_by_itself(make) -> None:
    installation = make(new_franchise(slaves=3), "postgres+redis", SYNC_TICK="0.2")
    workspace, (master, *slaves) = installation.workspace, installation.accounts
    assert workspace.document("sync_all", "--json")["state"] == "succeeded"
    workspace.manage("policy", "watch=apply", "look_seconds=1", "quiet_seconds=1")
    workspace.start_worker()
    idle = "SELECT count(*) FROM syncing_watch WHERE looks > 0 AND state = 'idle'"
    wait_until(lambda: installation.rows(idle) == [(1,)], 90, "first look")
    before = len(installation.world.log)

    add(master, "stage", pipeline_id=next(iter(master.pipelines)), name="Won back")

    wait_until(lambda: len(installation.rows("SELECT id FROM syncing_syncrun")) == 2, 90, "run of the watcher")
    assert installation.wait_for_run() == "succeeded"
    installation.assert_converged()
    assert installation.rows("SELECT mode, trigger FROM syncing_syncrun ORDER BY id DESC LIMIT 1") == [
        ("apply", "watch")
    ]
    written = [record.subdomain for record in list(installation.world.log)[before:] if record.method != "GET"]
    assert sorted(written) == [slave.subdomain for slave in slaves]
    wait_until(lambda: installation.rows(idle) == [(1,)], 90, "idle watcher")
    assert len(installation.rows("SELECT id FROM syncing_syncrun")) == 2
