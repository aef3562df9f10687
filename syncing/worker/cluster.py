"""The process that runs django-q2's cluster; started by the supervisor, in a session of its own."""

import gc
import os
import sys

from syncing.worker.orphans import EndWithParent

READY_VARIABLE = "KOMMOSYNC_READY_FD"


def main() -> int:
    """Runs the cluster until SIGTERM; 0 after a clean end, 1 when its sentinel died."""
    EndWithParent().install()
    gc.freeze()  # what is loaded by now stays shared with the processes forked from here
    cluster = Cluster()
    cluster.start()
    tell_ready()
    cluster.sentinel.join()
    return 0 if cluster.has_stopped else 1


def tell_ready() -> None:
    """Says to the supervisor that the workers are there; everybody who holds this end has to close it."""
    fd = os.environ.get(READY_VARIABLE)
    if fd:
        os.write(int(fd), b"ready")
        os.close(int(fd))


# Its import sets Django up, so it comes last: nothing of Django may exist in the supervisor's name before. The tasks
# are imported here, before the fork, so that the lanes share one copy of them.
from django_q.cluster import Cluster  # noqa: E402, I001
import syncing.tasks  # noqa: E402, F401

if __name__ == "__main__":
    sys.exit(main())
