"""The plans of a run as text: each distinct one once, with its accounts, every change field by field."""

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from syncing.engine.grouping import common_content, concerns_all, group_plans, plan_difference

Document = Mapping[str, Any]
Accounts = Sequence[Document]
SIGNS = {"create": "+", "update": "~", "delete": "-"}
WIDTH = 100
MOST_DIFFERING_ROWS = 10  # so many rows tell two plans apart


def plan_blocks(accounts: Accounts) -> list[str]:
    """Returns a text for each distinct plan, the most common first; accounts in sync without a remark have none."""
    known = {account["subdomain"]: account for account in accounts}
    # An account of an older run has no digest: it stands for itself.
    digests = ((name, account.get("plan") or f"of {name}") for name, account in known.items() if has_plan(account))
    groups = [[known[name] for name in each.members] for each in group_plans(digests)]
    common = next((group for group in groups if len(group) > 1 and _is_busy(group)), None)
    blocks = ["\n".join(_block(group, common)) for group in groups]
    if common is None:
        return blocks
    differ = sum(len(group) for group in groups if group is not common and _is_busy(group))
    in_sync = sum(account["state"] == "in_sync" for account in accounts)
    counts = [f"{count} {label}" for count, label in ((differ, "differ"), (in_sync, "in sync")) if count]
    return ["; ".join([_title(common), *counts]), *blocks]


def has_plan(account: Document) -> bool:
    """Tells if there is a plan to show; what an account in sync has for itself is none."""
    if account["state"] == "in_sync":
        account = common_content(account)
    return any(account[name] for name in ("changes", "extras", "conflicts", "manual"))


def _is_busy(group: Accounts) -> bool:
    return any(account["state"] != "in_sync" for account in group)


def _title(group: Accounts) -> str:
    number = len(group[0]["changes"])
    changes = f"{number} change{'' if number == 1 else 's'}"
    return f"{group[0]['subdomain']}: {changes}" if len(group) == 1 else f"{len(group)} accounts: the same {changes}"


def _block(group: Accounts, common: Accounts | None) -> Iterator[str]:
    """Yields the lines about one distinct plan; what its accounts have each for themselves comes last."""
    yield _title(group)
    if len(group) > 1:
        yield wrapped(account["subdomain"] for account in group)
    if common is not None and group is not common and _is_busy(group):
        difference = plan_difference(group[0], common[0])
        for title, rows in (("only here", difference.here), ("not here", difference.missing)):
            yield from (f"    {title}: {_line(name, row)}" for name, row in rows[:MOST_DIFFERING_ROWS])
            if len(rows) > MOST_DIFFERING_ROWS:
                yield f"    {title}: and {len(rows) - MOST_DIFFERING_ROWS} more"
    if len(group) == 1:
        yield from _rows(group[0])
        return
    yield from _rows(common_content(group[0]))
    for account in group:
        own = [extra for extra in account["extras"] if not concerns_all("extras", extra)]
        yield from (f"  {_line('extras', extra)} ({account['subdomain']})" for extra in own)


def wrapped(names: Iterator[str]) -> str:
    """Returns names as a paragraph; none is broken in the middle."""
    filler = textwrap.TextWrapper(
        WIDTH, initial_indent="    ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
    return filler.fill(", ".join(names))


def _rows(document: Document) -> Iterator[str]:
    for change in document["changes"]:
        yield f"  {_line('changes', change)}"
        yield from (f"      {text}" for text in field_texts(change))
    for extra in document["extras"]:
        yield f"  {_line('extras', extra)}"
    yield from remarks(document)


def remarks(document: Document) -> Iterator[str]:
    """Yields what somebody has to do: conflicts, and what the API cannot do."""
    for name in ("conflicts", "manual"):
        yield from (f"  {_line(name, row)}" for row in document[name])


def _line(name: str, row: Document) -> str:
    """Returns a row of a document in one line."""
    if name == "changes":
        return f"{SIGNS.get(row['action'], '?')} {row['action']} {item_text(row)}"
    if name == "extras":
        message = row.get("message")
        return f"= extra: {item_text(row)}: {message}" if message else f"= extra, kept: {item_text(row)}"
    sign = "! conflict" if name == "conflicts" else "* by hand"
    return f"{sign}: {item_text(row)}: {row['message']}"


def item_text(item: Document) -> str:
    """Names an item by its kind, its name and its parent."""
    parent = f" in {item['parent']}" if item.get("parent") else ""
    return f"{item['kind']} {item['name']!r}{parent}"


def field_texts(change: Mapping[str, Any]) -> Iterator[str]:
    """Yields the values of a change, attribute by attribute: `name: old -> new`."""
    for name, (old, new) in sorted(change["fields"].items()):
        yield f"{name}: {json_text(old)} -> {json_text(new)}"


def json_text(value: Any) -> str:
    return "(none)" if value is None else json.dumps(value, ensure_ascii=False)
