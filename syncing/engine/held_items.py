"""Held items: what is in an account but could not be read; it is neither copied, nor changed, nor deleted."""

from dataclasses import dataclass

from syncing.engine.refs import Kind, Ref, local_id


@dataclass(frozen=True)
class HeldItem:
    """One item that could not be read whole, with what could be read of it.

    `key`: the account's own, "" where not even the id could be read; `within`: the key of what it is in (a pipeline, an
    entity). `name`, `type` None: not known. `natural`: a natural key beside the name, as in `engine.match`. `signs`:
    what else tells it from others. `path` and `problem` say what is wrong.
    """

    kind: Kind
    key: str
    within: str
    name: str | None
    parent: str
    path: str
    problem: str
    type: str | None = None
    is_predefined: bool = False
    natural: tuple[str, str] | None = None
    signs: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return self.name or f"#{local_id(self.key) or '?'}"

    @property
    def place(self) -> str:
        """Says for people the id, and what is wrong where."""
        return ": ".join(filter(None, (f"id {local_id(self.key) or '?'}", self.path, self.problem)))

    def may_be(self, ref: Ref) -> bool:
        """Returns True for its own key; where its id could not be read, for any key of its list."""
        if self.kind is not ref.kind:
            return False
        return self.key == ref.key if self.key else self.within == ref.key.rpartition("/")[0]
