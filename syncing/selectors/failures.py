"""Reads of what a run did not do: the accounts that are not good, together by why."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext

from accounts.own_words import translated
from syncing.models import AccountRun, AccountState, SyncRun
from syncing.presentation.explanations import reason_label, reason_remedy, reason_sentence, state_sentence
from syncing.presentation.labels import account_state_label

# The worst first.
NOT_GOOD = (
    AccountState.FAILED,
    AccountState.REFUSED,
    AccountState.PARTIAL,
    AccountState.SKIPPED,
    AccountState.CANCELLED,
)
PAUSED = "paused"
NAMED = 6  # accounts that a failure names; the others are a click away
COLUMNS = ("pk", "account_id", "account__name", "account__subdomain", "state", "reason", "error", "note")


@dataclass(frozen=True)
class FailedAccount:
    """An account that is not good; `message`: its own error, "" where the accounts of the failure share it."""

    account_run_id: int
    account_id: int
    name: str
    message: str


@dataclass(frozen=True)
class Failure:
    """All accounts of a run that ended in the same state for the same reason; `accounts` are the first of them."""

    state: str
    reason: str
    count: int
    accounts: tuple[FailedAccount, ...]
    ids: tuple[int, ...]  # of the accounts
    message: str  # if all of them have the same
    own_remedy: str  # the remedy of the error, if all of them have the same

    @property
    def is_untouched(self) -> bool:
        """Tells whether the run ended before these accounts: the reason is that of the run."""
        return self.state == AccountState.SKIPPED and self.reason != PAUSED

    @property
    def label(self) -> str:
        if self.is_untouched:
            return gettext("Not touched")
        return reason_label(self.reason) or account_state_label(self.state)

    @property
    def sentence(self) -> str:
        if self.is_untouched:
            return gettext("The run ended before it came to these accounts; what stopped it is told above.")
        return reason_sentence(self.reason) or state_sentence(self.state)

    @property
    def remedy(self) -> str:
        """Returns what to do in the words of the pages; the error's own are those of the command line."""
        return "" if self.is_untouched else reason_remedy(self.reason) or self.own_remedy

    @property
    def more(self) -> int:
        return self.count - len(self.accounts)


def failures_of(run: SyncRun, *, as_they_came: bool = False) -> list[Failure]:
    """Returns the failures, the worst state first and in it what concerns the most accounts; in one query.

    `as_they_came`: in the order in which they came instead, so that a new one moves none of those before it.
    """
    order = ("finished_at", "pk") if as_they_came else ("account__subdomain",)
    rows = AccountRun.objects.filter(run=run, state__in=NOT_GOOD).order_by(*order).values(*COLUMNS)
    together: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        together[row["state"], row["reason"]].append(row)
    failures = [_failure(state, reason, members) for (state, reason), members in together.items()]
    if as_they_came:
        return failures
    return sorted(failures, key=lambda each: (NOT_GOOD.index(AccountState(each.state)), -each.count, each.reason))


def _failure(state: str, reason: str, rows: list[dict[str, Any]]) -> Failure:
    shared = _shared([_message(row) for row in rows])
    return Failure(
        state=state,
        reason=reason,
        count=len(rows),
        accounts=tuple(_failed_account(row, shared) for row in rows[:NAMED]),
        ids=tuple(row["account_id"] for row in rows),
        message=shared,
        own_remedy=_shared([_error(row, "remedy") for row in rows]),
    )


def _failed_account(row: dict[str, Any], shared: str) -> FailedAccount:
    name = row["account__name"] or row["account__subdomain"]
    message = "" if shared else _message(row)
    return FailedAccount(row["pk"], row["account_id"], name, message)


def _message(row: dict[str, Any]) -> str:
    return _error(row, "message") or translated(row["note"])


def _error(row: dict[str, Any], name: str) -> str:
    return translated((row["error"] or {}).get(name, ""))


def _shared(texts: list[str]) -> str:
    """Returns the text that all have; "" when they differ."""
    return texts[0] if len(set(texts)) == 1 else ""
