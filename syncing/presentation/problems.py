"""Errors of the REST API as problem documents (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

PROBLEM_TYPE = "application/problem+json"


def problem_document(status: int, error: Mapping[str, str]) -> dict[str, Any]:
    """Returns the document of an `error` (code, message, remedy), which is in it as before, too.

    The type is "about:blank", as RFC 9457 has it for problems that say all by their status and other members: programs
    go by `code`.
    """
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error["message"],
        **error,
        "error": dict(error),
    }
