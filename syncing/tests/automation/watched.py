"""A group whose master is watched by a worker of the tests, while the clock is moved."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import time_machine
from django.utils import timezone
from django_q.models import OrmQ

from accounts.kommo.stopping import Stop
from accounts.models import SyncGroup
from accounts.simulator.account import SimAccount
from syncing import tasks
from syncing.automation import tick, watcher
from syncing.engine.refs import Scope
from syncing.engine.watching import collection_at
from syncing.execution.master_reading import ReadRequest, read
from syncing.execution.stop_signs import supervisor_sign
from syncing.models import RunType, SyncRun, Trigger, Watch
from syncing.policy import scope_of
from syncing.records.snapshots import store_master
from syncing.tests.crm import asked
from syncing.tests.factories import RunFactory
from syncing.tests.house import SLAVES, House, Work, all_well


@dataclass
class Watched:
    """`tick` does what a worker's supervisor does, and at once what it sent to the queue."""

    house: House
    clock: time_machine.Traveller

    @property
    def master(self) -> SimAccount:
        return self.house.world.accounts["master"]

    @property
    def row(self) -> Watch:
        return Watch.objects.select_related("group").get(group=self.house.group)

    @property
    def state(self) -> str:
        return self.row.state

    @property
    def runs(self) -> list[SyncRun]:
        """The runs that the watcher started, the oldest first."""
        return list(SyncRun.objects.filter(trigger=Trigger.WATCH).order_by("pk"))

    @property
    def scope(self) -> Scope:
        scope = scope_of(RunType.FULL, self.house.group)
        assert scope is not None
        return scope

    def policy(self, **columns: object) -> None:
        SyncGroup.objects.filter(pk=self.house.group.pk).update(**columns)
        self.house.group.refresh_from_db()

    def tick(self, after: float = 0) -> int:
        """The requests to the master, after so many seconds; slaves are never asked."""
        self.clock.shift(timedelta(seconds=after))
        OrmQ.objects.all().delete()
        before = len(self.house.world.log)
        tick.STEPS["watch"]()
        for message in OrmQ.objects.all():
            if message.task["func"] == watcher.LOOK:
                tasks.look(*message.task["args"])
        OrmQ.objects.all().delete()
        assert not any(asked(self.house, slave, before) for slave in SLAVES)
        return len(asked(self.house, "master", before))

    def next_paths(self) -> list[str]:
        """What the master is asked for at the next look."""
        before = len(self.house.world.log)
        self.next()
        return self._paths_since(before)

    def look_anyway(self, **how: bool) -> list[str]:
        """What the master is asked for at a look by a command."""
        before = len(self.house.world.log)
        assert watcher.look(self.house.group.pk, supervisor_sign(), at_once=True, **how)
        return self._paths_since(before)

    def _paths_since(self, before: int) -> list[str]:
        return [record.path.removeprefix("/api/v4") for record in asked(self.house, "master", before)]

    def next(self) -> int:
        """The requests of the next look, as soon as it is due."""
        due = self.row.next_look
        assert due is not None
        return self.tick(max(0.0, (due - timezone.now()).total_seconds()) + 0.001)

    def notice(self, looks: int = 20) -> None:
        """Looks until a change is seen."""
        for _ in range(looks):
            self.next()
            if self.row.pending_fingerprint:
                return
        raise AssertionError("no change was seen")

    def work(self, replicate: Work = all_well) -> None:
        """A lane works what there is."""
        self.house.work(replicate)

    def next_at(self, turn: str) -> int:
        """The requests of the next look, at the first collection of this name or of this kind."""
        row = self.row
        known = row.collections
        row.looks = next(look for look in range(28) if collection_at(look, self.scope, known).startswith(turn))
        row.save()
        return self.next()

    def bring(self, **columns: object) -> SyncRun:
        """A run that has brought the master as it is now, without any work."""
        (reading,) = read(ReadRequest((self.house.accounts["master"],), self.scope), Stop())
        assert reading.snapshot
        snapshot = store_master(self.house.group.pk, self.scope, reading.snapshot)
        return RunFactory(group=self.house.group, snapshot=snapshot, **columns)


@contextmanager
def watched(house: House, **policy: object) -> Iterator[Watched]:
    with time_machine.travel(timezone.now(), tick=True) as clock:
        watch = Watched(house, clock)
        watch.policy(**{"watch": "apply", **policy})
        yield watch
