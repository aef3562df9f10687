"""The door of the command line: whatever is refused ends a command with a sentence and an exit code."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.database import DISK, FULL, LOCKED
from accounts.refusals import Refusal

NOT_GOOD, USAGE = 1, 2
# Refusals whose code is here end with NOT_GOOD: it was asked for rightly, and could not be done.
FAILURES = frozenset(
    {
        *("internal", "exists_already", "demo_not_possible", "not_started", "command_failed", "gave_up", "send_failed"),
        *(trouble.code for trouble in (LOCKED, FULL, DISK)),
    }
)


class RefusingCommand(BaseCommand):
    """Turns a refusal, by the command or by a service, into the end of the command; exit code USAGE, or NOT_GOOD."""

    error_class: type[CommandError] = CommandError  # its name stands before the sentence on stderr

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            with self.boundary():
                return super().execute(*args, **options)
        except Refusal as error:
            self.report(error, options)
            returncode = NOT_GOOD if error.code in FAILURES else USAGE
            raise self.error_class(str(error), returncode=returncode) from error
        return None

    def boundary(self) -> AbstractContextManager[Any]:
        """Surrounds the command; it may make refusals of other errors."""
        return nullcontext()

    def report(self, error: Refusal, options: Mapping[str, Any]) -> None:
        """Shows the refusal in another form than the sentence on stderr."""
