"""Connections that check before every write to their socket that they still may: a machine can sleep at any moment."""

from collections.abc import Callable
from typing import Any

from requests.adapters import HTTPAdapter

SendCheck = Callable[[], None]


class CheckedAdapter(HTTPAdapter):
    """`check` raises when nothing may be sent any more; it is called behind the connecting, which can take long."""

    def __init__(self, check: SendCheck, **options: Any) -> None:
        self._check = check
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self._add_check(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(*args, **options)
        self._add_check(manager)
        return manager

    def _add_check(self, manager: Any) -> None:
        """Gives the manager's pools, unless they have them, connections that check."""
        check, pools = self._check, manager.pool_classes_by_scheme
        if any(hasattr(pool, "checks") for pool in pools.values()):
            return
        manager.pool_classes_by_scheme = {}
        for scheme, pool in pools.items():

            class Connection(pool.ConnectionCls):  # type: ignore[misc,name-defined]
                def send(self, data: Any) -> None:
                    if self.sock is None:
                        self.connect()
                    check()
                    super().send(data)

            class Pool(pool):  # type: ignore[misc,valid-type]
                checks = True
                ConnectionCls = Connection

            manager.pool_classes_by_scheme[scheme] = Pool
