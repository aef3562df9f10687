"""A run document as text: the table of accounts, what is wrong, and every planned change."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from syncing.operations.tables import table

Document = Mapping[str, Any]
SIGNS = {"create": "+", "update": "~", "delete": "-"}
HEAD = ("account", "state", "created", "updated", "deleted", "adopted", "requests", "reason")


def run_report(document: Document) -> str:
    """The whole document for a person; a plan with every change, field by field."""
    parts = [table(HEAD, [_row(account) for account in document["accounts"]])]
    if document["mode"] == "plan":
        parts += ["\n".join(_plan(account)) for account in document["accounts"] if _has_plan(account)]
    parts += ["\n".join(_problems(document))] if any(_problems(document)) else []
    return "\n\n".join([*parts, summary(document)])


def summary(document: Document) -> str:
    """One line: the run, its state, how many accounts ended how, how long it took."""
    states = ", ".join(f"{count} {state}" for state, count in document["totals"].items() if count)
    why = f" ({document['reason']})" if document["reason"] else ""
    return f"Run {document['run']}: {document['state']}{why}: {states or 'no accounts'}, {document['duration_s']} s"


def _row(account: Document) -> tuple[Any, ...]:
    counts = (account[name] for name in ("created", "updated", "deleted", "adopted", "requests"))
    return (account["subdomain"], account["state"], *counts, account["reason"] or "")


def _has_plan(account: Document) -> bool:
    return any(account[name] for name in ("changes", "extras", "conflicts", "manual"))


def _plan(account: Document) -> Iterator[str]:
    yield f"{account['subdomain']}: {len(account['changes'])} changes"
    for change in account["changes"]:
        yield f"  {SIGNS.get(change['action'], '?')} {change['action']} {_named(change)}"
        for name, (old, new) in sorted(change["fields"].items()):
            yield f"      {name}: {_value(old)} -> {_value(new)}"
    for extra in account["extras"]:
        yield f"  = extra, kept: {_named(extra)}"
    yield from _remarks(account)


def _remarks(account: Document) -> Iterator[str]:
    for conflict in account["conflicts"]:
        yield f"  ! conflict: {_named(conflict)}: {conflict['message']}"
    for item in account["manual"]:
        yield f"  * by hand: {_named(item)}: {item['message']}"


def _problems(document: Document) -> Iterator[str]:
    """What somebody has to look at; conflicts of a plan are shown with it."""
    if document["error"]:
        yield _error(document["error"])
    for account in document["accounts"]:
        if account["error"] and account["error"] != document["error"]:
            yield f"{account['subdomain']}: {_error(account['error'])}"
        if account["note"]:
            yield f"{account['subdomain']}: {account['note']}"
        if document["mode"] != "plan":
            yield from _unfinished(account)


def _unfinished(account: Document) -> Iterator[str]:
    wrong = [change for change in account["changes"] if change["outcome"] in ("failed", "unverified", "skipped")]
    remarks = list(_remarks(account))
    if wrong or remarks:
        yield f"{account['subdomain']}:"
    for change in wrong:
        yield f"  {change['outcome']}: {change['action']} {_named(change)} {change.get('message', '')}".rstrip()
    yield from remarks


def _named(item: Document) -> str:
    parent = f" in {item['parent']}" if item.get("parent") else ""
    return f"{item['kind']} {item['name']!r}{parent}"


def _error(error: Document) -> str:
    return f"{error['message'].rstrip('.')}. {error['remedy']}".strip()


def _value(value: Any) -> str:
    return "(none)" if value is None else json.dumps(value, ensure_ascii=False)
