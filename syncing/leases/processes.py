"""Processes at work: rows of workers, lanes and foreground commands, each with its heartbeat."""

import os
import socket
import uuid
from datetime import datetime

from django.db.models import Count, Q, QuerySet

from accounts import clock
from syncing import conf
from syncing.models import Process, ProcessKind


def this_worker() -> str:
    """Returns the worker that this process belongs to: its machine and its session, which the supervisor made."""
    return worker_of(os.getsid(0))


def worker_of(session: int) -> str:
    """Returns the name of the worker whose cluster leads this session of this machine."""
    return f"{socket.gethostname()[:40]}:{session}"


def new_name() -> str:
    """Returns a name that no other lane has had."""
    return f"{socket.gethostname()[:30]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def living(moment: datetime | None = None) -> QuerySet[Process]:
    """Returns the rows whose last sign of life is younger than a lease."""
    return Process.objects.filter(heartbeat_at__gt=(moment or clock.now()) - conf.lease())


def workers_alive(moment: datetime | None = None) -> int:
    """Counts the supervisors that live; a bare cluster counts as one as soon as a lane of it is at work."""
    numbers = living(moment).aggregate(
        supervisors=Count("pk", filter=Q(kind=ProcessKind.WORKER)),
        of_lanes=Count("worker", distinct=True, filter=Q(kind=ProcessKind.LANE)),
    )
    return max(int(numbers["supervisors"]), int(numbers["of_lanes"]))


def arrive(name: str, kind: str, *, run_id: int | None = None, worker: str = "") -> None:
    """Writes the row of somebody who starts to work."""
    moment = clock.now()
    Process.objects.create(name=name, kind=kind, run_id=run_id, worker=worker, started_at=moment, heartbeat_at=moment)


def enlist(name: str) -> bool:
    """Writes the row of a lane of this worker; False (and no row) when it has as many lanes as it may have.

    The row is written first and ranked then, so that lanes that start together see each other.
    """
    worker = this_worker()
    arrive(name, ProcessKind.LANE, worker=worker)
    ahead = living().filter(kind=ProcessKind.LANE, worker=worker)
    names = list(ahead.order_by("started_at", "name").values_list("name", flat=True))
    if name in names[: conf.workers()]:
        return True
    leave(name)
    return False


def beat(name: str) -> None:
    """Writes a sign of life; a row that the reaper took for dead comes back by itself at the next start only."""
    Process.objects.filter(pk=name).update(heartbeat_at=clock.now())


def leave(name: str) -> None:
    Process.objects.filter(pk=name).delete()


def bury() -> int:
    """Removes the rows of those who died long ago."""
    return Process.objects.filter(heartbeat_at__lt=clock.now() - 10 * conf.lease()).delete()[0]


def lanes_missing() -> int:
    """Returns how many lanes could work beside those that do."""
    lanes = living().filter(kind=ProcessKind.LANE).count()
    return max(0, conf.workers() * max(1, workers_alive()) - lanes)
