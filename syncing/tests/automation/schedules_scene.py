"""Workers that look at the same due schedule at the same moment, one of which is killed while it fires.

It uses the database of its process: that of the tests, or of a process of its own.
"""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from django.db import connections

from accounts import clock
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.automation import schedules
from syncing.models import AccountRun, AuditEntry, Schedule, SyncRun
from syncing.services import schedules as services
from syncing.services.actors import COMMAND
from syncing.services.runs.start import start_run

WORKERS = 6


def scene() -> dict[str, Any]:
    """Returns what is in the tables after one killed worker, and after all others."""
    schedule = due_schedule()
    facts = {"after_the_kill": killed_while_firing() | state(schedule)}
    gate = threading.Barrier(WORKERS)

    def look(_: int) -> int:
        gate.wait()
        try:
            return schedules.start_due()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(WORKERS) as pool:
        settled = sum(pool.map(look, range(WORKERS)))
    return facts | {"settled": settled, "after_all": state(schedule)}


def due_schedule() -> Schedule:
    group = GroupFactory()
    AccountFactory.cast(group)
    past = clock.now() - timedelta(minutes=5)
    schedule = services.add(Schedule(group=group, kind="apply", cron="* * * * *"), by=COMMAND)
    Schedule.objects.filter(pk=schedule.pk).update(next_at=past, cron=f"{past.minute} {past.hour} * * *")
    return schedule


def state(schedule: Schedule) -> dict[str, Any]:
    schedule.refresh_from_db()
    return {
        "runs": SyncRun.objects.count(),
        "account_runs": AccountRun.objects.count(),
        "audited": AuditEntry.objects.filter(action="started").count(),
        "is_due": schedule.next_at is not None and schedule.next_at <= clock.now(),
        "has_run": schedule.run_id is not None,
        "problem": schedule.problem,
    }


def killed_while_firing() -> dict[str, Any]:
    """Lets a child fire, which is killed when its rows are made and nothing is committed."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        schedules.start_run = killed  # type: ignore[attr-defined]
        schedules.start_due()
        os._exit(0)
    return {"killed_by": -os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}


def killed(**facts: Any) -> Any:
    start_run(**facts)
    os.kill(os.getpid(), signal.SIGKILL)
