"""`worker`: clean ends, no orphans, and a cluster that died or is wedged."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import OperationalError

from accounts.tests.tables import make_tables
from syncing import conf
from syncing.execution.stop_signs import PipeSign
from syncing.models import Process
from syncing.worker import supervisor
from syncing.worker.supervisor import ClusterSupervisor

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and the parent-death signal")
PATIENCE = 60.0


def family(pid: int) -> set[int]:
    """All processes below `pid`."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(stat.parent.name)] = int(fields[1])
    found: set[int] = set()
    new = {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return found


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if Path(f"/proc/{pid}/stat").exists() and " Z " not in stat_of(pid)}


def stat_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return " Z "


def until(true: Callable[[], object]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A real worker with a database of its own, leader of its group; ready."""
    env = {**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path}/worker.sqlite3", "SYNC_WORKERS": "1"}
    manage = [sys.executable, "manage.py"]
    at = {"cwd": settings.BASE_DIR, "env": {**env, "DJANGO_SETTINGS_MODULE": "kommosync.settings_test"}, "text": True}
    make_tables(tmp_path / "worker.sqlite3")
    process = subprocess.Popen(  # type: ignore[call-overload]
        [*manage, "worker"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True, **at
    )
    assert process.stdout.readline().startswith("Worker ready: 1 lanes")
    yield process
    left = family(process.pid)
    process.kill()
    process.wait()
    process.stdout.close()
    until(lambda: not alive(left))


@on_linux
@pytest.mark.parametrize("wish", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_its_group_ends_it_cleanly_with_all_its_processes(
    worker: subprocess.Popen[str], wish: signal.Signals
) -> None:
    everybody = family(worker.pid)
    assert len(everybody) >= 5

    os.killpg(worker.pid, wish)

    assert worker.wait(60) == 0
    assert not alive(everybody)


@on_linux
def test_no_orphan_survives_the_supervisor(worker: subprocess.Popen[str]) -> None:
    everybody = family(worker.pid)

    worker.kill()

    assert until(lambda: not alive(everybody))


@on_linux
@pytest.mark.parametrize("depth", ["main", "sentinel"])
def test_no_orphan_survives_the_clusters_main_process_or_sentinel_and_a_new_cluster_comes(
    worker: subprocess.Popen[str], depth: str
) -> None:
    everybody = family(worker.pid)
    (main,) = [pid for pid in everybody if os.getpgid(pid) == pid]
    (sentinel,) = [pid for pid in family(main) if family(pid)]

    os.kill(main if depth == "main" else sentinel, signal.SIGKILL)

    assert until(lambda: not alive(everybody))
    assert worker.stdout is not None
    assert worker.stdout.readline().startswith("Worker ready")
    assert worker.poll() is None


# -- the supervisor, with a stand-in for the cluster --


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(conf, "RESTARTS", 2)
    return []


@pytest.mark.django_db(transaction=True)
def test_it_gives_up_on_a_cluster_that_dies_again_and_again(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "COMMAND", (sys.executable, "-c", "raise SystemExit(1)"))

    assert ClusterSupervisor(said.append).run() == 1

    assert said == ["Gave up after 2 restarts: the cluster died."]
    assert not Process.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_cluster_that_takes_no_work_is_started_again(
    said: list[str], monkeypatch: pytest.MonkeyPatch, settings: object
) -> None:
    settings.SYNC_LEASE = 1  # type: ignore[attr-defined]
    monkeypatch.setattr(conf, "WEDGED_AFTER", 0.8)
    monkeypatch.setattr(supervisor, "COMMAND", (sys.executable, "-c", "import time; time.sleep(60)"))
    monkeypatch.setattr(supervisor.lanes, "has_claimable", lambda: True)
    called: list[bool] = []
    monkeypatch.setattr(supervisor.dispatch, "call_lanes", lambda: called.append(True))

    assert ClusterSupervisor(said.append).run() == 1

    assert len(called) > 1  # at the start, and again before a restart: a message may have been lost
    assert "no lane took it" in said[0]


@pytest.mark.django_db(transaction=True)
def test_it_waits_for_a_database_that_is_away_at_the_start_and_later(
    said: list[str], monkeypatch: pytest.MonkeyPatch, settings: object, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SYNC_LEASE = 1  # type: ignore[attr-defined]
    monkeypatch.setattr(supervisor, "COMMAND", (sys.executable, "-c", "import time; time.sleep(60)"))
    monkeypatch.setattr(supervisor, "ensure_schedules", away_for(2, supervisor.ensure_schedules))
    monkeypatch.setattr(supervisor.claims, "release_expired", away_for(2, stop_this_process))

    assert ClusterSupervisor(said.append).run() == 0

    errors = [record for record in caplog.records if "the database is away" in record.message]
    assert len(errors) == 2  # once per outage
    assert not Process.objects.exists()


def away_for(times: int, act: Callable[[], object]) -> Callable[[], object]:
    left = iter(range(times))

    def tried() -> object:
        if next(left, None) is not None:
            raise OperationalError("the connection was refused")
        return act()

    return tried


def stop_this_process() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_the_sign_to_drain_is_set_when_nobody_holds_the_other_end() -> None:
    read, write = os.pipe()
    sign = PipeSign(read)

    assert not sign.is_set()
    os.close(write)
    assert sign.is_set()
    os.close(read)
