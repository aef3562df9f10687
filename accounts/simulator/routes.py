"""The resource of each path and method."""

from __future__ import annotations

import re
from collections.abc import Callable

from accounts.simulator.api import accounts, contacts, fields, groups, leads, pipelines, stages
from accounts.simulator.messages import Call, SimAnswer
from accounts.simulator.problems import ProblemAnswer

Handler = Callable[..., SimAnswer]


def _of_pipeline(handler: Callable[..., SimAnswer]) -> Handler:
    def handle(call: Call, pipeline: str, *rest: str) -> SimAnswer:
        return handler(call, pipelines.find(call, pipeline), *rest)

    return handle


_TABLE: list[tuple[str, dict[str, Handler]]] = [
    ("account", {"GET": accounts.show_account}),
    ("users", {"GET": accounts.list_users}),
    (r"users/(\d+)", {"GET": accounts.show_user}),
    ("webhooks", {"GET": accounts.list_webhooks}),
    ("leads", {"GET": leads.list_page}),
    ("leads/unsorted", {"GET": leads.list_unsorted}),
    ("(contacts|companies)", {"GET": contacts.list_page}),
    ("leads/pipelines", {"GET": pipelines.list_all, "POST": pipelines.create}),
    (r"leads/pipelines/(\d+)", {"GET": pipelines.show, "PATCH": pipelines.update, "DELETE": pipelines.delete}),
    (
        r"leads/pipelines/(\d+)/statuses",
        {"GET": _of_pipeline(stages.list_all), "POST": _of_pipeline(stages.create)},
    ),
    (
        r"leads/pipelines/(\d+)/statuses/(\d+)",
        {
            "GET": _of_pipeline(stages.show),
            "PATCH": _of_pipeline(stages.update),
            "DELETE": _of_pipeline(stages.delete),
        },
    ),
    (
        "(leads|contacts|companies)/custom_fields",
        {"GET": fields.list_page, "POST": fields.create, "PATCH": fields.update_many},
    ),
    (
        r"(leads|contacts|companies)/custom_fields/(\d+)",
        {"GET": fields.show, "PATCH": fields.update, "DELETE": fields.delete},
    ),
    ("(leads|contacts|companies)/custom_fields/groups", {"GET": groups.list_all, "POST": groups.create}),
    (
        r"(leads|contacts|companies)/custom_fields/groups/(\w+)",
        {"GET": groups.show, "PATCH": groups.update, "DELETE": groups.delete},
    ),
    ("customers(/.*)?", dict.fromkeys(("GET", "POST", "PATCH", "DELETE"), accounts.refuse_customers)),
]
ROUTES = [(re.compile("/api/v4/" + pattern), methods) for pattern, methods in _TABLE]


def find(method: str, path: str) -> tuple[Handler, tuple[str, ...]]:
    """Returns the resource of a path and the parts of the path that it wants; raises ProblemAnswer (404, 405)."""
    for pattern, methods in ROUTES:
        match = pattern.fullmatch(path)
        if match is None:
            continue
        if method not in methods:
            raise ProblemAnswer(405, "Method Not Allowed")
        return methods[method], match.groups()
    raise ProblemAnswer(404, f"Cannot {method} {path}")
