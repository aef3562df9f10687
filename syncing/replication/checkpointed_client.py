"""The client of an account, with a checkpoint between two requests."""

from accounts.kommo.client import KommoClient
from accounts.kommo.pages import Params
from syncing.adapters.api import Json
from syncing.engine.sentences import gettext_noop
from syncing.replication.contract import Checkpoint


class CheckpointedClient:
    """Each call says first what it is about to do; there the account may be stopped."""

    def __init__(self, client: KommoClient, checkpoint: Checkpoint) -> None:
        self.client, self.checkpoint, self.account = client, checkpoint, client.account
        self._read_at: dict[str, float] = {}

    def get(self, path: str, params: Params | None = None) -> Json | None:
        self.checkpoint(gettext_noop("reading %(path)s") % {"path": path})
        return self.client.get(path, params)

    def get_all(self, path: str, key: str, params: Params | None = None, page_size: int | None = 250) -> list[Json]:
        self.checkpoint(gettext_noop("reading %(path)s") % {"path": path})
        self._read_at[path] = self.client.seconds()
        return self.client.get_all(path, key, params, page_size)

    def age(self, path: str) -> float:
        """Returns the seconds since the list at `path` was asked for last."""
        return self.client.seconds() - self._read_at.get(path, float("-inf"))

    def pause(self, seconds: float) -> None:
        self.checkpoint(
            gettext_noop("waiting %(seconds)s s for what was written to show") % {"seconds": f"{seconds:.0f}"}
        )
        self.client.pause(seconds)

    def post(self, path: str, items: list[Json]) -> Json:
        self.checkpoint(gettext_noop("creating %(count)s at %(path)s") % {"count": len(items), "path": path})
        return self.client.post(path, items)

    def patch(self, path: str, body: Json | list[Json]) -> Json:
        self.checkpoint(gettext_noop("updating %(path)s") % {"path": path})
        return self.client.patch(path, body)

    def delete(self, path: str) -> None:
        self.checkpoint(gettext_noop("deleting %(path)s") % {"path": path})
        self.client.delete(path)
