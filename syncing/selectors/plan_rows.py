"""The plans of a run as a table: a row for each account and change."""

from collections.abc import Iterator

from accounts.models import RELATED_SECRETS
from accounts.own_words import translated
from accounts.services.events import with_remedy
from accounts.text_search import is_in
from syncing.engine.grouping import DocumentRow, rows
from syncing.models import AccountRun, SyncRun
from syncing.presentation.plans import field_texts

HEAD = ("account", "name", "state", "plan", "what", "kind", "item", "parent", "fields", "outcome", "message")
WHAT = {"extras": "extra", "conflicts": "conflict", "manual": "by hand"}
SHORT = 12  # so much of a digest tells two plans apart
AT_ONCE = 20  # documents in memory


def plan_rows(run: SyncRun) -> Iterator[tuple[str, ...]]:
    """Yields cells as text, under `HEAD`. Every account has a row, also one about which there is nothing to say."""
    account_runs = AccountRun.objects.filter(run=run).select_related("account").defer(*RELATED_SECRETS)
    for account_run in account_runs.order_by("account__subdomain").iterator(chunk_size=AT_ONCE):
        account, error = account_run.account, account_run.error or {}
        problem = with_remedy(error.get("message", ""), error.get("remedy", "")) or account_run.note
        problem = translated(problem)
        known = (account.subdomain, account.name, account_run.state, account_run.content_digest[:SHORT])
        lines = []
        for name, row in rows(account_run.document):
            is_change = name == "changes"
            what, fields = (row["action"], "; ".join(field_texts(row))) if is_change else (WHAT[name], "")
            parent, message = row.get("parent") or "", translated(row.get("message") or "")
            lines.append((what, row["kind"], row["name"], parent, fields, row.get("outcome", ""), message))
        if problem or not lines:
            lines.insert(0, ("", "", "", "", "", "", problem))
        yield from ((*known, *cells) for cells in lines)


def row_mentions(row: DocumentRow, text: str) -> bool:
    """Tells whether the item's name, or its parent's, has `text` in it."""
    return is_in(text, *(str(row.get(key) or "") for key in ("name", "parent")))
