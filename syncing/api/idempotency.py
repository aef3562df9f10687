"""Idempotency-Key: a request that is sent again gets the answer that it was given, and nothing is done twice."""

import re
from collections.abc import Callable

from django.db import transaction
from django.http import HttpResponse

from accounts.refusals import Refusal
from syncing.api.http import ApiRequest, bad_request, error_response
from syncing.api.request_bodies import body_of
from syncing.presentation.problems import PROBLEM_TYPE
from syncing.services.idempotency import GivenAnswer, IdempotentRequest, answer_once, answer_then_store

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
LONGEST = 255
TEXT = re.compile(rf"[\x21-\x7e]{{1,{LONGEST}}}", re.ASCII)


def answer_idempotently(request: ApiRequest, respond: Callable[[], HttpResponse], *, sends: bool) -> HttpResponse:
    """Answers by `respond`; with the header, as an equal request of the same key was answered before.

    `sends`: it waits for others, and so may not be done in a transaction.
    """
    text = request.headers.get(HEADER)
    if text is None:
        return respond()
    if not TEXT.fullmatch(text):
        allowed = f"1 to {LONGEST} visible ASCII characters, without spaces"
        raise bad_request("bad_idempotency_key", f"{HEADER} cannot be used.", [allowed])
    key_id = request.by.key_id
    assert key_id is not None  # a key let it in
    target = f"{request.method} {request.get_full_path()}"
    order = IdempotentRequest(key_id, text, target, body_of(request))
    given = (
        answer_then_store(order, lambda: _given(respond)) if sends else answer_once(order, lambda: _at_once(respond))
    )
    kind = PROBLEM_TYPE if given.status >= 400 else "application/json"
    response = HttpResponse(given.body, status=given.status, content_type=kind)
    if given.replayed:
        response[REPLAYED] = "true"
    return response


def _at_once(respond: Callable[[], HttpResponse]) -> GivenAnswer:
    """Returns the answer; what a refusal leaves half done is undone, as nobody else is to see it."""

    def undone_if_refused() -> HttpResponse:
        with transaction.atomic():
            return respond()

    return _given(undone_if_refused)


def _given(respond: Callable[[], HttpResponse]) -> GivenAnswer:
    """Returns the answer; a refusal is one, too, but for that of somebody who may not: they may soon."""
    try:
        response = respond()
    except Refusal as error:
        response = error_response(error)
        if response.status_code in (401, 403):
            raise
    return GivenAnswer(response.status_code, response.content.decode())
