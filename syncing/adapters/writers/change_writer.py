"""The base of all writers: reports what became of planned changes."""

from collections.abc import Mapping, Sequence

from accounts.kommo.errors import KommoError
from syncing.adapters.api import Json
from syncing.adapters.batch_writer import Answered, BatchWriter, Entry
from syncing.adapters.context import WriteContext
from syncing.engine.changes import Change
from syncing.engine.refs import Ref


class ChangeWriter(BatchWriter[Change]):
    """Writes changes of a plan in its context."""

    def __init__(self, context: WriteContext) -> None:
        self.context = context

    def keys(self, entry: Entry[Change], answer: Json) -> Mapping[Ref, str]:
        """Returns the account's keys that came into being with an entry."""
        return {}

    def done(self, answered: Sequence[Answered[Change]]) -> None:
        self.context.report([
            self.context.succeeded(entry.subject, self.keys(entry, answer))
            for entry, answer in answered
        ])  # fmt: skip
        for entry, _ in answered:
            self.context.report_refused_parts(entry)

    def failed(self, entry: Entry[Change], error: KommoError) -> None:
        self.context.fail_entry(entry, error)

    def settle(self) -> None:
        self.context.settle()
