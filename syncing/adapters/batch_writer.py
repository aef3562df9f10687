"""The interface between batches and the writers: entries, and what a writer says about them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from accounts.kommo.errors import KommoError, Validation
from syncing.adapters.api import Json

T = TypeVar("T")


@dataclass(frozen=True)
class Entry(Generic[T]):
    """One item of a batch: what it stands for and its body."""

    subject: T
    body: Json
    repeats: int = 0  # after lost answers
    guesses: int = 0  # repairs without a complaint that says what to leave out
    whole: Json | None = None  # the body before them
    refused: tuple[str, ...] = ()  # the optional parts that Kommo refused, in words
    left_out: frozenset[str] = frozenset()  # the options among them, as `repairs.option_name` calls them


Answered = tuple[Entry[T], Json]


class BatchWriter(ABC, Generic[T]):
    """Sends, finds, repairs and reports the items of one list; `batches` decides what is sent when."""

    checks_updates = False  # repeating an update may do harm: `check_updates` looks before it is sent again

    @abstractmethod
    def send(self, bodies: list[Json]) -> Sequence[Json]:
        """Sends the bodies and returns the answered items in the same order; raises KommoError."""

    @abstractmethod
    def done(self, answered: Sequence[Answered[T]]) -> None:
        """Reports entries that were written."""

    @abstractmethod
    def failed(self, entry: Entry[T], error: KommoError) -> None:
        """Reports an entry that was not written."""

    @abstractmethod
    def settle(self) -> None:
        """Gives Kommo time to end what it may still be at."""

    def find_created(self, chunk: Sequence[Entry[T]]) -> Mapping[int, Json | None]:
        """Returns the items that are there after a lost answer, by index in the chunk; None: maybe, nobody can tell."""
        return {}

    def check_updates(self, chunk: Sequence[Entry[T]]) -> tuple[Sequence[Answered[T]], Sequence[Entry[T]]]:
        """Reads again after a lost answer: the entries that are there as sent, and those to send, under today's ids."""
        return (), chunk

    def current(self, entry: Entry[T]) -> Entry[T]:
        """Returns an update as it has to be sent now that its turn has come."""
        return entry

    def repair(self, entry: Entry[T], error: Validation) -> Entry[T] | None:
        """Returns the entry without what was refused of it; None if it cannot be repaired."""
        return None

    def split(self, entry: Entry[T], error: KommoError) -> Mapping[str, Callable[[], Json]]:
        """Splits a refused update: its parts in words, each with a function that makes its body when its turn comes.

        Empty where the refusal says more.
        """
        return {}
