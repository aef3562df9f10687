"""One request from arrival to answer: pace, faults, the account or OAuth page it is for, log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from accounts.simulator import shapes
from accounts.simulator.api_calls import answer_api_call
from accounts.simulator.fault_answers import answer_under_fault, too_many
from accounts.simulator.limiter import Admission
from accounts.simulator.messages import SimAnswer, SimRequest, plain, refused
from accounts.simulator.oauth import routes as oauth_routes
from accounts.simulator.world import World


def handle_request(world: World, request: SimRequest) -> SimAnswer:
    """Answers a request and logs it."""
    admission = world.limiter.admit(ip=request.ip, subdomain=request.subdomain, at=request.at)
    if admission is Admission.BLOCKED:
        answer = plain(403, "403 Forbidden")
    elif admission is Admission.LIMITED:
        answer = too_many(world.limits)
    elif (perform := _find_resource(world, request)) is None:
        answer = _answer_without_account(world, request)
    else:
        answer = _answer_with_faults(world, request, perform)
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


def _find_resource(world: World, request: SimRequest) -> Callable[[], SimAnswer] | None:
    """Returns the call that answers the request; None at an address without an account."""
    if oauth_routes.is_oauth(request):
        return oauth_routes.find(world, request)
    account = world.accounts.get(request.address.label)
    return None if account is None else lambda: answer_api_call(world, account, request)


def _answer_without_account(world: World, request: SimRequest) -> SimAnswer:
    """Answers at an address where no account is: none ever was, or it has another one now."""
    is_former = request.address.label in world.former
    if is_former and world.variants.former_address == "json_404":
        return refused(404, f"Cannot {request.method} {request.path}")
    if is_former and world.variants.former_address == "401":
        return refused(401, "Invalid user name or password")
    return plain(404, "404 Not Found")


def _answer_with_faults(world: World, request: SimRequest, perform: Callable[[], SimAnswer]) -> SimAnswer:
    """Performs the request as the faults planted for it allow."""
    target = f"{request.path}?{request.query}" if request.query else request.path
    fault = world.faults.take(request.subdomain, request.method, target, request.body)
    if fault is not None and fault.kind == "silent_half":
        # The list itself is halved before it is paged, so that nothing in the answer looks wrong.
        perform = _find_resource(world, replace(request, halved=True)) or perform
    answer = answer_under_fault(world, fault, perform) if fault else perform()
    if fault is not None and fault.meanwhile is not None:
        fault.meanwhile()
    for odd in world.faults.take_odd(request.subdomain, request.method, target):
        answer = shapes.with_odd_item(answer, odd.item, odd.at, odd.value, missing=odd.missing)
    return shapes.with_lists_as_objects(answer) if world.variants.lists_as_objects else answer
