"""Which slaves have all that the master has, and how long after an edit the last of them had it."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from accounts.simulator.account import SimAccount
from accounts.simulator.compare import differences
from accounts.simulator.play import trouble
from accounts.simulator.world import World


@dataclass(frozen=True, slots=True)
class Follower:
    """One slave: how many things of the master it lacks or has otherwise, and its trouble in two words."""

    account: SimAccount
    differences: int
    trouble: str

    @property
    def follows(self) -> bool:
        return self.differences == 0


class Followers:
    """A slave is compared again only after it or the master has changed: a page asks every two seconds."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._known: dict[str, tuple[int, int, int]] = {}
        self._waiting_since: float | None = None
        self._lock = threading.Lock()

    def all(self) -> list[Follower]:
        """Returns the slaves, in their order."""
        with self._lock:
            troubles = trouble.badges(self.world)
            return [
                Follower(each, self._differences(each), troubles.get(each.subdomain, "")) for each in self._slaves()
            ]

    def note_edit(self) -> None:
        """Begins to measure how long the slaves take, anew with each edit."""
        with self._lock:
            self._waiting_since = self.world.monotonic()

    def seconds_waited(self) -> float | None:
        """Returns the seconds since an edit that has not reached every slave yet."""
        with self._lock:
            return None if self._waiting_since is None else self.world.monotonic() - self._waiting_since

    def seconds_until_followed(self, followers: list[Follower]) -> float | None:
        """Returns, once, the seconds from the last edit to the last write in a slave; None while one is behind."""
        with self._lock:
            since = self._waiting_since
            if since is None or not all(each.follows for each in followers):
                return None
            self._waiting_since = None
            written = [each.at for each in self.world.log.after(since) if each.method != "GET"]
            return max(written) - since if written else None

    def _slaves(self) -> list[SimAccount]:
        return list(self.world.accounts.values())[1:]

    def _differences(self, slave: SimAccount) -> int:
        master = next(iter(self.world.accounts.values()))
        seen = (master.changes, slave.changes)
        known = self._known.get(slave.subdomain)
        if known is None or known[:2] != seen:
            with master.lock, slave.lock:
                known = (*seen, len(differences(master, slave)))
            self._known[slave.subdomain] = known
        return known[2]
