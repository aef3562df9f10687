"""Texts as the database and the run document hold them."""

from collections.abc import Mapping
from typing import Any

from accounts.kommo.texts import storable
from syncing.conf import MAX_TEXT

NAME_LENGTH = 500


def clean(value: Any) -> Any:
    """Returns `value` without what a database cannot store: NUL characters, halves of surrogate pairs."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {clean(key): clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    return value


def short(text: str) -> str:
    """Returns at most MAX_TEXT characters of `text`."""
    text = clean(text)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def error_document(code: str, message: str, remedy: str) -> dict[str, str]:
    """Returns an `error` of the run document."""
    return {"code": code, "message": short(message), "remedy": short(remedy)}
