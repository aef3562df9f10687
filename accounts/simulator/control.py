"""The simulator's own routes under /_sim/, for tests and the demo over HTTP: state, log, losses, faults, edits."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl

from accounts.simulator import edits
from accounts.simulator.account import SimAccount
from accounts.simulator.faults import Fault
from accounts.simulator.messages import SimAnswer, encode, refused
from accounts.simulator.model import SimContact, SimLead
from accounts.simulator.oauth import control as oauth
from accounts.simulator.world import World

if TYPE_CHECKING:
    from dataclasses import Field as DataclassField
    from typing import ClassVar

    class Dataclass(Protocol):
        __dataclass_fields__: ClassVar[dict[str, DataclassField[Any]]]


class Controlled(Protocol):
    """The application as the control routes need it."""

    world: World
    on_stop: Callable[[], None] | None


Body = dict[str, Any]
Operation = Callable[[Controlled, Body], Body | list[Body]]
ROUTES: dict[tuple[str, str], Operation] = {}
EDITS: dict[str, Callable[..., Any]] = {"change": edits.change, "remove": edits.remove, "add": edits.add}


def handle(app: Controlled, method: str, name: str, query: str, raw: bytes) -> SimAnswer:
    """Answers one control request; 400 with a sentence when it makes no sense, 404 for an unknown route."""
    operation = ROUTES.get((method, name))
    if operation is None:
        return refused(404, f"no {method} /_sim/{name}")
    try:
        if method == "GET":
            body = operation(app, dict(parse_qsl(query)))
        else:
            body = operation(app, json.loads(raw) if raw else {})
            app.world.clear_cached_reads()
        return SimAnswer(200, encode(body), "application/json")
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        return refused(400, f"{type(error).__name__}: {error}")


def route(method: str, name: str) -> Callable[[Operation], Operation]:
    """Registers the decorated function as the control route of this method and name."""

    def register(operation: Operation) -> Operation:
        ROUTES[method, name] = operation
        return operation

    return register


@route("GET", "state")
def state(app: Controlled, body: Body) -> Body:
    """Returns the accounts with counts, and what was asked since the last reset of the log."""
    world = app.world
    return {
        "accounts": {name: summary(world, account) for name, account in world.accounts.items()},
        "requests": sum(world.log.statuses.values()),
        "statuses": {str(status): number for status, number in sorted(world.log.statuses.items())},
        "peak_per_second": world.peak_per_second(),
        "blocked_ips": sorted(world.limiter.blocked),
        "knobs": asdict(world.variants),
        "limits": asdict(world.limits),
    }


def summary(world: World, account: SimAccount) -> Body:
    """Returns the counts of one account."""
    return {
        "id": account.account_id,
        "name": account.name,
        "paid": account.paid,
        "admin": account.admin,
        "pipelines": len(account.pipelines),
        "stages": sum(len(pipeline.ordinary) for pipeline in account.pipelines.values()),
        "groups": {entity: len(groups) for entity, groups in account.groups.items()},
        "fields": {entity: len(fields) for entity, fields in account.fields.items()},
        "leads": len(account.leads),
        "contacts": len(account.contacts),
        "companies": len(account.companies),
        "lost_values": account.lost_values,
        "moved_leads": account.moved_leads,
        "blanked_names": account.blanked_names,
        "requests": world.log.by_account[account.subdomain],
    }


@route("GET", "log")
def log(app: Controlled, body: Body) -> list[Body]:
    """Returns the logged requests behind the number `since`."""
    return [request.as_dict() for request in app.world.log.since(int(body.get("since", 0)))]


@route("POST", "reset-log")
def reset_log(app: Controlled, body: Body) -> Body:
    app.world.log.clear()
    app.world.limiter.reset()
    return {"reset": True}


@route("POST", "faults")
def add_fault(app: Controlled, body: Body) -> Body:
    app.world.faults.add(Fault(**body))
    return {"added": True}


@route("DELETE", "faults")
def clear_faults(app: Controlled, body: Body) -> Body:
    app.world.faults.clear()
    return {"cleared": True}


@route("POST", "knobs")
def set_variants(app: Controlled, body: Body) -> Body:
    return _set(app.world, app.world.variants, body)


@route("POST", "limits")
def set_limits(app: Controlled, body: Body) -> Body:
    app.world.limiter.reset()
    return _set(app.world, app.world.limits, body)


def _set(world: World, target: Dataclass, body: Body) -> Body:
    """Sets attributes, all or none; raises AttributeError for a name that is unknown."""
    for name in body:
        if not hasattr(target, name):
            raise AttributeError(f"no {name!r}")
    for name, value in body.items():
        setattr(target, name, value)
    world.mark_changed()
    return asdict(target)


@route("POST", "leads")
def add_leads(app: Controlled, body: Body) -> Body:
    """Adds leads.

    {subdomain, pipeline_id, status_id (or none: an incoming lead), values: {field id: value}, is_deleted, count}
    """
    add = SimAccount.add_lead if "status_id" in body else SimAccount.add_unsorted
    return {"leads": _add_records(app, body, add)}


@route("POST", "contacts")
def add_contacts(app: Controlled, body: Body) -> Body:
    """Adds contacts: {subdomain, values: {field id: value}, is_deleted, is_unsorted, count}"""
    return {"contacts": _add_records(app, body, SimAccount.add_contact)}


@route("POST", "companies")
def add_companies(app: Controlled, body: Body) -> Body:
    """Adds companies: {subdomain, values: {field id: value}, is_deleted, count}"""
    return {"companies": _add_records(app, body, SimAccount.add_company)}


def _add_records(app: Controlled, body: Body, add: Callable[..., SimLead | SimContact]) -> list[int]:
    facts = dict(body)
    account = app.world.accounts[facts.pop("subdomain")]
    count = facts.pop("count", 1)
    facts["values"] = {int(number): value for number, value in facts.get("values", {}).items()}
    with account.lock:
        records = [add(account, **facts) for _ in range(count)]
    app.world.mark_changed()
    return [each.id for each in records]


@route("GET", "losses")
def losses(app: Controlled, body: Body) -> Body:
    """Returns what deletions took, by subdomain; accounts that lost nothing are left out."""
    accounts = {name: list(account.losses) for name, account in app.world.accounts.items()}
    return {name: [asdict(loss) for loss in losses] for name, losses in accounts.items() if losses}


@route("POST", "edit")
def edit(app: Controlled, body: Body) -> Body:
    """Edits an account.

    {subdomain, op: change | remove | add | revoke_token | issue_token, kind, key, ...attributes}
    """
    facts = dict(body)
    account = app.world.accounts[facts.pop("subdomain")]
    operation = facts.pop("op")
    app.world.mark_changed()
    if operation == "revoke_token":
        account.revoke_token()
        return {"done": True}
    if operation == "issue_token":
        return {"token": account.issue_token(**facts)}
    edited = EDITS[operation](account, **facts)
    return {"done": True, "id": getattr(edited, "id", None)}


@route("GET", "oauth")
def list_integrations(app: Controlled, body: Body) -> Body:
    return oauth.integrations(app.world)


@route("POST", "oauth")
def operate_oauth(app: Controlled, body: Body) -> Body:
    return oauth.operate(app.world, body)


@route("POST", "stop")
def stop(app: Controlled, body: Body) -> Body:
    """Stops the server, where there is one."""
    if app.on_stop is not None:
        app.on_stop()
    return {"stopping": app.on_stop is not None}
