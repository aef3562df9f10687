"""A whole installation of its own for end-to-end tests: real processes, real databases, a simulated Kommo over HTTP."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from django.conf import settings
from pytest_django.plugin import DjangoDbBlocker

from accounts.models import Account, SyncGroup
from accounts.simulator.account import SimAccount
from accounts.simulator.compare import differences
from accounts.simulator.seed import seed_master
from accounts.simulator.server import RunningServer
from accounts.simulator.world import World
from accounts.tests.tables import connected, make_tables
from syncing.operations import envfile
from syncing.operations.workspace import Workspace

LEASE = 3
PATIENCE = 90.0  # seconds until a test gives up waiting: a machine may be busy


class Installation:
    """`Workspace` with accounts, and the simulator in this process, so that its world can be looked into."""

    def __init__(
        self, directory: Path, world: World, server: RunningServer, blocker: DjangoDbBlocker, **env: str
    ) -> None:
        self.world = world
        self.database = env.get("DATABASE_URL", "")
        self.blocker = blocker
        self.workspace = Workspace(directory)
        self.template = server.url_template
        self.values = {
            "SYNC_LEASE": str(LEASE),
            "KOMMO_RATE_PER_ACCOUNT": "50",
            "KOMMO_RATE_PER_IP": "0",
            "SYNC_WORKERS": "2",
            "SYNC_THREADS": "10",
            "SECRET_KEY": envfile.secret_key(),
            "FIELD_ENCRYPTION_KEYS": ",".join(settings.FIELD_ENCRYPTION_KEYS),
            **env,
        }

    def __enter__(self) -> Self:
        self.workspace.__enter__()
        self.workspace.configure(self.values)
        envfile.replace(self.workspace.env_file, {"KOMMO_URL_TEMPLATE": self.template})
        if not self.database:
            make_tables(self.workspace.directory / "kommosync.sqlite3")
        self._store_accounts()
        return self

    def _store_accounts(self) -> None:
        """Stores what `import_accounts` would, without a process for it."""
        url = self.database or f"sqlite:///{self.workspace.directory / 'kommosync.sqlite3'}"
        with self.blocker.unblock(), connected(url) as alias:
            group = SyncGroup.objects.using(alias).create(name="Default")
            master, *slaves = (Account(group=group, subdomain=a.subdomain, token=a.token) for a in self.accounts)
            master.role = Account.Role.MASTER
            Account.objects.using(alias).bulk_create([master, *slaves])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.workspace.__exit__(kind, error, trace)

    # -- the world --

    @property
    def accounts(self) -> list[SimAccount]:
        return list(self.world.accounts.values())

    def assert_converged(self) -> None:
        """Every slave has what the master has, and nothing twice; judged by the simulator's own comparison."""
        master, *slaves = self.accounts
        for slave in slaves:
            assert differences(master, slave) == [], slave.subdomain
            for names in inventory(slave):
                assert len(names) == len(set(names)), f"{slave.subdomain} has something twice: {sorted(names)}"

    def wait_for_writes(self, number: int, seconds: float = PATIENCE) -> None:
        """Until so many writes were answered."""
        wait_until(lambda: sum(r.method != "GET" for r in list(self.world.log)) >= number, seconds, "writes")

    # -- the database --

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        if self.database:
            with psycopg.connect(self.database) as connection:
                return connection.execute(sql).fetchall()  # type: ignore[arg-type]
        return sqlite_rows(self.workspace.directory / "kommosync.sqlite3", sql)

    def change(self, sql: str) -> None:
        """Executes a statement and commits it."""
        if self.database:
            with psycopg.connect(self.database) as connection:
                connection.execute(sql)  # type: ignore[arg-type]
            return
        path = self.workspace.directory / "kommosync.sqlite3"
        with contextlib.closing(sqlite3.connect(path, timeout=20)) as connection, connection:
            connection.execute(sql)

    def stop_between_transactions(self, process: "subprocess.Popen[Any]") -> None:
        """Stops a process that holds no lock on the SQLite file: one that does would keep everybody else out."""
        wait_until(lambda: self._is_free_beside(process), PATIENCE, "moment without a lock")

    def _is_free_beside(self, process: "subprocess.Popen[Any]") -> bool:
        process.send_signal(signal.SIGSTOP)
        path = self.workspace.directory / "kommosync.sqlite3"
        with contextlib.closing(sqlite3.connect(path, timeout=0)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                process.send_signal(signal.SIGCONT)
                return False
        return True

    def wait_for_run(self, seconds: float = PATIENCE) -> str:
        """The state in which the newest run ended."""
        sql = "SELECT state FROM syncing_syncrun ORDER BY id DESC LIMIT 1"
        ended = lambda: self.rows(sql)[0][0] not in ("queued", "running")  # noqa: E731
        wait_until(ended, seconds, "end of the run")
        return str(self.rows(sql)[0][0])


def sqlite_rows(file: Path, sql: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(file, timeout=20)) as connection:
        return connection.execute(sql).fetchall()


def new_franchise(slaves: int) -> World:
    """A small master with something of everything, and so many slaves as Kommo makes them."""
    world = World()
    world.limits.key = "none"
    seed_master(world.add_account("master"), pipelines=2, stages=4, fields=(12, 6, 4), groups=3, required=4)
    for number in range(slaves):
        world.add_account(f"branch-{number:02d}")
    return world


def inventory(account: SimAccount) -> Iterator[list[str]]:
    """The names of everything in one parent, parent by parent."""
    yield [pipeline.name for pipeline in account.pipelines.values()]
    for pipeline in account.pipelines.values():
        yield [stage.name for stage in pipeline.stages]
    for entity in account.fields:
        yield [group.name for group in account.groups[entity].values()]
        yield [item.name for item in account.fields[entity].values()]


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"no {what} within {seconds} s"
        time.sleep(0.05)


def children(pid: int) -> list[int]:
    """The child processes of `pid` (Linux)."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return []


def descendants(pid: int) -> list[int]:
    direct = children(pid)
    return direct + [other for child in direct for other in descendants(child)]


def threads(pid: int) -> int:
    try:
        return len(list(Path(f"/proc/{pid}/task").iterdir()))
    except FileNotFoundError:  # it has ended
        return 0


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
