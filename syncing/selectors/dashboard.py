"""What the dashboard shows: accounts, groups with their last run, history, and success per account."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from django.db.models import Count, F, Q, Subquery, Window
from django.db.models.functions import Coalesce, RowNumber
from django.utils import timezone

from accounts import expiry
from accounts.models import HEALTH_FINE, NEEDS_CONNECTING, SECRETS, Account, SyncGroup
from syncing.models import ACCOUNT_GOOD, ACCOUNT_OPEN, RUN_OPEN, AccountRun, AccountState, SyncRun
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

    @property
    def ready(self) -> bool:
        return self.master is not None and self.slaves > 0


@dataclass(frozen=True)
class SuccessShare:
    """One account's last runs, youngest last; `percent` is None while none can be judged."""

    account_id: int
    name: str
    account_runs: tuple[tuple[int, str, str], ...]  # run id, state, label
    percent: int | None


def overview() -> Overview:
    roles: Counter[str] = Counter()
    health: Counter[str] = Counter()
    paused = expiring = lost = unwell = 0
    near = Count("pk", filter=expiry.expiring(timezone.now()))
    apart = Count("pk", filter=NEEDS_CONNECTING)
    bad = Count("pk", filter=NEEDS_CONNECTING | ~Q(health__in=HEALTH_FINE))
    rows = Account.objects.order_by().values_list("role", "health", "paused")
    for role, condition, is_paused, count, *numbers in rows.annotate(n=Count("pk"), near=near, apart=apart, bad=bad):
        roles[role] += count
        health[condition] += count
        paused += count if is_paused else 0
        expiring, lost, unwell = expiring + numbers[0], lost + numbers[1], unwell + numbers[2]
    states = _last_states()
    return Overview(
        total=sum(roles.values()),
        masters=roles[Account.Role.MASTER],
        slaves=roles[Account.Role.SLAVE],
        paused=paused,
        expiring=expiring,
        lost=lost,
        unwell=unwell,
        health=tuple(
            StateCount(entry.value, str(entry.label), health[entry.value])
            for entry in Account.Health
            if health[entry.value]
        ),
        states=state_counts(states),
        never_run=states.get("", 0),
        drift=drift_summary(),
    )


def _last_states() -> dict[str, int]:
    slaves = with_last_run(Account.objects.filter(role=Account.Role.SLAVE).order_by())
    rows = slaves.values_list("last_state").annotate(n=Count("pk"))
    return {state or "": count for state, count in rows}


def boards_and_history() -> tuple[list[GroupBoard], list[RunLine]]:
    """Every group with its last run, and the last runs of all groups, the youngest first."""
    last, recent = last_runs(), list(SyncRun.objects.select_related("group", "requested_by")[:HISTORY])
    progress = progress_of([*last, *recent])
    lines = {run.group_id: RunLine(run, progress[run.pk]) for run in last}
    return _boards(lines), [RunLine(run, progress[run.pk]) for run in recent]


def _boards(lines: dict[int, RunLine]) -> list[GroupBoard]:
    is_slave = Q(accounts__role=Account.Role.SLAVE)
    groups = SyncGroup.objects.annotate(slaves=Count("accounts", filter=is_slave))
    masters = Account.objects.filter(role=Account.Role.MASTER).defer(*SECRETS)
    master_of = {account.group_id: account for account in masters}
    return [GroupBoard(group, master_of.get(group.pk), group.slaves, lines.get(group.pk)) for group in groups]


def success_shares() -> list[SuccessShare]:
    """Every slave that has run, with its last ten runs, the worst first."""
    account_runs: dict[tuple[int, str, str], list[tuple[int, str, str]]] = defaultdict(list)
    labels = dict(AccountState.choices)
    for account_id, name, subdomain, run_id, state in _last_account_runs():
        account_runs[account_id, name, subdomain].append((run_id, state, str(labels.get(state, state))))
    lines = [_share(account_id, name or sub, found) for (account_id, name, sub), found in account_runs.items()]
    return sorted(lines, key=lambda line: (line.percent is None, line.percent or 0, line.name))


def _share(account_id: int, name: str, account_runs: list[tuple[int, str, str]]) -> SuccessShare:
    judged = [state for _, state, _ in account_runs if state not in NOT_JUDGED]
    good = sum(state in ACCOUNT_GOOD for state in judged)
    return SuccessShare(account_id, name, tuple(account_runs), 100 * good // len(judged) if judged else None)


def _last_account_runs() -> list[tuple[int, str, str, int, str]]:
    """(account, name, subdomain, run, state) of every account's last ten ended runs, oldest first."""
    runs_back = SyncRun.objects.order_by("-pk").values("pk")[RUNS_LOOKED_AT : RUNS_LOOKED_AT + 1]
    rank = Window(RowNumber(), partition_by=F("account"), order_by=F("pk").desc())
    ended = AccountRun.objects.exclude(state__in=ACCOUNT_OPEN).filter(run__gt=Coalesce(Subquery(runs_back), 0))
    youngest = ended.annotate(rank=rank).filter(rank__lte=RUNS_PER_ACCOUNT).order_by("pk")
    return list(youngest.values_list("account", "account__name", "account__subdomain", "run", "state"))


def open_runs() -> list[bool]:
    """For every run that waits or runs: does it wait for the workers (or is a command working it)?"""
    return list(SyncRun.objects.filter(state__in=RUN_OPEN).values_list("queued_to_workers", flat=True))
