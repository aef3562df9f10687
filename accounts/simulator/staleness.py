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
    """Remembers the account as it is, before a write is performed; costs nothing where the variants are off."""
    if account.variants.stale_reads or account.variants.stale_seconds:
        parts = {name: copy.deepcopy(getattr(account, name)) for name in PARTS}
        account.past.append(PastState(account.clock(), account.variants.stale_reads, parts))


@contextmanager
def as_read(account: SimAccount) -> Iterator[None]:
    """Gives the account, for as long as it lasts, the configuration that a reading shows now."""
    since = account.clock() - account.variants.stale_seconds
    account.past = [each for each in account.past if each.left > 0 or each.at > since]
    if not account.past:
        yield
        return
    for each in account.past:
        each.left -= 1
    oldest = account.past[0]
    now = {name: getattr(account, name) for name in PARTS}
    try:
        for name in PARTS:
            setattr(account, name, oldest.parts[name])
        yield
    finally:
        for name in PARTS:
            setattr(account, name, now[name])
