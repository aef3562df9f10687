"""The queue of chunks that are still to be sent, in the order in which a culprit is searched for."""

from typing import Generic, TypeVar

T = TypeVar("T")
Chunk = list[T]


class ChunkQueue(Generic[T]):
    """Chunks to send, one after the other.

    The halves of one that the server failed at come after its neighbours: where those go well, it is no outage, and
    two culprits side by side are not taken for one.
    """

    def __init__(self, chunks: list[Chunk[T]]) -> None:
        self._rows = [chunks]
        self._halves: list[list[Chunk[T]]] = []

    def take(self) -> Chunk[T]:
        """Takes the next chunk; it is empty when nothing is left."""
        while self._rows:
            if self._rows[0]:
                return self._rows[0].pop(0)
            self._rows[:1], self._halves = self._halves, []
        return []

    def put_first(self, chunks: list[Chunk[T]]) -> None:
        self._rows[0][:0] = chunks

    def put_last(self, chunks: list[Chunk[T]], *, size: int = 0) -> None:
        """Puts chunks behind the neighbours of the one they came from.

        `size`: what is still to be sent is cut into chunks of so many, too (a gateway that wants smaller batches).
        """
        self._halves.append(chunks)
        if size:
            self._rows = [_cut(row, size) for row in self._rows]
            self._halves = [_cut(row, size) for row in self._halves]


def _cut(chunks: list[Chunk[T]], size: int) -> list[Chunk[T]]:
    return [chunk[start : start + size] for chunk in chunks for start in range(0, len(chunk), size)]
