"""An account to speak to in process, under a clock that stands still unless told."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from accounts.simulator.account import SimAccount
from accounts.simulator.world import World
from accounts.simulator.wsgi import Simulator, call


class Clock:
    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def codes(self) -> list[tuple[str, str]]:
        """(code, path) of every validation error."""
        return [(error["code"], error["path"]) for entry in self.body["validation-errors"] for error in entry["errors"]]

    def items(self, plural: str) -> list[Any]:
        return self.body["_embedded"][plural]


class Caller:
    """Speaks to one account with its token, as a client would."""

    def __init__(self, app: Simulator, account: SimAccount) -> None:
        self.app = app
        self.account = account

    def __call__(self, method: str, path: str, body: Any = None, *, token: str | None = None, **headers: str) -> Reply:
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"/{self.account.subdomain}/api/v4/{path}"
        token = self.account.token if token is None else token
        return Reply(*call(self.app, method, url, token=token, body=raw, headers=named))

    def get(self, path: str, **headers: str) -> Reply:
        return self("GET", path, **headers)

    def post(self, path: str, body: Any) -> Reply:
        return self("POST", path, body)

    def patch(self, path: str, body: Any) -> Reply:
        return self("PATCH", path, body)

    def delete(self, path: str) -> Reply:
        return self("DELETE", path)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def moment() -> Clock:
    """The monotonic clock of pace and log."""
    return Clock(1000.0)


@pytest.fixture
def world(clock: Clock, moment: Clock) -> World:
    world = World(clock, monotonic=moment, sleep=lambda seconds: None)
    world.limits.key = "none"
    return world


@pytest.fixture
def app(world: World) -> Simulator:
    return Simulator(world)


@pytest.fixture
def account(world: World) -> SimAccount:
    return world.add_account("north")


@pytest.fixture
def north(app: Simulator, account: SimAccount) -> Caller:
    return Caller(app, account)


@pytest.fixture
def south(app: Simulator, world: World) -> Caller:
    return Caller(app, world.add_account("south", language="pt"))
