"""`/api/openapi.json`, and `/api/docs`: the same as a page for people. No key is needed: they hold no secret."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from syncing.api.http import door
from syncing.api.openapi import OpenApi, document
from syncing.api.operations import unless_known

DEEPEST = 6  # objects in objects that an example shows


def _openapi(request: HttpRequest) -> HttpResponse:
    return unless_known(request, JsonResponse(document()))


def _page(request: HttpRequest) -> HttpResponse:
    address = request.build_absolute_uri("/").rstrip("/")
    context = {"title": _("REST API"), "operations": _operations(), "address": address}
    return render(request, "syncing/api_docs.html", context)


openapi = door(_openapi, ["GET"])
page = door(_page, ["GET"])


@cache
def _operations() -> list[dict[str, Any]]:
    """Returns what the page tells of each operation, in the order of the document."""
    described = []
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            answers = list(operation["responses"].items())
            good = next(answer for code, answer in answers if code < "300")
            described.append(
                {
                    "id": operation["operationId"],
                    "method": method.upper(),
                    "path": path,
                    "tag": operation["tags"][0],
                    "summary": operation["summary"],
                    "description": operation["description"],
                    "parameters": [{**each, "kind": _kind(each["schema"])} for each in operation["parameters"]],
                    "body": [*_fields(body["schema"])] if body else None,
                    "example": json.dumps(body["schema"].get("example", {}), ensure_ascii=False) if body else None,
                    "needs_key": operation.get("security") != [],
                    "status": next(code for code, _answer in answers if code < "300"),
                    "answer": json.dumps(_sample(good["content"]["application/json"]["schema"]), indent=1),
                    "errors": [(code, answer["description"]) for code, answer in answers if code >= "400"],
                }
            )
    return described


def _fields(schema: OpenApi) -> Iterator[dict[str, Any]]:
    """Yields the keys of a body, for a table."""
    required = schema.get("required", ())
    for name, field in schema["properties"].items():
        yield {
            "name": name,
            "required": name in required,
            "kind": _kind(field),
            "description": field.get("description", ""),
        }


def _kind(schema: OpenApi) -> str:
    """Returns the type of a value in words."""
    schema = _resolved(schema)
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if alternatives := [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]:
        return " | ".join(map(_kind, alternatives))
    kind = schema.get("type", "")
    if kind == "array":
        return f"list of {_kind(schema['items'])}"
    return kind if isinstance(kind, str) else " | ".join(each for each in kind if each != "null")


def _sample(schema: OpenApi, depth: int = 0) -> Any:
    """Returns a value of this shape, which says the type of each part."""
    schema = _resolved(schema)
    if "properties" in schema and depth < DEEPEST:
        return {name: _sample(each, depth + 1) for name, each in schema["properties"].items()}
    if schema.get("type") == "array":
        return [_sample(schema["items"], depth)]
    alternatives = [_sample(each, depth) for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if alternatives:
        is_text = all(isinstance(each, str) for each in alternatives)
        return " | ".join(alternatives) if is_text else alternatives[0]
    return schema.get("format") or _kind(schema)


def _resolved(schema: OpenApi) -> OpenApi:
    """Returns the schema that a reference names."""
    name = schema.get("$ref", "").rpartition("/")[2]
    return {**document()["components"]["schemas"][name], **schema} if name else schema
