"""Reads of the attempts of a run: what was tried again of it, account by account, side by side."""

from dataclasses import dataclass

from django.db.models import Q

from syncing.models import AccountRun, SyncRun
from syncing.presentation.explanations import reason_label
from syncing.presentation.labels import account_state_label

MOST_ATTEMPTS = 6  # the youngest
MOST_ACCOUNTS = 100


@dataclass(frozen=True)
class Attempt:
    """How an account ended in one attempt."""

    run_id: int
    account_run_id: int
    state: str
    reason: str

    @property
    def label(self) -> str:
        return account_state_label(self.state)

    @property
    def why(self) -> str:
        return reason_label(self.reason)


@dataclass(frozen=True)
class TriedAccount:
    name: str
    attempts: tuple[Attempt | None, ...]  # None: not in this attempt


@dataclass(frozen=True)
class Attempts:
    """The attempts, the first one first; `more`: accounts that are not among `accounts`."""

    runs: tuple[SyncRun, ...]
    accounts: tuple[TriedAccount, ...]
    more: int


def attempts_of(run: SyncRun, account: int | None = None) -> Attempts | None:
    """Returns the attempts that `run` is one of, with the accounts that were tried again; None when none was.

    `account`: of this account alone, by its id. In two queries, or one.
    """
    first = run.first_attempt_id or run.pk
    youngest = SyncRun.objects.filter(Q(pk=first) | Q(first_attempt=first)).order_by("-pk")[:MOST_ATTEMPTS]
    runs = tuple(reversed(youngest))
    if len(runs) < 2:
        return None
    columns = ("run_id", "account_id", "account__name", "account__subdomain", "pk", "state", "reason")
    account_runs = AccountRun.objects.filter(run__in=runs, **({} if account is None else {"account": account}))
    rows = account_runs.order_by("account__subdomain").values_list(*columns)
    names: dict[int, str] = {}
    tried: dict[int, dict[int, Attempt]] = {}
    for run_id, account_id, name, subdomain, pk, state, reason in rows:
        names[account_id] = name or subdomain
        tried.setdefault(account_id, {})[run_id] = Attempt(run_id, pk, state, reason)
    tried_again = [account_id for account_id, each in tried.items() if len(each) > 1]
    if not tried_again:
        return None
    listed = [TriedAccount(names[each], tuple(tried[each].get(run.pk) for run in runs)) for each in tried_again]
    return Attempts(runs, tuple(listed[:MOST_ACCOUNTS]), max(0, len(listed) - MOST_ACCOUNTS))
