"""Processes that make messages of the same notices at the same moment, one of which is killed in the middle.

It uses the database of its process: that of the tests, or of a process of its own.
"""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connections

from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import Channel, Message, Notice, SyncRun, ToldState
from syncing.notifications import outbox
from syncing.services.runs.close import close_run
from syncing.tests.factories import AccountRunFactory, RunFactory
from syncing.tests.notifications.telling import listen
from syncing.tests.waving import snapshot

MAKERS = 6
RUNS = 12
CHANNELS = ("every", "changed", "newly_bad")


def scene() -> dict[str, Any]:
    """Returns what is in the tables after one killed maker, and after all others; a failure and a recovery by turns."""
    for when in CHANNELS:
        listen(when, when=when, events=["run_failed"])
    happened()
    notices = Notice.objects.count()
    killed_by = killed_in_the_middle()
    facts = {"killed_by": killed_by, "lost": notices - Notice.objects.count(), "half": Message.objects.count()}
    gate = threading.Barrier(MAKERS)

    def make(_: int) -> int:
        gate.wait()
        try:
            return outbox.make_messages()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(MAKERS) as pool:
        made = sum(pool.map(make, range(MAKERS)))
    return facts | {
        "made": made,
        "left": Notice.objects.count(),
        "told": {when: told(when) for when in CHANNELS},
        "known": sorted(ToldState.objects.values_list("channel__name", "bad")),
    }


def happened() -> None:
    """Closes runs as the last account of each does: north fails in every other one."""
    accounts = AccountFactory.cast(GroupFactory())
    del accounts["master"]
    for number in range(RUNS):
        run = RunFactory(state="running")
        SyncRun.objects.filter(pk=run.pk).update(snapshot=snapshot(run))
        for name, account in accounts.items():
            failed = name == "north" and number % 2 == 0
            AccountRunFactory(run=run, account=account, state="failed" if failed else "in_sync")
        assert close_run(run.pk)


def told(when: str) -> str:
    """What a channel was told, in order: F a failure, W all are well again."""
    titles = Channel.objects.get(name=when).messages.order_by("pk").values_list("title", flat=True)
    return "".join("F" if "failed" in title else "W" for title in titles)


def killed_in_the_middle() -> int:
    """Lets a child make messages, which is killed when it has stored the second one of a notice; the signal."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        create, made = Message.objects.create, []

        def killed(**facts: Any) -> Any:
            made.append(create(**facts))
            if len(made) == 2:
                os.kill(os.getpid(), signal.SIGKILL)

        Message.objects.create = killed  # type: ignore[method-assign]
        outbox.make_messages()
        os._exit(0)
    return -os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
