"""One PATCH of one item, with what is optional in it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from accounts.kommo.errors import KommoError, Validation
from syncing.adapters import batches
from syncing.adapters.api import Json
from syncing.adapters.batch_writer import Answered, Entry
from syncing.adapters.context import WriteContext
from syncing.adapters.repairs import OptionalParts, reduce_update, split_update
from syncing.adapters.writers.change_writer import ChangeWriter
from syncing.engine.changes import Change

Renew = Callable[[], Json | None]  # reads again: what is still to be sent, None if all of it is there


def patch_one(
    context: WriteContext, change: Change, path: str, body: Json, optional: OptionalParts, renew: Renew | None = None
) -> Json:
    """PATCHes one item and reports it; returns the answer, empty if the item failed or its answer was lost.

    What is `optional` costs only itself. `renew` is given where sending it twice is not harmless.
    """
    writer = _SinglePatch(context, path, optional, renew)
    batches.update([Entry(change, body)], writer)
    return writer.answer


class _SinglePatch(ChangeWriter):
    def __init__(self, context: WriteContext, path: str, optional: OptionalParts, renew: Renew | None) -> None:
        super().__init__(context)
        self.path, self.optional, self.renew = path, optional, renew
        self.checks_updates = renew is not None
        self.answer: Json = {}

    def send(self, bodies: list[Json]) -> list[Json]:
        return [self.context.api.patch(self.path, bodies[0])]

    def done(self, answered: Sequence[Answered[Change]]) -> None:
        _, self.answer = answered[-1]
        super().done(answered)

    def check_updates(
        self, chunk: Sequence[Entry[Change]]
    ) -> tuple[Sequence[Answered[Change]], Sequence[Entry[Change]]]:
        entry, left = chunk[0], self.renew() if self.renew else None
        if left is None:
            return [(entry, {})], []
        return [], [replace(entry, body={key: left[key] for key in left if key in entry.body})]

    def repair(self, entry: Entry[Change], error: Validation) -> Entry[Change] | None:
        return reduce_update(entry, error, self.optional)

    def split(self, entry: Entry[Change], error: KommoError) -> Mapping[str, Callable[[], Json]]:
        return split_update(entry, error, self.optional) if self.context.may_guess else {}
