"""Reads for the dashboard: accounts, groups with their last run, history, and success per account."""

from collections import defaultdict
from dataclasses import dataclass

from django.db.models import Count, F, Q, Subquery, Window, prefetch_related_objects
from django.db.models.functions import Coalesce, RowNumber
from django.utils import timezone

from accounts import expiry
from accounts.models import HEALTH_FINE, NEEDS_CONNECTING, SECRETS, Account, SyncGroup, pause_is_on
from syncing.models import ACCOUNT_GOOD, ACCOUNT_OPEN, RUN_OPEN, AccountRun, AccountState, SyncRun
from syncing.presentation.holds import frozen_sentence, paused_sentence
from syncing.selectors.automation import AutomationState, sentence
from syncing.selectors.drift import DriftSummary, drift_summary
from syncing.selectors.runs import RunProgress, StateCount, last_runs, progress_of, state_counts, with_last_run

HISTORY = 20
RUNS_PER_ACCOUNT = 10
# Older runs than this do not count for the success share: the table stays quick however long it has run.
RUNS_LOOKED_AT = 200
NOT_JUDGED = (AccountState.SKIPPED, AccountState.CANCELLED)


@dataclass(frozen=True)
class Overview:
    """All accounts by role, health, the state of their last run, and drift."""

    total: int
    masters: int
    slaves: int
    paused: int
    expiring: int
    lost: int  # need connecting
    unwell: int  # need somebody, those among them
    health: tuple[StateCount, ...]
    states: tuple[StateCount, ...]
    never_run: int
    drift: DriftSummary


@dataclass(frozen=True)
class RunLine:
    run: SyncRun
    progress: RunProgress


@dataclass(frozen=True)
class GroupBoard:
    group: SyncGroup
    master: Account | None
    slaves: int
    last: RunLine | None
    automation: str  # what happens there by itself
    held: str  # that it is paused or frozen, and until when; "" for neither

    @property
    def ready(self) -> bool:
        return self.master is not None and self.slaves > 0


@dataclass(frozen=True)
class SuccessShare:
    """One account's last runs, youngest last; `percent` is None while none can be judged."""

    account_id: int
    name: str
    account_runs: tuple[tuple[int, str, str], ...]  # run id, state, label

    @property
    def percent(self) -> int | None:
        judged = [state for _, state, _ in self.account_runs if state not in NOT_JUDGED]
        good = sum(state in ACCOUNT_GOOD for state in judged)
        return 100 * good // len(judged) if judged else None


def overview() -> Overview:
    """Counts all accounts by role, health, drift and the state of their last run."""
    conditions = {
        "masters": Q(role=Account.Role.MASTER),
        "slaves": Q(role=Account.Role.SLAVE),
        "paused": pause_is_on(),
        "expiring": expiry.expiring(timezone.now()),
        "lost": NEEDS_CONNECTING,
        "unwell": NEEDS_CONNECTING | ~Q(health__in=HEALTH_FINE),
        **{f"health_{value}": Q(health=value) for value in Account.Health.values},
    }
    counts = Account.objects.aggregate(
        total=Count("pk"), **{name: Count("pk", filter=condition) for name, condition in conditions.items()}
    )
    health = {value: counts.pop(f"health_{value}") for value in Account.Health.values}
    slaves = with_last_run(Account.objects.filter(role=Account.Role.SLAVE).order_by())
    states = {state or "": count for state, count in slaves.values_list("last_state").annotate(n=Count("pk"))}
    return Overview(
        **counts,
        health=state_counts(health, Account.Health),
        states=state_counts(states),
        never_run=states.get("", 0),
        drift=drift_summary(),
    )


def boards_and_history(automation: AutomationState) -> tuple[list[GroupBoard], list[RunLine]]:
    """Returns every group with its last run, and the last runs of all groups, the youngest first."""
    last, recent = last_runs(), list(SyncRun.objects.select_related("group", "requested_by")[:HISTORY])
    progress = progress_of([*last, *recent])
    lines = {run.group_id: RunLine(run, progress[run.pk]) for run in last}
    is_slave = Account.objects.filter(role=Account.Role.SLAVE).order_by()
    counts = dict(is_slave.values_list("group").annotate(n=Count("pk")))
    masters = Account.objects.filter(role=Account.Role.MASTER).defer(*SECRETS)
    master_of = {account.group_id: account for account in masters}
    prefetch_related_objects(list(automation.groups), "windows")
    boards = [
        GroupBoard(
            group=group,
            master=master_of.get(group.pk),
            slaves=counts.get(group.pk, 0),
            last=lines.get(group.pk),
            automation=sentence(group, automation),
            held=paused_sentence(group) or frozen_sentence(group, automation.moment),
        )
        for group in automation.groups
    ]
    return boards, [RunLine(run, progress[run.pk]) for run in recent]


def success_shares() -> list[SuccessShare]:
    """Returns every slave that has run, with its last ten ended runs, the worst first."""
    runs_back = SyncRun.objects.order_by("-pk").values("pk")[RUNS_LOOKED_AT : RUNS_LOOKED_AT + 1]
    rank = Window(RowNumber(), partition_by=F("account"), order_by=F("pk").desc())
    ended = AccountRun.objects.exclude(state__in=ACCOUNT_OPEN).filter(run__gt=Coalesce(Subquery(runs_back), 0))
    last = ended.annotate(rank=rank).filter(rank__lte=RUNS_PER_ACCOUNT).order_by("pk")
    account_runs: dict[tuple[int, str], list[tuple[int, str, str]]] = defaultdict(list)
    labels = dict(AccountState.choices)
    columns = ("account", "account__name", "account__subdomain", "run", "state")
    for account_id, name, subdomain, run_id, state in last.values_list(*columns):
        account_runs[account_id, name or subdomain].append((run_id, state, str(labels.get(state, state))))
    shares = [SuccessShare(account_id, name, tuple(runs)) for (account_id, name), runs in account_runs.items()]
    return sorted(shares, key=lambda share: (share.percent is None, share.percent or 0, share.name))


def open_runs() -> list[bool]:
    """Tells of every run that waits or runs if it is the workers' (or else a command's)."""
    return list(SyncRun.objects.filter(state__in=RUN_OPEN).values_list("queued_to_workers", flat=True))
