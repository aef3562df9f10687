"""How an operation is declared: its address, who may, what it takes and answers, and which errors it may end in."""

import hashlib
from collections.abc import Callable, Sequence
from functools import wraps
from inspect import getdoc
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, JsonResponse
from django.utils.http import parse_etags
from ninja.openapi.schema import REF_TEMPLATE

from syncing.api.bearer import ApiKeyBearer
from syncing.api.http import ApiRequest
from syncing.api.idempotency import answer_idempotently
from syncing.api.request_bodies import RequestBody
from syncing.models import KeyScope

Endpoint = Callable[..., Any]


def operation(
    route: Callable[..., Callable[[Endpoint], Endpoint]],
    path: str,
    name: str,
    allowed: tuple[KeyScope, str | None],
    answer: Any,
    *,
    status: int = 200,
    body: type[RequestBody] | None = None,
    errors: Sequence[int] = (),
    sends: bool = False,
) -> Callable[[Endpoint], Endpoint]:
    """Adds a view to a router (`route` is one of its methods); the view returns the document of the answer.

    `name`: of the address, for reverse(). `allowed`: the scope of the key and the permission of its maker (None: it
    depends on the body). `errors`: codes beside those that the kind of request has anyway (see `openapi`). `sends`: it
    waits for somebody else, so no transaction may be open.
    The answer is the document as it is; `answer` only describes it. The body is read by the view, when it wants to,
    as an unknown run is told before what is wrong with the body.
    """

    def declare(view: Endpoint) -> Endpoint:
        add = route(
            path,
            url_name=name,
            auth=ApiKeyBearer(*allowed),
            response={status: answer},
            openapi_extra={"x-errors": list(errors), **_described_body(body)},
            **_described(view, *allowed),
        )
        return add(_answering(view, status, sends=sends))

    return declare


def _answering(view: Endpoint, status: int, *, sends: bool) -> Endpoint:
    """Returns the view that ninja calls: it answers with the document, by an ETag or an Idempotency-Key."""

    @wraps(view)
    def answered(request: ApiRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        def respond() -> HttpResponse:
            return JsonResponse(view(request, *args, **kwargs), status=status, safe=False)

        if request.method == "GET":
            return unless_known(request, respond())
        return answer_idempotently(request, respond, sends=sends)

    return answered


def _described(view: Endpoint, scope: KeyScope, permission: str | None) -> dict[str, str]:
    """Returns what the OpenAPI document says in words: the docstring of the view, and who may."""
    text = " ".join((getdoc(view) or view.__name__).split())
    who = f"Scope of the key: {scope}." + (f" Its maker needs: {permission}." if permission else "")
    return {
        "operation_id": f"{view.__module__.rpartition('.')[2]}_{view.__name__}".strip("_"),
        "summary": text.partition(". ")[0].rstrip("."),
        "description": f"{text} {who}",
    }


def _described_body(body: type[RequestBody] | None) -> dict[str, Any]:
    if body is None:
        return {}
    schema = body.model_json_schema(ref_template=REF_TEMPLATE)
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": "required" in schema, "content": content}}


def unless_known(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Returns the answer with its ETag; 304 without it to a client that has it already."""
    etag = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
    known = [each.removeprefix("W/") for each in parse_etags(request.headers.get("If-None-Match", ""))]
    if etag in known or known == ["*"]:
        response = HttpResponseNotModified()
    response["ETag"] = etag
    return response
