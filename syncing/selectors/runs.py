"""Reads about runs: how far they are, and how they ended."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.models import Case, Count, OuterRef, QuerySet, Subquery, When
from django.db.models.functions import Coalesce

from accounts.models import RELATED_SECRETS, Account, SyncGroup
from syncing.models import (
    ACCOUNT_OPEN,
    AccountRun,
    AccountState,
    SyncRun,
)
from syncing.selectors.filters import ListFilters, one_of

RANKS = {AccountState.FAILED: 0, AccountState.REFUSED: 1, AccountState.PARTIAL: 2, AccountState.RUNNING: 3}
WORST_FIRST = Case(*(When(state=state, then=rank) for state, rank in RANKS.items()), default=4)


@dataclass(frozen=True)
class StateCount:
    state: str
    label: str
    count: int


@dataclass(frozen=True)
class RunProgress:
    """The number of accounts of a run that have ended, and the states of all."""

    done: int
    total: int
    states: tuple[StateCount, ...]

    @property
    def percent(self) -> int:
        return 100 * self.done // self.total if self.total else 0


def state_counts(counts: Mapping[str, int], states: type[models.TextChoices] = AccountState) -> tuple[StateCount, ...]:
    """Returns the counts in the order of `states`, empty ones left out."""
    return tuple(
        StateCount(state.value, str(state.label), counts[state.value]) for state in states if counts.get(state.value)
    )


def progress_of(runs: Iterable[SyncRun]) -> dict[int, RunProgress]:
    """Returns the progress by run id, in one query."""
    counts: dict[int, dict[str, int]] = {run.pk: defaultdict(int) for run in runs}
    rows = AccountRun.objects.filter(run__in=list(counts)).order_by()
    for run_id, state, count in rows.values_list("run", "state").annotate(n=Count("pk")):
        counts[run_id][state] = count
    progress = {}
    for run_id, states in counts.items():
        total, still_open = sum(states.values()), sum(states.get(state, 0) for state in ACCOUNT_OPEN)
        progress[run_id] = RunProgress(done=total - still_open, total=total, states=state_counts(states))
    return progress


def with_progress(runs: QuerySet[SyncRun]) -> QuerySet[SyncRun]:
    """Adds `accounts_total` and `accounts_done`, counted only for the rows that are fetched."""
    account_runs = AccountRun.objects.filter(run=OuterRef("pk"))
    return runs.annotate(
        accounts_total=_counted(account_runs), accounts_done=_counted(account_runs.exclude(state__in=ACCOUNT_OPEN))
    )


def _counted(account_runs: QuerySet[AccountRun]) -> Coalesce:
    return Coalesce(Subquery(account_runs.order_by().values("run").annotate(n=Count("pk")).values("n")), 0)


def with_last_run(accounts: QuerySet[Account]) -> QuerySet[Any]:
    """Adds `last_state`, `last_reason` and `last_account_run` (the id) of the account's youngest account run."""
    account_runs = AccountRun.objects.filter(account=OuterRef("pk")).order_by("-pk")
    return accounts.annotate(
        last_state=Subquery(account_runs.values("state")[:1]),
        last_reason=Subquery(account_runs.values("reason")[:1]),
        last_account_run=Subquery(account_runs.values("pk")[:1]),
    )


@dataclass(frozen=True)
class AccountRunFilters(ListFilters):
    """What somebody looks for among the account runs of a run; `wave`: a number, which the run may not have."""

    state: str = one_of(*AccountState.values)
    reason: str = ""
    wave: str = ""


def account_runs_of(
    run: SyncRun, state: str = "", wave: int | None = None, reason: str = "", *, worst_first: bool = True
) -> QuerySet[AccountRun]:
    """Returns a run's account runs for a table (without their documents); `wave` is 1, 2, ..."""
    account_runs = run.account_runs.select_related("account").defer("document", *RELATED_SECRETS)
    order = ("rank", "account__subdomain") if worst_first else ("account__subdomain",)
    account_runs = account_runs.annotate(rank=WORST_FIRST).order_by(*order)
    account_runs = account_runs.filter(state=state) if state else account_runs
    account_runs = account_runs.filter(reason=reason) if reason else account_runs
    return account_runs if wave is None else account_runs.filter(wave=wave - 1)


def last_runs() -> list[SyncRun]:
    """Returns the youngest run of every group."""
    youngest = SyncRun.objects.filter(group=OuterRef("pk")).order_by("-pk").values("pk")[:1]
    ids = SyncGroup.objects.order_by().annotate(last=Subquery(youngest)).values("last")
    return list(SyncRun.objects.filter(pk__in=ids).select_related("group", "requested_by"))


# -- rows, for the API --


def listed_runs(
    group: SyncGroup | None = None, *, before: int | None = None, **wanted: str | None
) -> QuerySet[SyncRun]:
    """Returns the runs, the newest first; `wanted`: values of columns, None for any; `before`: those older than it."""
    columns = {"group": group, "pk__lt": before, **wanted}
    runs = SyncRun.objects.select_related("group").order_by("-pk")
    return runs.filter(**{name: value for name, value in columns.items() if value is not None})


def run_rows(runs: Sequence[SyncRun]) -> list[dict[str, Any]]:
    """Returns what a list tells of each of the runs, in one query; their groups have to be loaded."""
    progress = progress_of(runs)
    return [
        {
            "run": run.pk,
            **people_facts(run),
            "type": run.type,
            "mode": run.mode,
            "state": run.state,
            "reason": run.reason or None,
            "error": run.error,
            "trigger": run.trigger,
            "purpose": run.purpose,
            "group": run.group.name,
            "created_at": run.created_at,
            "started_at": run.started_at,
            "finished_at": run.finished_at,
            "done": progress[run.pk].done,
            "total": progress[run.pk].total,
            "totals": {entry.state: entry.count for entry in progress[run.pk].states},
        }
        for run in runs
    ]


def people_facts(run: SyncRun) -> dict[str, Any]:
    """Returns what people said about a run, for documents: its name, what it is for, why its plan was sent back."""
    sent_back = None
    if run.sent_back_at:
        facts = {"by": run.sent_back_by, "comment": run.sent_back_comment}
        sent_back = {"at": run.sent_back_at.isoformat(), **facts}
    return {
        "name": run.name or None,
        "why": run.wish or None,
        "requested_by": run.asked_by or None,
        "first_attempt": run.first_attempt_id,
        "sent_back": sent_back,
    }
