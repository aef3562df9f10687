"""The cast of the client's tests: a clock that only moves when somebody sleeps, and clients of the account north."""

import base64
import json
from collections.abc import Callable
from typing import Any

from accounts.kommo.client import KommoClient
from accounts.kommo.pacing import LocalSlots, Pacer
from accounts.kommo.stopping import Stop
from accounts.kommo.tokens import FixedToken, TokenSource
from accounts.kommo.transport import Transport

NORTH = "https://north.kommo.com"
API = f"{NORTH}/api/v4"
TOKEN = "token-of-north"


class Clock:
    """Monotonic time by hand; `sleeps` is what was slept, in order."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.sleeps: list[float] = []
        self.on_sleep: Callable[[float], None] = lambda seconds: None

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds
        self.on_sleep(seconds)


class Refreshing:
    """A token source that has another token once the first is refused."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)

    def current(self) -> str:
        return self.tokens[0]

    def renew_after_refusal(self, token: str) -> bool:
        if token == self.tokens[0] and len(self.tokens) > 1:
            self.tokens.pop(0)
            return True
        return False


def make_pacer(clock: Clock, *, rate: float = 0.0, stop: Stop | None = None, **more: Any) -> Pacer:
    return Pacer(LocalSlots(clock), "north", rate, stop=stop, clock=clock, sleep=clock.sleep, **more)


def make_client(
    clock: Clock | None = None,
    *,
    tokens: TokenSource | None = None,
    base_url: str = NORTH,
    stop: Stop | None = None,
    rate: float = 0.0,
    **more: Any,
) -> KommoClient:
    pacer = make_pacer(clock or Clock(), rate=rate, stop=stop)
    more.setdefault("random", lambda: 0.5)
    carried = {name: more.pop(name) for name in ("session", "timeout", "user_agent", "on_request") if name in more}
    transport = Transport(base_url, pacer, account="north", **carried)
    return KommoClient(transport, tokens or FixedToken(TOKEN), **more)


def jwt(**claims: Any) -> str:
    """A token that looks like Kommo's, with these claims."""

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'RS256'})}.{part(claims)}.c2ln"


def page(key: str, ids: list[int], *, next_page: int | None = None, **more: Any) -> dict[str, Any]:
    """One page of a list as Kommo answers it."""
    links = {} if next_page is None else {"next": {"href": f"{API}/{key}?page={next_page}&limit=250"}}
    return {"_links": links, "_embedded": {key: [{"id": number} for number in ids]}, **more}
