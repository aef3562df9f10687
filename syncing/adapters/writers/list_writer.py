"""The base of the writers of new items: all kinds are posted to a list, and looked for there after a lost answer."""

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

from accounts.kommo.errors import Validation
from syncing.adapters.answers import adopt, aligned, new_items
from syncing.adapters.api import Json
from syncing.adapters.batch_writer import Entry
from syncing.adapters.context import WriteContext
from syncing.adapters.repairs import OptionalParts, reduce_creation
from syncing.adapters.writers.change_writer import ChangeWriter
from syncing.engine.changes import Change
from syncing.engine.refs import Kind


class ListWriter(ChangeWriter):
    """Creates items of one list. `existing`: the account's keys in it before; `inside`: what its keys begin with."""

    kind: ClassVar[Kind]
    list_name: ClassVar[str]  # its key in answers
    optional: ClassVar[frozenset[str]] = frozenset()  # the parts that an item can be made without
    page_size: ClassVar[int | None] = None

    def __init__(self, context: WriteContext, path: str, existing: Collection[str], inside: str = "") -> None:
        super().__init__(context)
        self.path, self.existing, self.inside = path, existing, inside

    @abstractmethod
    def parse(self, item: Json) -> object: ...

    @abstractmethod
    def key_of(self, item: Json) -> str:
        """Returns the account's key of an item of the list."""

    def read(self) -> list[Json]:
        return self.context.api.get_all(self.path, self.list_name, page_size=self.page_size)

    def send(self, bodies: list[Json]) -> list[Json]:
        return aligned(self.context.api.post(self.path, bodies), self.list_name, bodies, self.parse)

    def find_created(self, chunk: Sequence[Entry[Change]]) -> Mapping[int, Json | None]:
        items = self.read()
        before = {*self.existing, *self.context.present_keys(self.kind, self.inside)}
        return adopt(chunk, new_items(items, before, self.key_of, self.parse))

    def repair(self, entry: Entry[Change], error: Validation) -> Entry[Change] | None:
        return reduce_creation(entry, error, OptionalParts(self.optional), self.context.may_guess)
