"""Reads of the log of a run, object by object, as a page and a file show it."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.utils.translation import get_language

from accounts.own_words import SOURCE, translated
from accounts.text_search import any_finds, is_in
from syncing.models import LogEntry, SyncRun
from syncing.presentation.labels import ACTIONS, KINDS
from syncing.presentation.log_lines import log_text
from syncing.selectors.filters import ListFilters, one_of

HEAD = ("time", "account", "level", "action", "kind", "item", "parent", "outcome", "message")
AT_ONCE = 2000  # rows in memory
MOST_MESSAGES = 500  # that are looked through in another language
ACCOUNT = "account_run__account"
COLUMNS = ("level", "action", "kind")


@dataclass(frozen=True)
class RunLogFilters(ListFilters):
    """What somebody looks for. `account`: a subdomain."""

    level: str = one_of(*LogEntry.Level.values)
    action: str = one_of(*ACTIONS)
    kind: str = one_of(*KINDS)
    account: str = ""
    sort: str = one_of("newest")


def found_entries(run: SyncRun, filters: RunLogFilters) -> QuerySet[LogEntry]:
    """Returns the entries in the order in which they were written, or the other way round."""
    wanted = {name: value for name in COLUMNS if (value := getattr(filters, name))}
    entries = LogEntry.objects.filter(run=run, **wanted).order_by("-pk" if filters.sort else "pk")
    if filters.account:
        entries = entries.filter(account_run__account__subdomain=filters.account)
    if filters.q:
        named = any_finds(filters.q, "name", "message")
        entries = entries.filter(named | Q(message__in=_read_as(entries, filters.q)))
    names = (f"{ACCOUNT}__{column}" for column in ("name", "subdomain"))
    return entries.select_related(ACCOUNT).only(*(field.name for field in LogEntry._meta.fields), *names)


def _read_as(entries: QuerySet[LogEntry], text: str) -> list[str]:
    """Returns the messages of which the reader's language has `text`."""
    if get_language() == SOURCE:
        return []
    messages = entries.exclude(message="").order_by().values_list("message", flat=True).distinct()[:MOST_MESSAGES]
    return [message for message in messages if is_in(text, translated(message))]


def log_rows(entries: QuerySet[LogEntry]) -> Iterator[tuple[str, ...]]:
    """Yields cells as text, under `HEAD`."""
    for entry in entries.iterator(chunk_size=AT_ONCE):
        account = entry.account_run.account.subdomain if entry.account_run else ""
        parent = str(entry.details.get("parent") or "")
        item = (entry.action, entry.kind, entry.name, parent, entry.code if entry.kind else "")
        yield (entry.at.isoformat(timespec="seconds"), account, entry.level, *item, log_text(entry))
