"""The controls of the page's forms, and the colours of stages."""

from __future__ import annotations

import re
from collections.abc import Sequence

from accounts.simulator.account import SimAccount
from accounts.simulator.model import PALETTE
from accounts.simulator.play.html import Html, element
from accounts.simulator.validation import MAX_NAME

COLOR = re.compile("#[0-9a-fA-F]{6}")
NO_COLOR = "#e6e8ea"


def form(account: SimAccount, slave: str, action: str, *children: object, class_: str | None = None) -> Html:
    """Returns a form that acts in the account; afterwards the page shows this slave again."""
    return element(
        "form",
        *children,
        hidden("account", account.subdomain),
        hidden("slave", slave),
        method="post",
        action=f"/play/{action}",
        class_=class_,
    )


def hidden(name: str, value: object) -> Html:
    return element("input", type="hidden", name=name, value=value)


def text(name: str, value: str = "", *, label: str | None = None) -> Html:
    """Returns a line to write a name in; `label` where no words stand beside it."""
    return element(
        "input", name=name, value=value, aria_label=label, maxlength=MAX_NAME, required=True, autocomplete="off"
    )


def select(name: str, choices: Sequence[tuple[object, str]], chosen: object = None) -> Html:
    options = [element("option", words, value=value, selected=value == chosen) for value, words in choices]
    return element("select", options, name=name)


def labelled(words: str, control: Html) -> Html:
    return element("label", element("span", words), control)


def button(words: str, *, action: str | None = None, class_: str | None = None, id: str | None = None) -> Html:
    """Returns a button that sends its form, to another action than the form's where one is given."""
    target = None if action is None else f"/play/{action}"
    return element("button", words, type="submit", formaction=target, class_=class_, id=id)


def swatch(color: str) -> Html:
    """Returns a colour as a picture: the policy for browsers allows no style in the page."""
    fill = color if COLOR.fullmatch(color) else NO_COLOR
    return element("svg", element("rect", width="100%", height="100%", fill=fill), aria_hidden="true")


def palette() -> list[Html]:
    """Returns one button per colour that Kommo accepts for a stage."""
    return [element("button", name="color", value=color, aria_label=f"Colour {color}") for color in PALETTE]


def palette_rules() -> str:
    """Returns the style of these buttons, which are as many as there are stages and colours."""
    return "".join(f'.palette [value="{color}"] {{ background: {color}; }}\n' for color in PALETTE)
