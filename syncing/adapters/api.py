"""The interface to Kommo that reader and writers use; `accounts.kommo.client.KommoClient` has it."""

from typing import Any, Protocol

from accounts.kommo.pages import Params

Json = dict[str, Any]


class Api(Protocol):
    """The part of a client that is used; see there for what each call returns and raises."""

    account: str

    def get_all(self, path: str, key: str, params: Params | None = None, page_size: int | None = 250) -> list[Json]: ...

    def get(self, path: str, params: Params | None = None) -> Json | None: ...

    def pause(self, seconds: float) -> None: ...

    def post(self, path: str, items: list[Json]) -> Json: ...

    def patch(self, path: str, body: Json | list[Json]) -> Json: ...

    def delete(self, path: str) -> None: ...
