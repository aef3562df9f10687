"""Drift as text: the table of accounts, then the differences of each, with the address that --accept takes."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from syncing.presentation.plans import item_text, json_text
from syncing.presentation.tables import table

Document = Mapping[str, Any]
HEAD = ("account", "state", "differences", "master", "slave", "both", "unknown", "extras", "exceptions", "checked")
SIGNS = {"create": "+", "update": "~", "delete": "-", "extra": "="}
CAUSES = {
    "master": "the master moved on",
    "slave": "edited in the account",
    "both": "both changed",
    "unknown": "never equal so far",
}


def drift_report(accounts: Sequence[Document]) -> str:
    """Returns the text about all accounts; those with differences or exceptions follow at length."""
    details = ["\n".join(lines) for account in accounts if (lines := list(_details(account)))]
    counts = Counter(account["state"] for account in accounts)
    states = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    summary = f"{len(accounts)} accounts: {states}" if accounts else "No accounts."
    rows = []
    for account in accounts:
        causes = account["causes"] or dict.fromkeys(CAUSES, "")
        rows.append(
            (
                account["subdomain"],
                account["state"],
                "" if account["count"] is None else account["count"],
                *(causes[cause] for cause in CAUSES),
                "" if account["extras"] is None else account["extras"],
                len(account["accepted"]),
                (account["checked_at"] or "never")[:16].replace("T", " "),
            )
        )
    return "\n\n".join([table(HEAD, rows), *details, summary])


def _details(account: Document) -> Iterator[str]:
    """Yields the lines about one account: its differences with their causes, then its exceptions."""
    if account["differences"] or account["accepted"]:
        yield f"{account['subdomain']}:"
    for row in account["differences"]:
        address = ":".join(filter(None, (row["kind"], row["key"], row["attribute"])))
        yield f"  {SIGNS.get(row['action'], '?')} {item_text(row)}  [{address}]"
        if row["attribute"]:
            yield f"      {row['attribute']}: master {json_text(row['ours'])}, account {json_text(row['theirs'])}"
        if row["action"] != "extra":
            yield f"      {CAUSES[row['cause']]}, first seen {row['first_seen'][:16].replace('T', ' ')}"
    for exception in account["accepted"]:
        scope = exception["attribute"] or "whole item"
        yield f"  exception {exception['id']}: {item_text(exception)}, {scope}: {exception['reason']}"
