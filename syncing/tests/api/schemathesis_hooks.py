"""Makes requests that schemathesis means to be right more often so: with names and numbers that the tables have.

Otherwise nearly each would end at a group that is not there. One in three stays as it was generated.
"""

import itertools
import random
from typing import Any

import schemathesis

SLAVES = ["north", "south", "west", "east"]
PLACES = {"subdomain": [*SLAVES, "master"], "name": ["Ops"], "token": ["guessed"]}
VALUES = {
    "group": ["Branches", None],
    "accounts": [["north"], ["south", "east"], None],
    "cron": ["0 3 * * *", "*/5 8-18 * * 1-5"],
    "time_zone": ["America/Sao_Paulo", ""],
    "until": ["2026-12-24", None],
    "email": ["ops@example.com"],
    "kind": ["stage", "pipeline", "drift", "deny"],
    "policy": [{"watch": "plan"}, {"max_deletes": 3, "heal": "report"}],
}
chance = random.Random(0)
numbers = itertools.count()


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    if case.meta is None or not case.meta.generation.mode.is_positive or chance.random() < 1 / 3:
        return
    for name in case.path_parameters or ():
        case.path_parameters[name] = chance.choice(PLACES.get(name, [1, 2, 3, 4, 5]))
    for container in (case.query, case.body):
        if isinstance(container, dict):
            for name in set(container) & set(VALUES):
                container[name] = chance.choice(VALUES[name])
            if container is case.query and container.get("group", "") is None:
                del container["group"]
    if "Idempotency-Key" in (case.headers or ()):
        case.headers["Idempotency-Key"] = f"key-{next(numbers) // 2}"  # every second time the one before
