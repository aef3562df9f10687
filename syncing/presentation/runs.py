"""A run document as text: the table of accounts, the plans, and what is wrong."""

from collections.abc import Iterator, Mapping
from typing import Any

from syncing.presentation.plans import named, plan_blocks, remarks
from syncing.presentation.tables import table

Document = Mapping[str, Any]
HEAD = ("account", "state", "created", "updated", "deleted", "adopted", "requests", "reason")


def run_report(document: Document) -> str:
    """The whole document for a person; each distinct plan once, with every change, field by field."""
    parts = [table(HEAD, [_row(account) for account in document["accounts"]])]
    parts += plan_blocks([account for account in document["accounts"] if _is_plan(document, account)])
    parts += ["\n".join(_problems(document))] if any(_problems(document)) else []
    return "\n\n".join([*parts, summary(document)])


def _is_plan(document: Document, account: Document) -> bool:
    """Nothing of it was written: the run only looked, or refused this account."""
    return bool(document["mode"] == "plan" or account["state"] == "refused")


def summary(document: Document) -> str:
    """One line: the run, its state, how many accounts ended how, how long it took."""
    states = ", ".join(f"{count} {state}" for state, count in document["totals"].items() if count)
    why = f" ({document['reason']})" if document["reason"] else ""
    return f"Run {document['run']}: {document['state']}{why}: {states or 'no accounts'}, {document['duration_s']} s"


def _row(account: Document) -> tuple[Any, ...]:
    counts = (account[name] for name in ("created", "updated", "deleted", "adopted", "requests"))
    return (account["subdomain"], account["state"], *counts, account["reason"] or "")


def _problems(document: Document) -> Iterator[str]:
    """What somebody has to look at; conflicts of a plan are shown with it."""
    if document["error"]:
        yield _error(document["error"])
    for account in document["accounts"]:
        if account["error"] and account["error"] != document["error"]:
            yield f"{account['subdomain']}: {_error(account['error'])}"
        if account["note"]:
            yield f"{account['subdomain']}: {account['note']}"
        if not _is_plan(document, account):
            yield from _unfinished(account)


def _unfinished(account: Document) -> Iterator[str]:
    wrong = [change for change in account["changes"] if change["outcome"] in ("failed", "unverified", "skipped")]
    said = list(remarks(account))
    if wrong or said:
        yield f"{account['subdomain']}:"
    for change in wrong:
        yield f"  {change['outcome']}: {change['action']} {named(change)} {change.get('message', '')}".rstrip()
    yield from said


def _error(error: Document) -> str:
    return f"{error['message'].rstrip('.')}. {error['remedy']}".strip()
