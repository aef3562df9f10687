"""The answers under a fault: those that come instead of the request's own, and what becomes of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from accounts.simulator import shapes
from accounts.simulator.faults import Fault
from accounts.simulator.limiter import RateLimit
from accounts.simulator.messages import SimAnswer, nothing, plain, refused
from accounts.simulator.problems import BROKEN
from accounts.simulator.world import World

TOO_MANY = "You have sent too many requests in a given amount of time. Please try again later."
TRACE = "5f3c0b1e9a7d4c21"


def too_many(limits: RateLimit) -> SimAnswer:
    """Returns the 429 in the shape that the limits ask for."""
    answer = (
        plain(429, "429 Too Many Requests")
        if limits.plain_body
        else refused(429, TOO_MANY, retry_after=limits.retry_after)
    )
    if limits.retry_after_header:
        answer.headers = (("Retry-After", str(limits.retry_after)),)
    return answer


# The request is not performed.
INSTEAD: dict[str, Callable[[Fault], SimAnswer]] = {
    "429": lambda fault: too_many(RateLimit(retry_after=fault.retry_after)),
    "429_header": lambda fault: too_many(RateLimit(retry_after=fault.retry_after, retry_after_header=True)),
    "429_plain": lambda fault: too_many(RateLimit(retry_after=fault.retry_after, plain_body=True)),
    "401": lambda fault: refused(401, "Invalid user name or password"),
    "402": lambda fault: refused(402, "Payment required"),
    "403_plain": lambda fault: plain(403, "403 Forbidden"),
    "403_json": lambda fault: refused(403, "Insufficient rights"),
    "404": lambda fault: refused(404, "Not found"),
    "500": lambda fault: refused(500, BROKEN, trace_id=TRACE),
    "503": lambda fault: plain(503, "503 Service Unavailable"),
    "504": lambda fault: plain(504, "504 Gateway Time-out"),
    "reset": lambda fault: SimAnswer(0, lost=True),
    "no_content": lambda fault: nothing(),
    "answer": lambda fault: SimAnswer(fault.status, fault.body.encode(), fault.content_type),
}
# The request is performed, and this becomes of its answer.
AFTERWARDS: dict[str, Callable[[SimAnswer], SimAnswer]] = {
    "500_applied": lambda answer: refused(500, BROKEN, trace_id=TRACE),
    "504_applied": lambda answer: plain(504, "504 Gateway Time-out"),
    "reset_applied": lambda answer: SimAnswer(0, lost=True),
    "slow": lambda answer: answer,
    "truncated": lambda answer: replace(answer, declared=len(answer.body), body=answer.body[: len(answer.body) // 2]),
    "garbage": lambda answer: plain(200, "Maintenance"),
    "empty": lambda answer: SimAnswer(200),
    "half": shapes.with_half_of_lists,
    "silent_half": lambda answer: answer,
}


def answer_under_fault(world: World, fault: Fault, perform: Callable[[], SimAnswer]) -> SimAnswer:
    """Returns the answer under a fault; the request itself is performed only for kinds that say "applied"."""
    instead = INSTEAD.get(fault.kind)
    if instead is not None:
        return instead(fault)
    answer = perform()
    if fault.kind == "slow":
        world.sleep(fault.seconds)
    return AFTERWARDS[fault.kind](answer)
