"""HTML by construction: whatever is not HTML already is escaped."""

from __future__ import annotations

from html import escape

VOID = frozenset({"input", "meta", "link", "rect", "br"})


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(name: str, /, *children: object, **attributes: object) -> Html:
    """Returns an element; a child that is None is left out, a list is taken apart, and text is escaped.

    Attributes: `class_` is "class", `data_part` is "data-part"; None and False leave one out, True has no value.
    """
    opened = "".join(_attribute(key, value) for key, value in attributes.items())
    return Html(f"<{name}{opened}>" if name in VOID else f"<{name}{opened}>{join(*children)}</{name}>")


def join(*children: object) -> Html:
    """Returns the children as one piece of HTML."""
    return Html("".join(_text(child) for child in children))


def _text(child: object) -> str:
    if child is None:
        return ""
    if isinstance(child, list):
        return join(*child)
    return child if isinstance(child, Html) else escape(str(child))


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
