"""The process that makes messages of what happened and sends those that are due, then ends."""

import logging
import sys

import django
from django.apps import apps

from syncing.worker.orphans import EndWithParent

if not apps.ready:
    django.setup()

# They need the tables, so they come after the setup.
from syncing.error_boundary import bounded
from syncing.notifications import delivery, outbox

logger = logging.getLogger(__name__)


def main() -> int:
    """Does one round; 0 when all of it was done, 1 after an error of our own, or without the database."""
    EndWithParent().install()
    errors: list[Exception] = []

    def make_messages() -> None:
        with bounded(errors.append, but=()):  # what is due already is sent all the same
            outbox.make_messages()

    with bounded(errors.append, but=()):
        make_messages()
        delivery.send_due(meanwhile=make_messages)
    for error in errors[:1]:
        logger.error("messages: error of our own", exc_info=error)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
