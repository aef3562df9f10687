"""The whole simulated Kommo: accounts by subdomain, and what is common to them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from accounts.simulator import defaults
from accounts.simulator.account import SimAccount
from accounts.simulator.faults import Faults
from accounts.simulator.knobs import Knobs
from accounts.simulator.limiter import Limiter, Limits
from accounts.simulator.log import RequestLog


class World:
    """Thread-safe: each account has a lock of its own, the limiter, log and faults have theirs.

    `clock` is the wall clock (expiry, timestamps), `monotonic` that of pace and log, `sleep` delays slow answers.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.clock = clock
        self.monotonic = monotonic
        self.sleep = sleep
        self.knobs = Knobs()
        self.limits = Limits()
        self.limiter = Limiter(self.limits)
        self.faults = Faults()
        self.log = RequestLog()
        self.accounts: dict[str, SimAccount] = {}
        self.changes = 0
        self.cache_reads = False
        """Answers to reads are kept until the next write: only where nobody edits accounts but through HTTP."""
        self._lock = threading.Lock()

    def add_account(
        self,
        subdomain: str,
        *,
        account_id: int | None = None,
        name: str | None = None,
        language: str = "en",
        paid: bool = True,
        admin: bool = True,
        with_default_pipeline: bool = True,
        super_fields: bool = True,
    ) -> SimAccount:
        """A fresh account as Kommo makes it; raises ValueError when the subdomain is taken."""
        with self._lock:
            if subdomain in self.accounts:
                raise ValueError(f"there is an account {subdomain!r} already")
            index = len(self.accounts)
            account = self._make(
                index=index,
                subdomain=subdomain,
                account_id=account_id or 30_000_001 + 7 * index,
                name=name,
                language=language,
                paid=paid,
                admin=admin,
                super_fields=super_fields,
            )
            defaults.furnish(account, with_default_pipeline=with_default_pipeline)
            self.accounts[subdomain] = account
        self.touch()
        return account

    def restore_account(self, **facts: Any) -> SimAccount:
        """An empty account with given facts, for one that was saved before."""
        account = self._make(**facts)
        self.accounts[account.subdomain] = account
        return account

    def touch(self) -> None:
        """Notes that something changed, so that whoever saves the world knows."""
        self.changes += 1

    def forget_reads(self) -> None:
        """Drops every kept answer, after an edit that was no write of the API."""
        for account in list(self.accounts.values()):
            account.kept_reads.clear()

    def peak_per_second(self, subdomain: str | None = None) -> int:
        """The most requests that arrived within one sliding second, of one account or of all."""
        return self.log.peak_per_second(subdomain)

    def _make(self, **facts: Any) -> SimAccount:
        return SimAccount(knobs=self.knobs, clock=self.clock, **facts)
