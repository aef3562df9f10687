"""A run as the watcher starts it, worked here and printed as its document: for the bench, in a process of its own.

No command starts a delta, as people always look at all of an account; the watcher would wait for its quiet period.
"""

import json

from accounts.models import SyncGroup
from syncing.execution.foreground import run_to_the_end
from syncing.execution.stop_signs import StopOnSignal
from syncing.selectors.documents import run_document
from syncing.services.actors import WATCH
from syncing.services.runs.start import start_run


def main(group: str) -> None:
    """Runs a delta of all slaves of the group to its end; `manage.py shell` calls it."""
    run = start_run(group=SyncGroup.objects.get(name=group), by=WATCH, delta=True, to_workers=False).run
    with StopOnSignal() as stop:
        run = run_to_the_end(run, stop=stop)
    print(json.dumps(run_document(run)))
