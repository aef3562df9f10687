"""Turns one HTTP answer into the object that it holds; `error_answers` makes errors of those outside 2xx."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accounts.kommo.errors import BadAnswer, Facts, gettext_noop

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """One answer as it came; `body` None: it broke off on the way."""

    account: str
    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    body: bytes | None

    @property
    def is_write(self) -> bool:
        return self.method != "GET"

    @property
    def document(self) -> Any:
        """The decoded body; None when it is no JSON, or not all of it."""
        try:
            return json.loads(self.body or b"")
        except (ValueError, RecursionError):
            return None

    @property
    def problem(self) -> JsonObject:
        """The object that explains an error; empty when there is none."""
        document = self.document
        return document if isinstance(document, dict) else {}

    @property
    def is_from_api(self) -> bool:
        """True when the API answered, not a web server before it: those send plain text or HTML (docs/kommo.md 2).

        Some send a page under the type that the API has: what it is called does not make it JSON.
        """
        if isinstance(self.document, dict):
            return True
        is_page = (self.body or b"").lstrip().startswith(b"<")
        return "json" in self.headers.get("Content-Type", "").lower() and not is_page

    def facts(self, **more: Any) -> Facts:
        facts = Facts(
            account=self.account,
            method=self.method,
            path=self.path,
            status=self.status,
            request_id=self.headers.get("X-Request-Id"),
        )
        facts.update(more)  # type: ignore[typeddict-item]
        return facts


def read(answer: Answer) -> JsonObject | None:
    """Returns the object in a 2xx answer, None for 204 (an empty list, a done DELETE); raises BadAnswer for all else.

    A delete may answer 204 or 200 `{}` (docs/kommo.md 4); any other write says what it wrote.
    """
    if answer.method == "DELETE" and answer.status in (200, 202, 204):
        return None
    if answer.status == 204 and not answer.is_write:
        return None
    if answer.status not in (200, 201):
        raise _bad(answer, gettext_noop("answered %(status)s where 200 was expected") % {"status": answer.status})
    if answer.body is None:
        raise _bad(answer, gettext_noop("the answer broke off"), retryable=True)
    if not answer.body.strip():
        raise _bad(answer, gettext_noop("the answer is empty"), retryable=True)
    document = answer.document
    if document is None:
        raise _bad(answer, gettext_noop("the answer is not JSON, or not all of it"), retryable=True)
    if not isinstance(document, dict):
        raise _bad(
            answer, gettext_noop("the answer is a JSON %(type)s, not an object") % {"type": type(document).__name__}
        )
    return document


def _bad(answer: Answer, detail: str, retryable: bool = False) -> BadAnswer:
    return BadAnswer(detail, **answer.facts(outcome_unknown=answer.is_write, retryable=retryable))
