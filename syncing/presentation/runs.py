"""A run document as text: the table of accounts, the plans, and the problems."""

from collections.abc import Iterator, Mapping
from typing import Any

from syncing.presentation.plans import item_text, plan_blocks, remarks
from syncing.presentation.tables import table

Document = Mapping[str, Any]
HEAD = ("account", "state", "created", "updated", "deleted", "adopted", "requests", "reason")


def run_report(document: Document) -> str:
    """Returns the whole document for a person; each distinct plan once, with every change, field by field."""
    accounts = document["accounts"]
    rows = [
        (account["subdomain"], *(account[name] for name in HEAD[1:-1]), account["reason"] or "") for account in accounts
    ]
    plans = plan_blocks([account for account in accounts if _is_plan(document, account)])
    problems = "\n".join(_problems(document))
    return "\n\n".join([table(HEAD, rows), *plans, *filter(None, [problems]), summary(document)])


def _is_plan(document: Document, account: Document) -> bool:
    """Tells if nothing of it was written: the run only looked, or refused this account."""
    return bool(document["mode"] == "plan" or account["state"] == "refused")


def summary(document: Document) -> str:
    """Returns one line: the run, its state, how many accounts ended how, how long it took."""
    states = ", ".join(f"{count} {state}" for state, count in document["totals"].items() if count)
    why = f" ({document['reason']})" if document["reason"] else ""
    return f"Run {document['run']}: {document['state']}{why}: {states or 'no accounts'}, {document['duration_s']} s"


def _problems(document: Document) -> Iterator[str]:
    """Yields what somebody has to look at; conflicts of a plan are shown with it."""
    if document["error"]:
        yield _error(document["error"])
    for account in document["accounts"]:
        if account["error"] and account["error"] != document["error"]:
            yield f"{account['subdomain']}: {_error(account['error'])}"
        if account["note"]:
            yield f"{account['subdomain']}: {account['note']}"
        if _is_plan(document, account):
            continue
        undone = [change for change in account["changes"] if change["outcome"] in ("failed", "unverified", "skipped")]
        lines = [
            f"  {change['outcome']}: {change['action']} {item_text(change)} {change.get('message', '')}".rstrip()
            for change in undone
        ]
        if lines := [*lines, *remarks(account)]:
            yield from (f"{account['subdomain']}:", *lines)


def _error(error: Document) -> str:
    return f"{error['message'].rstrip('.')}. {error['remedy']}".strip()
