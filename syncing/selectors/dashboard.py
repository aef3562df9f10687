"""What the dashboard shows: accounts, groups with their last run, history, and success per account."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from django.db.models import Count, F, Q, Window
from django.db.models.functions import RowNumber

from accounts.models import Account, SyncGroup
from syncing.models import ACCOUNT_GOOD, ACCOUNT_OPEN, RUN_OPEN, AccountRun, AccountState, SyncRun
from syncing.selectors.runs import (
    SECRETS,
    Progress,
    StateCount,
    last_runs,
    progress_of,
    state_counts,
    with_last_run,
)

HISTORY = 20
RUNS_PER_ACCOUNT = 10
# Older runs than this do not count for the success share: the table stays quick however long it has run.
RUNS_LOOKED_AT = 200
FINE = (Account.Health.UNKNOWN, Account.Health.CONNECTED)
NOT_JUDGED = (AccountState.SKIPPED, AccountState.CANCELLED)


@dataclass(frozen=True)
class Overview:
    """All accounts by role, health, and the state of their last run."""

    total: int
    masters: int
    slaves: int
    paused: int
    health: tuple[StateCount, ...]
    states: tuple[StateCount, ...]
    never_run: int

    @property
    def unwell(self) -> int:
        return sum(entry.count for entry in self.health if entry.state not in FINE)


@dataclass(frozen=True)
class RunLine:
    run: SyncRun
    progress: Progress


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
class Share:
    """One account's last runs, youngest last; `percent` is None while none can be judged."""

    account: Account
    parts: tuple[tuple[int, str, str], ...]  # run id, state, label
    percent: int | None


def overview() -> Overview:
    roles: Counter[str] = Counter()
    health: Counter[str] = Counter()
    paused = 0
    rows = Account.objects.order_by().values_list("role", "health", "paused").annotate(n=Count("pk"))
    for role, condition, is_paused, count in rows:
        roles[role] += count
        health[condition] += count
        paused += count if is_paused else 0
    states = _last_states()
    return Overview(
        total=sum(roles.values()),
        masters=roles[Account.Role.MASTER],
        slaves=roles[Account.Role.SLAVE],
        paused=paused,
        health=tuple(
            StateCount(entry.value, str(entry.label), health[entry.value])
            for entry in Account.Health
            if health[entry.value]
        ),
        states=state_counts(states),
        never_run=states.get("", 0),
    )


def _last_states() -> dict[str, int]:
    slaves = with_last_run(Account.objects.filter(role=Account.Role.SLAVE).order_by())
    rows = slaves.values_list("last_state").annotate(n=Count("pk"))
    return {state or "": count for state, count in rows}


def group_boards() -> list[GroupBoard]:
    is_slave = Q(accounts__role=Account.Role.SLAVE)
    groups = SyncGroup.objects.annotate(slaves=Count("accounts", filter=is_slave))
    masters = Account.objects.filter(role=Account.Role.MASTER).defer(*SECRETS)
    master_of = {account.group_id: account for account in masters}
    last_of = {line.run.group_id: line for line in _lines(last_runs())}
    return [GroupBoard(group, master_of.get(group.pk), group.slaves, last_of.get(group.pk)) for group in groups]


def history(limit: int = HISTORY) -> list[RunLine]:
    return _lines(list(SyncRun.objects.select_related("group", "requested_by")[:limit]))


def _lines(runs: list[SyncRun]) -> list[RunLine]:
    progress = progress_of(runs)
    return [RunLine(run, progress[run.pk]) for run in runs]


def shares() -> list[Share]:
    """Every slave with its last ten runs, the worst first."""
    parts: dict[int, list[tuple[int, str, str]]] = defaultdict(list)
    labels = dict(AccountState.choices)
    for account_id, run_id, state in _last_parts():
        parts[account_id].append((run_id, state, str(labels.get(state, state))))
    accounts = Account.objects.filter(role=Account.Role.SLAVE).defer(*SECRETS)
    lines = [_share(account, parts[account.pk]) for account in accounts if account.pk in parts]
    return sorted(lines, key=lambda line: (line.percent is None, line.percent or 0, line.account.subdomain))


def _share(account: Account, parts: list[tuple[int, str, str]]) -> Share:
    judged = [state for _, state, _ in parts if state not in NOT_JUDGED]
    good = sum(state in ACCOUNT_GOOD for state in judged)
    return Share(account, tuple(parts), 100 * good // len(judged) if judged else None)


def _last_parts() -> list[tuple[int, int, str]]:
    """(account, run, state) of the last ten finished account runs of every account, oldest first."""
    oldest = SyncRun.objects.order_by("-pk").values_list("pk", flat=True)[:RUNS_LOOKED_AT]
    first = min(oldest, default=0)
    rank = Window(RowNumber(), partition_by=F("account"), order_by=F("pk").desc())
    ended = AccountRun.objects.filter(run__gte=first).exclude(state__in=ACCOUNT_OPEN)
    youngest = ended.annotate(rank=rank).filter(rank__lte=RUNS_PER_ACCOUNT)
    return list(youngest.order_by("pk").values_list("account", "run", "state"))


def is_busy() -> bool:
    """True while a run waits or runs."""
    return SyncRun.objects.filter(state__in=RUN_OPEN).exists()


def waits_for_workers() -> bool:
    """True while a run is open that no command works by itself."""
    return SyncRun.objects.filter(state__in=RUN_OPEN, queued_to_workers=True).exists()
