"""Clients that send the same request at the same moment, and a server process that is killed while it answers one.

It uses the database of its process: that of the tests, or of a process of its own.
"""

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import patch

from django.db import connections
from django.test import Client

from accounts.tests.factories import AccountFactory
from syncing.api import runs
from syncing.models import AuditEntry, IdempotentAnswer, Schedule, SyncRun
from syncing.services import schedules
from syncing.services.keys import create_key

CLIENTS = 8
NIGHT = {"kind": "drift", "cron": "0 3 * * *"}


def scene() -> dict[str, Any]:
    """Returns what is in the tables after one killed answer, and after the same request of many clients."""
    AccountFactory.cast()
    headers = {"Authorization": f"Bearer {create_key(name='bot', scopes=['trigger'])[1]}"}
    killed = killed_while_answering(headers) | state()
    with patch.object(schedules, "add", slowly(schedules.add)), patch.object(runs, "start_run", slowly(runs.start_run)):
        return {"killed": killed, **_sent_by_many(headers), "state": state()}


def _sent_by_many(headers: dict[str, str]) -> dict[str, Any]:
    added = at_once("/api/sync/schedules", NIGHT, {**headers, "Idempotency-Key": "night"})
    started = at_once("/api/sync/trigger", {"mode": "plan"}, {**headers, "Idempotency-Key": "run"})
    return {"added": added, "started": started}


def slowly(act: Callable[..., Any]) -> Callable[..., Any]:
    """The same, so slow that every client has asked before the first is answered."""

    def acting(*args: Any, **facts: Any) -> Any:
        time.sleep(0.3)
        return act(*args, **facts)

    return acting


def at_once(path: str, body: Any, headers: dict[str, str]) -> dict[str, Any]:
    """Sends the request so often at once; returns the statuses, how many answers differ, and how many were replayed."""
    gate = threading.Barrier(CLIENTS)

    def send(_: int) -> Any:
        gate.wait()
        try:
            return Client().post(path, json.dumps(body), content_type="application/json", headers=headers)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(send, range(CLIENTS)))
    return {
        "statuses": sorted({answer.status_code for answer in answers}),
        "answers": len({answer.content for answer in answers}),
        "replayed": sum("Idempotent-Replayed" in answer for answer in answers),
    }


def state() -> dict[str, int]:
    return {
        "answers": IdempotentAnswer.objects.count(),
        "schedules": Schedule.objects.count(),
        "runs": SyncRun.objects.count(),
        "audited": AuditEntry.objects.filter(action="automation").count(),
    }


def killed_while_answering(headers: dict[str, str]) -> dict[str, int]:
    """Lets a child answer, which is killed when the schedule is made and nothing is committed."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        add = schedules.add

        def add_and_die(schedule: Schedule, **facts: Any) -> None:
            add(schedule, **facts)
            os.kill(os.getpid(), signal.SIGKILL)

        schedules.add = add_and_die  # type: ignore[assignment]
        body, headers = json.dumps(NIGHT), {**headers, "Idempotency-Key": "night"}
        Client().post("/api/sync/schedules", body, content_type="application/json", headers=headers)
        os._exit(0)
    return {"killed_by": -os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}
