"""A group with a master that is read over HTTP and slaves worked by a stand-in: runs and lanes without their plans."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db import connections

from accounts.kommo.client import KommoClient
from accounts.models import Account, SyncGroup
from accounts.simulator.world import World
from syncing.execution import lanes
from syncing.leases import processes
from syncing.models import AccountRun, ProcessKind, SyncRun
from syncing.replication.contract import Checkpoint, Record, Result, StoreBefore, Target
from syncing.services.actors import COMMAND
from syncing.services.runs.start import start_run

SLAVES = ("north", "south", "west", "east")
Work = Callable[[Target, KommoClient, Record, Checkpoint, StoreBefore], Result]


def result(state: str = "changed", reason: str | None = None, **counts: int) -> Result:
    """The result of an account run; counts as given, else 0."""
    error = {"code": reason, "message": "It did.", "remedy": "Mend it."} if reason else None
    numbers = {name: counts.get(name, 0) for name in ("created", "updated", "deleted", "adopted", "requests")}
    document = {"changes": [], "extras": [], "conflicts": [], "manual": []}
    return Result(state, reason, error, document, "digest", **numbers, kommo_id=None)


def all_well(
    target: Target, client: KommoClient, record: Record, checkpoint: Checkpoint, store_before: StoreBefore
) -> Result:
    checkpoint("reading")
    return result(created=1, requests=7)


@contextmanager
def database() -> Iterator[None]:
    """For a stand-in that asks the database, which account threads must not: leaves no connection behind."""
    try:
        yield
    finally:
        connections.close_all()


@dataclass
class House:
    """One group with its accounts, and what a lane of the tests does."""

    group: SyncGroup
    world: World
    accounts: dict[str, Account]
    stop: threading.Event = field(default_factory=threading.Event)

    def start(self, **facts: object) -> SyncRun:
        facts = {"group": self.group, "by": COMMAND, "to_workers": True, **facts}
        return start_run(**facts).run  # type: ignore[arg-type]

    def work(self, replicate: Work = all_well, **facts: object) -> bool:
        """One lane until it has nothing left."""
        name = processes.new_name()
        processes.arrive(name, ProcessKind.LANE, worker="test")
        facts = {"slice_s": 60.0, "threads": 4, "stop": self.stop, **facts}
        try:
            return lanes.run_lane(name=name, replicate=replicate, **facts)  # type: ignore[arg-type]
        finally:
            processes.leave(name)

    def account_run(self, run: SyncRun, subdomain: str) -> AccountRun:
        return AccountRun.objects.get(run=run, account__subdomain=subdomain)

    def states(self, run: SyncRun) -> dict[str, str]:
        return dict(run.account_runs.values_list("account__subdomain", "state"))
