"""Prints lines at once, and documents whatever the terminal can show."""

import json
from typing import Any

from django.core.management.base import OutputWrapper


def write_line(stream: OutputWrapper, text: str) -> None:
    """Writes a line that is seen at once, also where the stream is a pipe or a file."""
    stream.write(text)
    stream.flush()


def write_json(stream: OutputWrapper, document: Any) -> None:
    """Writes one line of JSON; escaped where the stream has no place for a character of it (LANG=C, half an emoji)."""
    text = json.dumps(document, ensure_ascii=False)
    try:
        text.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(document)
    stream.write(text)
