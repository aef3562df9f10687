"""Does what a request asks for once, however often it is sent under the same Idempotency-Key, for a day."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from django.db import IntegrityError, transaction

from accounts import clock
from accounts.refusals import Refusal
from syncing import conf
from syncing.models import IdempotentAnswer


@dataclass(frozen=True)
class IdempotentRequest:
    """A request as it is told from others: its API key, the text of its Idempotency-Key, and what it asks for."""

    key_id: int
    text: str
    target: str  # method and address
    content: bytes  # the body

    @property
    def digests(self) -> dict[str, str]:
        return {"target": _digest(self.target.encode()), "content": _digest(self.content)}


@dataclass(frozen=True)
class GivenAnswer:
    """An answer to a request; `replayed`: it is that of an earlier one."""

    status: int
    body: str
    replayed: bool = False


def answer_once(request: IdempotentRequest, work: Callable[[], GivenAnswer]) -> GivenAnswer:
    """Returns the answer that the request has been given, else does the work and stores its answer with it.

    Both are one transaction: of equal requests at once the others wait for the first; an error, or a process that is
    killed, leaves neither. Raises Refusal if the text was used for another request.
    """
    if earlier := _earlier(request):
        return earlier
    with transaction.atomic():
        row = _claimed(request)
        if row is not None:
            answer = work()
            _store(row, answer)
            return answer
    return _others(request)


def answer_then_store(request: IdempotentRequest, work: Callable[[], GivenAnswer]) -> GivenAnswer:
    """Does the same for work that must not hold a transaction, as it waits for others: equal requests at the same
    moment may each do it.
    """
    if earlier := _earlier(request):
        return earlier
    answer = work()
    with transaction.atomic():
        row = _claimed(request)
        if row is not None:
            _store(row, answer)
            return answer
    return _others(request)


def _earlier(request: IdempotentRequest) -> GivenAnswer | None:
    """Returns the stored answer, None if there is none that counts; raises Refusal if it is that of another request."""
    answers = IdempotentAnswer.objects.filter(key=request.key_id, text=request.text)
    row = answers.filter(created_at__gt=clock.now() - conf.IDEMPOTENCY).first()
    if row is None:
        return None
    if request.digests != {"target": row.target, "content": row.content}:
        message = "This Idempotency-Key was used for another request."
        raise Refusal("idempotency_mismatch", message, "Use a new one for each request; the same only to repeat it.")
    return GivenAnswer(row.status, row.body, replayed=True)


def _claimed(request: IdempotentRequest) -> IdempotentAnswer | None:
    """Makes the row of the request, to be filled; None if another request has made it in the meantime."""
    moment = clock.now()
    rows = IdempotentAnswer.objects.filter(key=request.key_id, text=request.text)
    rows.filter(created_at__lte=moment - conf.IDEMPOTENCY).delete()
    try:
        with transaction.atomic():
            return IdempotentAnswer.objects.create(
                key_id=request.key_id, text=request.text, created_at=moment, **request.digests
            )
    except IntegrityError:
        return None


def _others(request: IdempotentRequest) -> GivenAnswer:
    """Returns the answer of the equal request that was first."""
    answer = _earlier(request)
    if answer is None:
        raise Refusal("try_again", "The same request was under way and has failed.", "Send it again.")
    return answer


def _store(row: IdempotentAnswer, answer: GivenAnswer) -> None:
    row.status, row.body = answer.status, answer.body
    row.save(update_fields=["status", "body"])


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
