"""Readings that come from a copy which lags behind: after a write they show the account as it was before."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from accounts.simulator.account import SimAccount

PARTS = ("pipelines", "groups", "fields")


@dataclass(slots=True)
class PastState:
    """The configuration before a write at `at`; `left`: how many readings still show it."""

    at: float
    left: int
    parts: dict[str, Any]


def note_write(account: SimAccount) -> None:
    """To be called before a write is performed; costs nothing where the variants are off."""
    if account.variants.stale_reads or account.variants.stale_seconds:
        parts = {name: copy.deepcopy(getattr(account, name)) for name in PARTS}
        account.past.append(PastState(account.clock(), account.variants.stale_reads, parts))


@contextmanager
def as_read(account: SimAccount) -> Iterator[None]:
    """Within it the configuration is what a reading shows now."""
    old = _shown(account)
    if old is None:
        yield
        return
    now = {name: getattr(account, name) for name in PARTS}
    try:
        for name in PARTS:
            setattr(account, name, old.parts[name])
        yield
    finally:
        for name in PARTS:
            setattr(account, name, now[name])


def _shown(account: SimAccount) -> PastState | None:
    """The oldest state that still lags; None: the account as it is."""
    since = account.clock() - account.variants.stale_seconds
    account.past = [each for each in account.past if each.left > 0 or each.at > since]
    if not account.past:
        return None
    for each in account.past:
        each.left -= 1
    return account.past[0]
