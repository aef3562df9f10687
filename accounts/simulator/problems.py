"""The refusals of the API as exceptions, and their bodies (docs/kommo.md 3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    500: "ErrInternalServer",
    504: "Gateway Timeout",
}


# The detail of a 500.
BROKEN = "Our team are probably already working on it"


@dataclass(frozen=True, slots=True)
class ItemProblem:
    """One thing wrong with one item; the path is dotted and relative to the item."""

    code: str
    path: str
    detail: str

    def body(self) -> dict[str, str]:
        return {"code": self.code, "path": self.path, "detail": self.detail}


class ProblemAnswer(Exception):
    """The request is refused: `status`, `detail` and further keys of the body."""

    def __init__(self, status: int, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.extra = extra

    def body(self) -> dict[str, Any]:
        return {**self.extra, **problem(self.status, self.detail)}


def problem(status: int, detail: str) -> dict[str, Any]:
    """Returns the body that every JSON error has in common."""
    return {
        "title": TITLES[status],
        "type": f"https://httpstatus.es/{status}",
        "status": status,
        "detail": detail,
    }


def invalid(failures: Sequence[tuple[str, Sequence[ItemProblem]]]) -> ProblemAnswer:
    """Returns the 400 for items that failed validation, given as pairs of request id and problems."""
    entries = [
        {"request_id": request_id, "errors": [error.body() for error in errors]} for request_id, errors in failures
    ]
    return ProblemAnswer(400, "Request validation failed", **{"validation-errors": entries})


def with_paths_spelled(refusal: ProblemAnswer, how: str) -> ProblemAnswer:
    """Returns the refusal with its complaints' paths as the variant `complaint_paths` says."""
    entries = refusal.extra.get("validation-errors")
    if how == "dotted" or entries is None:
        return refusal
    if how == "none":
        return ProblemAnswer(refusal.status, refusal.detail)
    spelling = SPELLINGS[how]
    spelled = [
        {**entry, "errors": [{**error, "path": spelling(error["path"], at)} for error in entry["errors"]]}
        for at, entry in enumerate(entries)
    ]
    return ProblemAnswer(refusal.status, refusal.detail, **{**refusal.extra, "validation-errors": spelled})


SPELLINGS: dict[str, Callable[[str, int], str]] = {
    "brackets": lambda path, at: path.replace(".", "[", 1).replace(".", "][") + ("]" if "." in path else ""),
    "pointer": lambda path, at: "/" + path.replace(".", "/"),
    "indexed": lambda path, at: f"{at}.{path}",
    "short": lambda path, at: path.removeprefix("_embedded."),
}


def bad_choice(path: str) -> ItemProblem:
    return ItemProblem("NotSupportedChoice", path, "The value you selected is not a valid choice.")


def bad_type(path: str, kind: str) -> ItemProblem:
    return ItemProblem("InvalidType", path, f"This value should be of type {kind}.")


def missing(path: str) -> ItemProblem:
    return ItemProblem("FieldMissing", path, "This field is missing.")


def not_expected(path: str) -> ItemProblem:
    return ItemProblem("FieldNotExpected", path, "This field was not expected.")


def not_unique(path: str) -> ItemProblem:
    return ItemProblem("NotUnique", path, "This value is already used.")


def blank(path: str) -> ItemProblem:
    return ItemProblem("NotBlank", path, "This value should not be blank.")


def too_long(path: str, limit: int) -> ItemProblem:
    return ItemProblem("TooLong", path, f"This value is too long. It should have {limit} characters or less.")


def out_of_range(path: str, low: int, high: int) -> ItemProblem:
    return ItemProblem("NotInRange", path, f"This value should be between {low} and {high}.")
