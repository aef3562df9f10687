"""The distinct plans of a run: grouped by the database, with one document loaded for each that is looked at."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Min, Q, QuerySet

from syncing.engine.grouping import (
    EMPTY_DIGEST,
    NUMBER,
    Document,
    PlanCounts,
    PlanDifference,
    common_content,
    plan_counts,
    plan_difference,
    rows,
)
from syncing.models import AccountRun, AccountState, RunMode, SyncRun

HAS_PLAN = (AccountState.PLANNED, AccountState.IN_SYNC, AccountState.PARTIAL, AccountState.REFUSED)
# In sync without a single remark: there is nothing to show of it.
QUIET = Q(state=AccountState.IN_SYNC, content_digest=EMPTY_DIGEST)
COLUMNS = ("pk", "content_digest", "state", "reason", "error", "account", "account__name", "account__subdomain")


@dataclass(frozen=True)
class ListedAccount:
    """An account of a run, as it is listed."""

    account_run_id: int
    digest: str
    state: str
    reason: str
    error: dict[str, str] | None
    account_id: int
    name: str
    subdomain: str

    def __str__(self) -> str:
        return self.name or self.subdomain

    def is_called(self, text: str) -> bool:
        return text in self.name.casefold() or text in self.subdomain.casefold()


@dataclass(frozen=True)
class CountedPlan:
    """The accounts with equal plans, as the database counts them."""

    digest: str
    size: int
    first: int  # the account run whose document is shown
    busy: int  # how many of them are not in sync


@dataclass(frozen=True)
class DistinctPlan:
    """One distinct plan of a run, and the accounts that have it."""

    digest: str
    members: tuple[ListedAccount, ...]
    document: Document
    example: ListedAccount  # whose document it is
    differs: PlanDifference | None = None  # from the most common plan

    @property
    def tally(self) -> PlanCounts:
        return plan_counts(self.document)

    @property
    def deletes(self) -> list[Any]:
        return [row for row in self.document.get("changes", ()) if row["action"] == "delete"]

    @property
    def refused(self) -> int:
        return sum(member.state == AccountState.REFUSED for member in self.members)

    @property
    def is_shared(self) -> bool:
        return len(self.members) > 1

    @property
    def speaks_for(self) -> ListedAccount | None:
        """Whose numbers the messages of the extras name, where other accounts may have others."""
        told = any(NUMBER.search(row.get("message") or "") for row in self.document.get("extras", ()))
        return self.example if told and self.is_shared else None

    @property
    def length(self) -> int:
        return sum(1 for _ in rows(self.document))


def with_plan(run: SyncRun) -> QuerySet[AccountRun]:
    """The accounts that have a plan to look at; of a run that writes, those that it refused to write."""
    states = HAS_PLAN if run.mode == RunMode.PLAN else (AccountState.REFUSED,)
    return AccountRun.objects.filter(run=run, state__in=states).exclude(content_digest="")


def counted_plans(account_runs: QuerySet[AccountRun]) -> list[CountedPlan]:
    """Those that are not in sync first, the most common foremost."""
    counted = (
        account_runs.order_by()
        .values("content_digest")
        .annotate(size=Count("pk"), first=Min("pk"), busy=Count("pk", filter=~Q(state=AccountState.IN_SYNC)))
    )
    found = [CountedPlan(row["content_digest"], row["size"], row["first"], row["busy"]) for row in counted]
    return sorted(found, key=lambda group: (not group.busy, -group.size, group.first))


def most_common(groups: Sequence[CountedPlan]) -> CountedPlan | None:
    """The plan of several accounts that are not in sync, the most common one: what others are compared with."""
    return groups[0] if groups and groups[0].busy and groups[0].size > 1 else None


def listed_accounts(account_runs: QuerySet[AccountRun]) -> list[ListedAccount]:
    """In the order of their subdomains."""
    return [ListedAccount(*row) for row in account_runs.order_by("account__subdomain").values_list(*COLUMNS)]


def load_plans(
    account_runs: QuerySet[AccountRun], groups: Sequence[CountedPlan], common: CountedPlan | None
) -> list[DistinctPlan]:
    """The plans of `groups`, each with its accounts among `account_runs`, compared with the `common` one."""
    firsts = {group.digest: group.first for group in (*groups, common) if group is not None}
    documents = dict(AccountRun.objects.filter(pk__in=firsts.values()).values_list("content_digest", "document"))
    members: dict[str, list[ListedAccount]] = defaultdict(list)
    for member in listed_accounts(account_runs.filter(content_digest__in=[group.digest for group in groups])):
        members[member.digest].append(member)
    return [
        DistinctPlan(
            digest=group.digest,
            members=tuple(members[group.digest]),
            document=common_content(documents[group.digest]) if group.size > 1 else documents[group.digest],
            example=next(member for member in members[group.digest] if member.account_run_id == group.first),
            differs=_difference(documents, group, common),
        )
        for group in groups
    ]


def _difference(
    documents: dict[str, Document], group: CountedPlan, common: CountedPlan | None
) -> PlanDifference | None:
    if common is None or group == common or not group.busy:
        return None
    return plan_difference(documents[group.digest], documents[common.digest])


def plan_of(run: SyncRun, digest: str) -> DistinctPlan | None:
    """The plan with this digest; None when no account of `run` has it."""
    account_runs = with_plan(run)
    groups = counted_plans(account_runs.exclude(QUIET))
    mine = counted_plans(account_runs.filter(content_digest=digest))
    found = load_plans(account_runs, mine, most_common(groups))
    return found[0] if found else None


def every_plan(run: SyncRun) -> list[DistinctPlan]:
    """All distinct plans of `run`, also those of accounts in sync."""
    account_runs = with_plan(run)
    return load_plans(account_runs, counted_plans(account_runs), None)


def unplanned(run: SyncRun, states: Iterable[str]) -> list[ListedAccount]:
    """The accounts of a plan run that have no plan, with the reason; only those in one of the `states`."""
    if run.mode != RunMode.PLAN:
        return []
    account_runs = AccountRun.objects.filter(run=run, state__in=list(states))
    return listed_accounts(account_runs.exclude(pk__in=with_plan(run).values("pk")))
