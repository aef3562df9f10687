"""The whole simulated Kommo: accounts by subdomain, and what is common to them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from accounts.simulator import defaults
from accounts.simulator.account import SimAccount
from accounts.simulator.faults import Faults
from accounts.simulator.limiter import Limiter, RateLimit
from accounts.simulator.log import RequestLog
from accounts.simulator.oauth import registry
from accounts.simulator.oauth.integrations import SimIntegration
from accounts.simulator.variants import Variants


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
        self.variants = Variants()
        self.limits = RateLimit()
        self.limiter = Limiter(self.limits)
        self.faults = Faults()
        self.log = RequestLog()
        self.accounts: dict[str, SimAccount] = {}
        self.former: set[str] = set()
        """Subdomains that accounts had before they were renamed."""
        self.integrations: dict[str, SimIntegration] = {}
        self.changes = 0
        self.cache_reads = False
        """Answers to reads are stored until the next write: only where nobody edits accounts but through HTTP."""
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
        """Adds an account as Kommo creates it; raises ValueError when the subdomain is taken."""
        with self._lock:
            if subdomain in self.accounts:
                raise ValueError(f"there is an account {subdomain!r} already")
            index = len(self.accounts)
            account = self._new(
                index=index,
                subdomain=subdomain,
                account_id=account_id or 30_000_001 + 7 * index,
                name=name,
                language=language,
                paid=paid,
                admin=admin,
                super_fields=super_fields,
            )
            defaults.add_defaults(account, with_default_pipeline=with_default_pipeline)
            self.accounts[subdomain] = account
        self.mark_changed()
        return account

    def rename_account(self, old: str, new: str) -> SimAccount:
        """Gives an account a new subdomain: it answers only there, with all it has; raises KeyError or ValueError."""
        with self._lock:
            if new in self.accounts:
                raise ValueError(f"there is an account {new!r} already")
            account = self.accounts[old]
            account.subdomain = new
            # In its place, as the first account is the master of the demo and the bench.
            self.accounts = {each.subdomain: each for each in self.accounts.values()}
            self.former = (self.former | {old}) - {new}
            registry.move_integrations(self.integrations, old, new)
        self.clear_cached_reads()
        self.mark_changed()
        return account

    def add_integration(
        self,
        name: str = "KommoSync",
        *,
        redirect_uri: str,
        client_id: str | None = None,
        client_secret: str | None = None,
        public: bool = True,
        account: str | None = None,
        hook_url: str = "",
    ) -> SimIntegration:
        """Adds an integration, with random keys where none are given; `account` is a private one's (docs/kommo.md 1.1).

        Raises ValueError for one that Kommo would refuse.
        """
        keys = {"client_id": client_id, "client_secret": client_secret}
        known = {key: value for key, value in keys.items() if value is not None}
        integration = SimIntegration(redirect_uri, name, **known, is_public=public, account=account, hook_url=hook_url)
        with self._lock:
            registry.register(self.integrations, self.accounts, integration)
        self.mark_changed()
        return integration

    def new_secret(self, integration: SimIntegration, *, revoke_grants: bool = False) -> str:
        """Regenerates the secret; the grants of a private integration always end with it (docs/kommo.md 1.3)."""
        secret = registry.renew_secret(self.accounts, integration, revoke_grants=revoke_grants)
        self.mark_changed()
        return secret

    @property
    def api_label(self) -> str:
        """Returns the label in the place of the subdomain in the api_domain of the tokens (docs/kommo.md 1.4, 1.6)."""
        return self.variants.api_domain.partition(".")[0]

    def restore_account(self, **facts: Any) -> SimAccount:
        """Adds an empty account with given facts, for one that was saved before."""
        account = self._new(**facts)
        self.accounts[account.subdomain] = account
        return account

    def mark_changed(self) -> None:
        """Notes that something changed, so that whoever saves the world knows."""
        self.changes += 1

    def clear_cached_reads(self) -> None:
        """Drops every stored answer, after an edit that was no write of the API: any account may have changed."""
        for account in list(self.accounts.values()):
            account.note_change()

    def peak_per_second(self, subdomain: str | None = None) -> int:
        """Returns the most requests that arrived within one sliding second, of one account or of all."""
        return self.log.peak_per_second(subdomain)

    def _new(self, **facts: Any) -> SimAccount:
        return SimAccount(variants=self.variants, clock=self.clock, **facts)
