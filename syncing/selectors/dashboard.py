"""Reads for the overview: what runs now, the last runs, groups with what happens there by itself."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Window
from django.db.models.functions import Coalesce, RowNumber

from accounts.models import SyncGroup
from syncing.models import (
    ACCOUNT_GOOD,
    ACCOUNT_OPEN,
    RUN_OPEN,
    AccountRun,
    AccountState,
    RunMode,
    RunPurpose,
    RunState,
    SyncRun,
)
from syncing.presentation.labels import time_left
from syncing.selectors.automation import AutomationState, sentence
from syncing.selectors.runs import RunProgress, progress_of

HISTORY = 8
RUNS_PER_ACCOUNT = 10
SYNCED = (RunState.SUCCEEDED, RunState.PARTIAL)  # as the state of a run: some account was written
# Older runs than this do not count for the success share: the table stays quick however long it has run.
RUNS_LOOKED_AT = 200
NOT_JUDGED = (AccountState.SKIPPED, AccountState.CANCELLED)


@dataclass(frozen=True)
class RunLine:
    run: SyncRun
    progress: RunProgress

    @property
    def left(self) -> str:
        """Says how long the run will take yet, as fast as it went so far; "" while nobody can know."""
        run, progress = self.run, self.progress
        if run.state != RunState.RUNNING or run.wave_held or run.rests_until or run.started_at is None:
            return ""
        return time_left(run.started_at, progress.done, progress.total)


@dataclass(frozen=True)
class ShownRuns:
    """The runs of the overview: those that wait or run, the last ones of all, and the last one of each group.

    `last_sync`: of each group the last one that was no check, no rollback and the like; `any_synced`: some run wrote.
    """

    open: Sequence[RunLine]
    recent: Sequence[RunLine]
    last: Mapping[int, RunLine]
    last_sync: Mapping[int, SyncRun]
    any_synced: bool

    @property
    def wait_for_workers(self) -> bool:
        return any(line.run.queued_to_workers for line in self.open)


@dataclass(frozen=True)
class GroupBoard:
    group: SyncGroup
    master: Any  # an account, or None
    slaves: int
    last: RunLine | None
    automation: str  # what happens there by itself

    @property
    def ready(self) -> bool:
        return self.master is not None and self.slaves > 0


@dataclass(frozen=True)
class SuccessShare:
    """One account's last syncs, youngest last; `percent` is None while none can be judged."""

    account_id: int
    name: str
    account_runs: tuple[tuple[int, str, str], ...]  # run id, state, label

    @property
    def counts(self) -> list[tuple[str, str, int]]:
        """Returns how many of them ended how: state, label, number."""
        numbers = Counter((state, label) for _, state, label in self.account_runs)
        return [(state, label, count) for (state, label), count in numbers.most_common()]

    @property
    def percent(self) -> int | None:
        judged = [state for _, state, _ in self.account_runs if state not in NOT_JUDGED]
        good = sum(state in ACCOUNT_GOOD for state in judged)
        return 100 * good // len(judged) if judged else None


def shown_runs() -> ShownRuns:
    """Returns the runs of the overview with their progress, the youngest first, in two queries."""
    recent = SyncRun.objects.order_by("-pk").values("pk")[:HISTORY]
    syncs = SyncRun.objects.filter(purpose=RunPurpose.SYNC)
    wanted = Q(state__in=RUN_OPEN) | Q(pk__in=recent) | Q(pk__in=_last_of_groups(SyncRun.objects.all()))
    listed = SyncRun.objects.filter(wanted | Q(pk__in=_last_of_groups(syncs))).select_related("group").order_by("-pk")
    wrote = Exists(syncs.filter(mode=RunMode.APPLY, state__in=SYNCED))
    runs: list[Any] = list(listed.annotate(any_synced=wrote))
    progress = progress_of(runs)
    lines = [RunLine(run, progress[run.pk]) for run in runs]
    return ShownRuns(
        open=[line for line in lines if line.run.is_open],
        recent=lines[:HISTORY],
        last={line.run.group_id: line for line in reversed(lines)},
        last_sync={run.group_id: run for run in reversed(runs) if run.purpose == RunPurpose.SYNC},
        any_synced=any(run.any_synced for run in runs),
    )


def _last_of_groups(runs: QuerySet[SyncRun]) -> QuerySet[Any, Any]:
    """Returns the ids of the youngest of these runs in each group."""
    youngest = runs.filter(group=OuterRef("pk")).order_by("-pk").values("pk")[:1]
    return SyncGroup.objects.order_by().annotate(last=Subquery(youngest)).values("last")


def boards(accounts: Sequence[Any], runs: ShownRuns, automation: AutomationState) -> list[GroupBoard]:
    """Returns every group with its last run; `accounts` are all that there are."""
    masters = {account.group_id: account for account in accounts if account.role == account.Role.MASTER}
    slaves: dict[int, int] = defaultdict(int)
    for account in accounts:
        slaves[account.group_id] += account.role == account.Role.SLAVE
    return [
        GroupBoard(group, masters.get(group.pk), slaves[group.pk], runs.last.get(group.pk), sentence(group, automation))
        for group in automation.groups
    ]


def success_shares() -> list[SuccessShare]:
    """Returns every slave that was synced, with its last ten ended syncs, the worst first.

    A plan or a check brings no account nearer to its master: it counts neither for nor against it.
    """
    runs_back = SyncRun.objects.order_by("-pk").values("pk")[RUNS_LOOKED_AT : RUNS_LOOKED_AT + 1]
    rank = Window(RowNumber(), partition_by=F("account"), order_by=F("pk").desc())
    syncs = AccountRun.objects.filter(run__mode=RunMode.APPLY, run__gt=Coalesce(Subquery(runs_back), 0))
    ended = syncs.exclude(state__in=ACCOUNT_OPEN)
    last = ended.annotate(rank=rank).filter(rank__lte=RUNS_PER_ACCOUNT).order_by("pk")
    account_runs: dict[tuple[int, str], list[tuple[int, str, str]]] = defaultdict(list)
    labels = dict(AccountState.choices)
    columns = ("account", "account__name", "account__subdomain", "run", "state")
    for account_id, name, subdomain, run_id, state in last.values_list(*columns):
        account_runs[account_id, name or subdomain].append((run_id, state, str(labels.get(state, state))))
    shares = [SuccessShare(account_id, name, tuple(runs)) for (account_id, name), runs in account_runs.items()]
    return sorted(shares, key=lambda share: (share.percent is None, share.percent or 0, share.name))
