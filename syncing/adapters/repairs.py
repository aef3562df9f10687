"""Repairs: a refused optional part costs only itself; what is missing then is seen at the re-reading."""

import re
from collections.abc import Iterator

from accounts.kommo.errors import FieldError, Validation
from syncing.adapters.api import Json

# What a field can be made without; kommo-api.md 5.2 has conflicting readings of each.
OPTIONAL = frozenset({
    "code", "group_id", "hidden_statuses", "is_api_only", "remind", "required_statuses", "tracking_callback",
})  # fmt: skip
ENUM_CODE = re.compile(r"enums\.(\d+)\.code$")
LIST_ENTRY = re.compile(r"(required_statuses|hidden_statuses)\.(\d+)")
ALWAYS_THERE = frozenset({"id", "currency"})


def complaints(error: Validation) -> Iterator[FieldError]:
    for item in error.items:
        yield from item.errors


def lightened(body: Json, error: Validation) -> Json | None:
    """The body of a field without the optional parts that were refused; None if a complaint is about another part."""
    light = {**body}
    refused: dict[str, set[int]] = {}
    for complaint in complaints(error):
        entry, code = LIST_ENTRY.match(complaint.path), ENUM_CODE.match(complaint.path)
        if entry is not None:
            refused.setdefault(entry[1], set()).add(int(entry[2]))
        elif code is not None:
            refused.setdefault("code", set()).add(int(code[1]))
        elif complaint.path.partition(".")[0] in OPTIONAL:
            light.pop(complaint.path.partition(".")[0], None)
        else:
            return None
    for name in ("required_statuses", "hidden_statuses"):
        if name in light and name in refused:
            light[name] = [entry for at, entry in enumerate(light[name]) if at not in refused[name]]
    if "code" in refused and "enums" in light:
        light["enums"] = [
            {key: value for key, value in enum.items() if key != "code"} if at in refused["code"] else enum
            for at, enum in enumerate(light["enums"])
        ]
    return light if light != body and light.keys() - ALWAYS_THERE else None


def demands_options(error: Validation) -> bool:
    """Some PATCHes of select fields demand the options (kommo-api.md 5.4)."""
    return any(complaint.path.rpartition(".")[2] == "enums" for complaint in complaints(error))
