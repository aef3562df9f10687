"""One call of the API at its account: token, payment, rights, resource."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from accounts.simulator import routes, staleness, validation
from accounts.simulator.account import SimAccount
from accounts.simulator.addressing import Address
from accounts.simulator.messages import PROBLEM, Call, SimAnswer, SimRequest, encode, plain
from accounts.simulator.problems import ProblemAnswer, with_paths_spelled
from accounts.simulator.world import World

MAX_CACHED = 64


def answer_api_call(world: World, account: SimAccount, request: SimRequest) -> SimAnswer:
    """Answers a call that reached its account, be it with a refusal."""
    try:
        if not account.accepts(request.bearer):
            raise ProblemAnswer(401, "Invalid user name or password")
        if account.grants.use_access(request.bearer):
            world.mark_changed()
        if not account.paid:
            raise ProblemAnswer(402, "Payment required")
        handler, parts = routes.find(request.method, request.path)
        if request.method == "GET":
            return _read(world, account, request, lambda: handler(Call(account, request), *parts))
        if not account.admin:
            raise ProblemAnswer(403, "Insufficient rights")
        return _write(world, account, request, lambda: handler(Call(account, request), *parts))
    except ProblemAnswer as raised:
        if request.method == "DELETE" and raised.status == 404:
            refusal = ProblemAnswer(world.variants.deleted_twice_status, raised.detail)
        else:
            refusal = with_paths_spelled(raised, world.variants.complaint_paths)
        return SimAnswer(refusal.status, encode(refusal.body()), PROBLEM)


def write_by_hand(world: World, account: SimAccount, method: str, path: str, body: object = None) -> None:
    """Performs a write as a person in Kommo's pages does: the rules are the API's, but no token is asked for.

    The path is behind /api/v4/. Raises ProblemAnswer where the API would refuse.
    """
    address = Address("http", "kommo", account.subdomain, f"/api/v4/{path}", by_host=False)
    raw = b"" if body is None else encode(body)
    request = SimRequest(method, "", raw, "", "", account.subdomain, address, world.monotonic())
    handler, parts = routes.find(method, request.path)
    _write(world, account, request, lambda: handler(Call(account, request), *parts))


def _read(world: World, account: SimAccount, request: SimRequest, perform: Callable[[], SimAnswer]) -> SimAnswer:
    """Performs a read: from a copy that lags behind, from the cache where there is one, or as it is."""
    with account.lock:
        if account.past:
            with staleness.as_read(account):
                return perform()
        if not world.cache_reads:
            return perform()
        key = (request.path, request.query, request.base, account.admin, request.halved)
        if key not in account.cached_reads:
            if len(account.cached_reads) >= MAX_CACHED:
                account.cached_reads.clear()
            account.cached_reads[key] = perform()
        # A copy, as a fault may spoil it.
        return replace(account.cached_reads[key])


def _write(world: World, account: SimAccount, request: SimRequest, perform: Callable[[], SimAnswer]) -> SimAnswer:
    """Performs a write; one with too many items answers 504, applied or not."""
    limit = world.variants.batch_504_above
    is_too_big = bool(limit) and validation.count_items(request.body) > limit
    if is_too_big and not world.variants.batch_504_applied:
        return plain(504, "504 Gateway Time-out")
    with account.lock:
        account.note_change()
        world.mark_changed()
        staleness.note_write(account)
        answer = perform()
    return plain(504, "504 Gateway Time-out") if is_too_big else answer
