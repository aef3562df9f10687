"""The OpenAPI document of the API: what ninja knows of each operation, and what holds for all of them."""

import copy
from collections.abc import Iterator
from functools import cache
from typing import Any

from ninja.openapi.schema import REF_TEMPLATE

from syncing.api.http import ApiError
from syncing.api.idempotency import HEADER, LONGEST, REPLAYED
from syncing.api.rest import rest
from syncing.presentation.problems import PROBLEM_TYPE, problem_document

OpenApi = dict[str, Any]

ERRORS = {
    400: "Something in the request is wrong; `remedy` says what is allowed.",
    401: "The API key is missing, unknown or revoked.",
    403: "The key has not the scope, or its maker not the permission.",
    404: "What the address names is not there.",
    409: "It cannot be done as things are now.",
    413: "The body is too large.",
    422: "The Idempotency-Key was used for another request.",
    429: "The key has used up its requests of this minute.",
    503: "The database cannot be used at the moment.",
}
TEXT = {"schema": {"type": "string"}}
HEADERS = {
    401: {"WWW-Authenticate": {"description": "Bearer", **TEXT}},
    429: {"Retry-After": {"description": "seconds", "schema": {"type": "string", "pattern": "^[0-9]+$"}}},
    503: {"Retry-After": {"description": "seconds", "schema": {"type": "string", "pattern": "^[0-9]+$"}}},
}
ETAG = {"ETag": {"description": "Send it as If-None-Match: while nothing has changed, the answer is 304.", **TEXT}}
REPLAY = {REPLAYED: {"description": "true for the answer that an equal request was given before", **TEXT}}
IDEMPOTENCY_KEY = {
    "in": "header",
    "name": HEADER,
    "required": False,
    "description": "The same request with the same text gets the same answer for 24 hours, and is done once.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": "^[!-~]+$"},
}
IF_NONE_MATCH = {
    "in": "header",
    "name": "If-None-Match",
    "required": False,
    "description": "ETags of answers that the client has",
    "schema": {"type": "string"},
}
WEBHOOK: OpenApi = {
    "operationId": "webhook",
    "summary": "Asks for a sync of the group that the token belongs to",
    "description": "For Kommo's webhooks, Salesbots and digital pipeline. The body may be anything and is not read.",
    "tags": ["runs"],
    "security": [],
    "parameters": [{"in": "path", "name": "token", "required": True, "schema": {"type": "string"}}],
    "requestBody": {"required": False, "content": {"*/*": {"schema": {}}}},
}
WEBHOOK_ANSWER = {
    "type": "object",
    "title": "WebhookShape",
    "properties": {
        "run": {"type": ["integer", "null"], "description": "null if no run could be started"},
        "error": {"$ref": REF_TEMPLATE.format(model="ErrorShape")},
    },
    "required": ["run"],
}


@cache
def document() -> OpenApi:
    """Returns the document; nobody may change it."""
    openapi: OpenApi = copy.deepcopy(dict(rest.get_openapi_schema(path_prefix="/api/")))
    openapi["servers"] = [{"url": "/"}]
    schemas = openapi["components"]["schemas"]
    schemas["Problem"] = _problem_schema()
    for name in [name for name in schemas if name.endswith("Filters")]:  # they are told as parameters
        del schemas[name]
    for method, operation in operations(openapi):
        _complete(method, operation, schemas)
    answer = {"description": "Accepted", "content": {"application/json": {"schema": WEBHOOK_ANSWER}}}
    webhook = {**WEBHOOK, "responses": {"202": answer, **_errors([404, 503])}}
    openapi["paths"]["/api/sync/webhook/{token}"] = {"post": webhook}
    return openapi


def operations(openapi: OpenApi) -> Iterator[tuple[str, OpenApi]]:
    """Yields each operation with its method."""
    for item in openapi["paths"].values():
        yield from item.items()


def _complete(method: str, operation: OpenApi, schemas: OpenApi) -> None:
    """Adds the errors and headers that the operation has as one of its kind, and moves its schemas to the others."""
    parameters = operation["parameters"]
    is_reading = method == "get"
    codes = {401, 403, 429, 503, *operation.pop("x-errors")}
    if any(each["in"] == "path" for each in parameters):
        codes.add(404)
    if not is_reading or any(each["in"] == "query" for each in parameters):
        codes.add(400)
    for each in parameters:
        _forget_null(each["schema"])
    if is_reading:
        parameters.append(IF_NONE_MATCH)
    else:
        codes |= {413, 422}
        parameters.append(IDEMPOTENCY_KEY)
    for answer in operation["responses"].values():
        answer["headers"] = ETAG if is_reading else REPLAY
    if is_reading:
        operation["responses"]["304"] = {"description": "The client has it already.", "headers": ETAG}
    operation["responses"] = {str(code): answer for code, answer in operation["responses"].items()} | _errors(codes)
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schemas.update(content["schema"].pop("$defs", {}))


def _forget_null(schema: OpenApi) -> None:
    """Leaves a parameter that may be left out its own type alone: an address has no null."""
    alternatives = [each for each in schema.pop("anyOf", ()) if each != {"type": "null"}]
    if alternatives:
        (only,) = alternatives
        schema.update(only)
    if schema.get("default", "") is None:
        del schema["default"]


def _errors(codes: Any) -> OpenApi:
    """Returns the answers with these status codes, each a problem document."""
    return {
        str(code): {
            "description": ERRORS[code],
            "content": {PROBLEM_TYPE: {"schema": {"$ref": REF_TEMPLATE.format(model="Problem")}}},
            **({"headers": HEADERS[code]} if code in HEADERS else {}),
        }
        for code in sorted(codes)
    }


def _problem_schema() -> OpenApi:
    """Returns the schema of an error, from what an error is made of."""
    error = ApiError(404, "no_such_run", "There is no run 12.", "See /api/sync/runs.")
    example = problem_document(error.status, error.document)
    kinds: OpenApi = {
        name: {"type": "integer" if isinstance(value, int) else "string"} for name, value in example.items()
    }
    kinds["error"] = {"$ref": REF_TEMPLATE.format(model="ErrorShape"), "description": "the same once more, as before"}
    return {"type": "object", "properties": kinds, "required": [*kinds], "example": example}
