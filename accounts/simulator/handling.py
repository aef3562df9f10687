"""One request from arrival to answer: pace, faults, token, rights, resource, log."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from accounts.simulator import messages, routes, shapes, staleness
from accounts.simulator.account import SimAccount
from accounts.simulator.faults import Fault
from accounts.simulator.limiter import Admission, RateLimit
from accounts.simulator.messages import PROBLEM, Call, SimAnswer, SimRequest, plain, refused
from accounts.simulator.oauth import routes as oauth_routes
from accounts.simulator.problems import Refusal, spelled
from accounts.simulator.world import World

TOO_MANY = "You have sent too many requests in a given amount of time. Please try again later."
BROKEN = "Our team are probably already working on it"
TRACE = "5f3c0b1e9a7d4c21"
MAX_CACHED = 64

Perform = Callable[[], SimAnswer]


def handle_request(world: World, request: SimRequest) -> SimAnswer:
    """Answers a request and notes it."""
    answer = _answer(world, request)
    world.log.add(
        at=request.at,
        ip=request.ip,
        subdomain=request.subdomain,
        method=request.method,
        path=request.path,
        query=request.query,
        status=0 if answer.lost else answer.status,
        size=len(answer.body),
        body=request.body,
    )
    return answer


def _answer(world: World, request: SimRequest) -> SimAnswer:
    verdict = world.limiter.admit(ip=request.ip, subdomain=request.subdomain, at=request.at)
    if verdict is Admission.BLOCKED:
        return plain(403, "403 Forbidden")
    if verdict is Admission.LIMITED:
        return too_many(world.limits)
    perform = _find(world, request)
    if perform is None:
        return _nobody(world, request)
    target = f"{request.path}?{request.query}" if request.query else request.path
    fault = world.faults.take(request.subdomain, request.method, target, request.body)
    if fault is not None and fault.kind == "silent_half":
        # The list itself is halved before it is paged, so that nothing in the answer looks wrong.
        perform = _find(world, replace(request, halved=True)) or perform
    answer = apply_fault(world, fault, perform) if fault else perform()
    if fault is not None and fault.meanwhile is not None:
        fault.meanwhile()
    for odd in world.faults.odd(request.subdomain, request.method, target):
        answer = shapes.with_odd_item(answer, odd.item, odd.at, odd.value, missing=odd.missing)
    return shapes.with_lists_as_objects(answer) if world.variants.lists_as_objects else answer


def _nobody(world: World, request: SimRequest) -> SimAnswer:
    """The answer of an address where no account is: none ever was, or it has another one now."""
    readings = {
        "json_404": lambda: refused(404, f"Cannot {request.method} {request.path}"),
        "401": lambda: refused(401, "Invalid user name or password"),
    }
    answer = readings.get(world.variants.former_address) if request.address.label in world.former else None
    return answer() if answer else plain(404, "404 Not Found")


def _find(world: World, request: SimRequest) -> Perform | None:
    """What answers the request; None where nobody lives."""
    if oauth_routes.is_oauth(request):
        return oauth_routes.find(world, request)
    account = world.accounts.get(request.address.label)
    return None if account is None else lambda: _perform(world, account, request)


def _perform(world: World, account: SimAccount, request: SimRequest) -> SimAnswer:
    try:
        _admit(world, account, request)
        handler, parts = routes.find(request.method, request.path)
        writes = request.method != "GET"
        if writes and not account.admin:
            raise Refusal(403, "Insufficient rights")
        overloaded = writes and _overloads(world, request.body)
        if overloaded and not world.variants.batch_504_applied:
            return plain(504, "504 Gateway Time-out")
        with account.lock:
            if writes:
                account.cached_reads.clear()
                world.mark_changed()
                staleness.note_write(account)
            elif account.past:
                with staleness.as_read(account):
                    return handler(Call(account, request), *parts)
            elif world.cache_reads:
                return _kept(account, request, lambda: handler(Call(account, request), *parts))
            answer = handler(Call(account, request), *parts)
        return plain(504, "504 Gateway Time-out") if overloaded else answer
    except Refusal as raised:
        refusal = _told(world, request, raised)
        return SimAnswer(refusal.status, messages.encode(refusal.body()), PROBLEM)


def _told(world: World, request: SimRequest, refusal: Refusal) -> Refusal:
    """The refusal as this Kommo words it."""
    if request.method == "DELETE" and refusal.status == 404:
        return Refusal(world.variants.deleted_twice_status, refusal.detail)
    return spelled(refusal, world.variants.complaint_paths)


def _kept(account: SimAccount, request: SimRequest, perform: Perform) -> SimAnswer:
    key = (request.path, request.query, request.base, account.admin, request.halved)
    if key not in account.cached_reads:
        if len(account.cached_reads) >= MAX_CACHED:
            account.cached_reads.clear()
        account.cached_reads[key] = perform()
    # A copy, as a fault may spoil it.
    return replace(account.cached_reads[key])


def _admit(world: World, account: SimAccount, request: SimRequest) -> None:
    if not account.accepts(request.bearer):
        raise Refusal(401, "Invalid user name or password")
    if account.grants.use_access(request.bearer):
        world.mark_changed()
    if not account.paid:
        raise Refusal(402, "Payment required")


def _overloads(world: World, body: bytes) -> bool:
    limit = world.variants.batch_504_above
    if not limit:
        return False
    try:
        items = json.loads(body or b"null")
    except ValueError:
        return False
    return isinstance(items, list) and len(items) > limit


def too_many(limits: RateLimit) -> SimAnswer:
    """The 429 in the shape that the limits ask for."""
    answer = (
        plain(429, "429 Too Many Requests")
        if limits.plain_body
        else refused(429, TOO_MANY, retry_after=limits.retry_after)
    )
    if limits.retry_after_header:
        answer.headers = (("Retry-After", str(limits.retry_after)),)
    return answer


def apply_fault(world: World, fault: Fault, perform: Perform) -> SimAnswer:
    """The answer under a fault; whether the request itself is performed depends on the kind."""
    ready = _instead(fault)
    if ready is not None:
        return ready
    answer = perform()
    if fault.kind == "slow":
        world.sleep(fault.seconds)
        return answer
    return _spoil(fault.kind, answer)


def _instead(fault: Fault) -> SimAnswer | None:
    """The answers that come without performing the request."""
    limits = RateLimit(retry_after=fault.retry_after)
    limits.plain_body = fault.kind == "429_plain"
    limits.retry_after_header = fault.kind == "429_header"
    answers: dict[str, Callable[[], SimAnswer]] = {
        "429": lambda: too_many(limits),
        "429_header": lambda: too_many(limits),
        "429_plain": lambda: too_many(limits),
        "401": lambda: refused(401, "Invalid user name or password"),
        "402": lambda: refused(402, "Payment required"),
        "403_plain": lambda: plain(403, "403 Forbidden"),
        "403_json": lambda: refused(403, "Insufficient rights"),
        "404": lambda: refused(404, "Not found"),
        "500": lambda: refused(500, BROKEN, trace_id=TRACE),
        "503": lambda: plain(503, "503 Service Unavailable"),
        "504": lambda: plain(504, "504 Gateway Time-out"),
        "reset": lambda: SimAnswer(0, lost=True),
        "no_content": messages.nothing,
        "answer": lambda: SimAnswer(fault.status, fault.body.encode(), fault.content_type),
    }
    make = answers.get(fault.kind)
    return make() if make else None


def _spoil(kind: str, answer: SimAnswer) -> SimAnswer:
    """What becomes of the answer of a request that was performed."""
    match kind:
        case "500_applied":
            return refused(500, BROKEN, trace_id=TRACE)
        case "504_applied":
            return plain(504, "504 Gateway Time-out")
        case "reset_applied":
            return SimAnswer(0, lost=True)
        case "garbage":
            return plain(200, "Maintenance")
        case "empty":
            return SimAnswer(200)
        case "half":
            return _halve(answer)
        case "silent_half":
            return answer
    answer.declared = len(answer.body)
    answer.body = answer.body[: len(answer.body) // 2]
    return answer


def _halve(answer: SimAnswer) -> SimAnswer:
    if not answer.body or "json" not in answer.content_type:
        return answer
    body = json.loads(answer.body)
    for name, items in body.get("_embedded", {}).items():
        body["_embedded"][name] = items[: len(items) // 2]
    answer.body = messages.encode(body)
    return answer
