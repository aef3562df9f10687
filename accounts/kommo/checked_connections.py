"""Connections that ask before every write to their socket whether they still may: a machine can sleep at any moment."""

from collections.abc import Callable
from typing import Any

from requests.adapters import HTTPAdapter

SendCheck = Callable[[], None]


class CheckedAdapter(HTTPAdapter):
    """`look` raises when nothing may be sent any more; it is asked behind the connecting, which can take long."""

    def __init__(self, look: SendCheck, **options: Any) -> None:
        self._look = look
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self._watch(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(*args, **options)
        self._watch(manager)
        return manager

    def _watch(self, manager: Any) -> None:
        pools = manager.pool_classes_by_scheme
        if not any(hasattr(pool, "looks") for pool in pools.values()):
            manager.pool_classes_by_scheme = {scheme: _looking(pool, self._look) for scheme, pool in pools.items()}


def _looking(pool: Any, look: SendCheck) -> Any:
    """The pool's class with connections that look."""

    class Connection(pool.ConnectionCls):  # type: ignore[misc]
        def send(self, data: Any) -> None:
            if self.sock is None:
                self.connect()
            look()
            super().send(data)

    class Pool(pool):  # type: ignore[misc]
        looks = True
        ConnectionCls = Connection

    return Pool
