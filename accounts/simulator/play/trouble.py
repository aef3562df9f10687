"""What may go wrong with one account: faults that strike every request to it until it is repaired."""

from __future__ import annotations

from dataclasses import dataclass

from accounts.simulator.faults import Fault
from accounts.simulator.world import World

SLOW_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class TroubleKind:
    """One kind of trouble: the fault, the button that makes it, what it is in two words, and what happened."""

    fault: str
    button: str
    badge: str
    sentence: str


TROUBLES = {
    "broken": TroubleKind("500", "Break its server", "answers 500", "answers every request with 500"),
    "slow": TroubleKind("slow", "Make its server slow", "slow", f"answers every request {SLOW_SECONDS:g} s late"),
    "expired": TroubleKind("401", "Expire its token", "token refused", "accepts its token no longer and answers 401"),
    "blocked": TroubleKind("403_plain", "Block our address", "blocks us", "blocks our address and answers 403"),
}
BY_FAULT = {trouble.fault: trouble for trouble in TROUBLES.values()}


def cause(world: World, subdomain: str, kind: str) -> TroubleKind:
    """Makes every further request to the account fail in this way and in no other; raises KeyError."""
    trouble = TROUBLES[kind]
    world.faults.remove_of(subdomain)
    world.faults.add(Fault(trouble.fault, subdomain=subdomain, times=None, seconds=SLOW_SECONDS))
    return trouble


def repair_all(world: World) -> None:
    """Removes every fault, and every block that the limit of requests has made."""
    world.faults.clear()
    world.limiter.reset()


def badges(world: World) -> dict[str, str]:
    """Returns in two words what is wrong with each account that is in trouble."""
    faults = world.faults.by_account()
    return {name: BY_FAULT[fault.kind].badge if fault.kind in BY_FAULT else "fails" for name, fault in faults.items()}
