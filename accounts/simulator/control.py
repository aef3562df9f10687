"""The simulator's own routes under /_sim/, for tests and the demo over HTTP: state, log, losses, faults, edits."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qs

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
    """What the control routes need of the application."""

    world: World
    on_stop: Callable[[], None] | None


Body = dict[str, Any]


def handle(app: Controlled, method: str, name: str, query: str, raw: bytes) -> SimAnswer:
    """The answer to one control request; 400 with a sentence when it makes no sense, 404 for an unknown route."""
    try:
        if (method, name) == ("GET", "log"):
            return _json(_log(app.world, query))
        route = ROUTES.get((method, name))
        if route is None:
            return refused(404, f"no {method} /_sim/{name}")
        answer = _json(route(app, json.loads(raw) if raw else {}))
        if method != "GET":
            app.world.clear_cached_reads()
        return answer
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        return refused(400, f"{type(error).__name__}: {error}")


def state(app: Controlled, body: Body) -> Body:
    """The accounts with counts, and what was asked since the last reset of the log."""
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
    """The counts of one account."""
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


def _log(world: World, query: str) -> list[Body]:
    asked = parse_qs(query)
    records = world.log.since(int(asked.get("since", ["0"])[0]))
    return [record.as_dict() for record in records]


def _add_fault(app: Controlled, body: Body) -> Body:
    app.world.faults.add(Fault(**body))
    return {"added": True}


def _clear_faults(app: Controlled, body: Body) -> Body:
    app.world.faults.clear()
    return {"cleared": True}


def _reset_log(app: Controlled, body: Body) -> Body:
    app.world.log.clear()
    app.world.limiter.reset()
    return {"reset": True}


def _set_variants(app: Controlled, body: Body) -> Body:
    return _set(app.world, app.world.variants, body)


def _set_limits(app: Controlled, body: Body) -> Body:
    app.world.limiter.reset()
    return _set(app.world, app.world.limits, body)


def _set(world: World, target: Dataclass, body: Body) -> Body:
    for name in body:
        if not hasattr(target, name):
            raise AttributeError(f"no {name!r}")
    for name, value in body.items():
        setattr(target, name, value)
    world.mark_changed()
    return asdict(target)


def _add_leads(app: Controlled, body: Body) -> Body:
    """{subdomain, pipeline_id, status_id (or none: an incoming lead), values: {field id: value}, is_deleted, count}"""

    def add(account: SimAccount, **facts: Any) -> SimLead:
        return account.add_lead(**facts) if "status_id" in facts else account.add_unsorted(**facts)

    return {"leads": _add_people(app, body, add)}


def _add_contacts(app: Controlled, body: Body) -> Body:
    """{subdomain, values: {field id: value}, is_deleted, is_unsorted, count}"""
    return {"contacts": _add_people(app, body, SimAccount.add_contact)}


def _add_companies(app: Controlled, body: Body) -> Body:
    """{subdomain, values: {field id: value}, is_deleted, count}"""
    return {"companies": _add_people(app, body, SimAccount.add_company)}


def _add_people(app: Controlled, body: Body, add: Callable[..., SimLead | SimContact]) -> list[int]:
    facts = dict(body)
    account = app.world.accounts[facts.pop("subdomain")]
    count = facts.pop("count", 1)
    facts["values"] = {int(number): value for number, value in facts.get("values", {}).items()}
    with account.lock:
        made = [add(account, **facts) for _ in range(count)]
    app.world.mark_changed()
    return [each.id for each in made]


def _losses(app: Controlled, body: Body) -> Body:
    """What deletions took, by subdomain; accounts that lost nothing are left out."""
    accounts = {name: list(account.losses) for name, account in app.world.accounts.items()}
    return {name: [asdict(loss) for loss in losses] for name, losses in accounts.items() if losses}


def _edit(app: Controlled, body: Body) -> Body:
    """{subdomain, op: change | remove | add | revoke_token | issue_token, kind, key, ...attributes}"""
    facts = dict(body)
    account = app.world.accounts[facts.pop("subdomain")]
    operation = facts.pop("op")
    app.world.mark_changed()
    if operation == "revoke_token":
        account.revoke_token()
        return {"done": True}
    if operation == "issue_token":
        return {"token": account.issue_token(**facts)}
    made = EDITS[operation](account, **facts)
    return {"done": True, "id": getattr(made, "id", None)}


def _stop(app: Controlled, body: Body) -> Body:
    if app.on_stop is not None:
        app.on_stop()
    return {"stopping": app.on_stop is not None}


def _json(body: Any) -> SimAnswer:
    return SimAnswer(200, encode(body), "application/json")


EDITS: dict[str, Callable[..., Any]] = {"change": edits.change, "remove": edits.remove, "add": edits.add}
ROUTES: dict[tuple[str, str], Callable[[Controlled, Body], Body]] = {
    ("GET", "state"): state,
    ("POST", "faults"): _add_fault,
    ("DELETE", "faults"): _clear_faults,
    ("POST", "reset-log"): _reset_log,
    ("POST", "knobs"): _set_variants,
    ("POST", "limits"): _set_limits,
    ("POST", "leads"): _add_leads,
    ("POST", "contacts"): _add_contacts,
    ("POST", "companies"): _add_companies,
    ("GET", "losses"): _losses,
    ("POST", "edit"): _edit,
    ("GET", "oauth"): lambda app, body: oauth.integrations(app.world),
    ("POST", "oauth"): lambda app, body: oauth.operate(app.world, body),
    ("POST", "stop"): _stop,
}
