"""A line of an uploaded file before anybody asks what its cells mean."""

from collections.abc import Sequence
from dataclasses import dataclass, field


class UnreadableFile(Exception):
    """Not a table at all; the message is for the operator."""


@dataclass(frozen=True)
class NotText:
    """A cell whose text is not what was typed; `why` has a place for the name of its column."""

    why: str


@dataclass(frozen=True)
class Line:
    """`number` counts from 1, as editors and Excel do; `flaw` says what is wrong with the line as a whole."""

    number: int
    cells: Sequence[str | NotText] = field(repr=False, default=())
    flaw: str = ""

    @property
    def is_blank(self) -> bool:
        return not self.flaw and not any(isinstance(cell, NotText) or cell.strip() for cell in self.cells)
