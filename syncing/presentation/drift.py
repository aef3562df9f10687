"""Drift as text: the table of accounts, then what differs in each, as it can be named to --accept."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from syncing.presentation.tables import table

Document = Mapping[str, Any]
HEAD = ("account", "state", "differences", "master", "slave", "both", "unknown", "extras", "exceptions", "checked")
SIGNS = {"create": "+", "update": "~", "delete": "-", "extra": "="}
CAUSES = {
    "master": "the master moved on",
    "slave": "edited in the account",
    "both": "both changed",
    "unknown": "cause unknown",
}


def drift_report(accounts: Sequence[Document]) -> str:
    """All accounts for a person, those that have something to tell at length."""
    parts = [table(HEAD, [_row(account) for account in accounts])]
    parts += ["\n".join(lines) for account in accounts if (lines := list(_told(account)))]
    return "\n\n".join([*parts, _summary(accounts)])


def _summary(accounts: Sequence[Document]) -> str:
    states = [account["state"] for account in accounts]
    counts = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
    return f"{len(accounts)} accounts: {counts}" if accounts else "No accounts."


def _row(account: Document) -> tuple[Any, ...]:
    causes = account["causes"] or dict.fromkeys(CAUSES, "")
    return (
        account["subdomain"],
        account["state"],
        "" if account["count"] is None else account["count"],
        *(causes[cause] for cause in CAUSES),
        "" if account["extras"] is None else account["extras"],
        len(account["accepted"]),
        (account["checked_at"] or "never")[:16].replace("T", " "),
    )


def _told(account: Document) -> Iterator[str]:
    if account["differences"] or account["accepted"]:
        yield f"{account['subdomain']}:"
    for row in account["differences"]:
        yield f"  {SIGNS.get(row['action'], '?')} {_named(row)}  [{_address(row)}]"
        if row["attribute"]:
            yield f"      {row['attribute']}: master {_value(row['ours'])}, account {_value(row['theirs'])}"
        if row["action"] != "extra":
            yield f"      {CAUSES[row['cause']]}, first seen {row['first_seen'][:16].replace('T', ' ')}"
    for each in account["accepted"]:
        what = each["attribute"] or "whole item"
        yield f"  exception {each['id']}: {_named(each)}, {what}: {each['reason']}"


def _address(row: Document) -> str:
    """As --accept takes it."""
    return ":".join(part for part in (row["kind"], row["key"], row["attribute"]) if part)


def _named(item: Document) -> str:
    parent = f" in {item['parent']}" if item["parent"] else ""
    return f"{item['kind']} {item['name']!r}{parent}"


def _value(value: Any) -> str:
    return "(none)" if value is None else json.dumps(value, ensure_ascii=False)
