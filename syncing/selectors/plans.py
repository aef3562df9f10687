"""The distinct plans of a run: grouped by the database, with one document loaded for each that is looked at."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Min, Q, QuerySet

from accounts.text_search import is_in
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
from syncing.engine.snapshot import Snapshot, from_document, unpacked
from syncing.models import (
    AccountRun,
    AccountState,
    MasterSnapshot,
    PromotionProposal,
    RunMode,
    SlaveSnapshot,
    SyncRun,
)

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
        return is_in(text, self.name, self.subdomain)


@dataclass(frozen=True)
class CountedPlan:
    """One distinct plan of a run, and how many accounts have it, as the database counts them."""

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
        """Returns the account whose numbers the messages of the extras name, where others may have other numbers."""
        has_numbers = any(NUMBER.search(row.get("message") or "") for row in self.document.get("extras", ()))
        return self.example if has_numbers and self.is_shared else None

    @property
    def length(self) -> int:
        return sum(1 for _ in rows(self.document))


def with_plan(run: SyncRun) -> QuerySet[AccountRun]:
    """Selects the account runs with a plan to look at; of a run that writes, those that it refused to write."""
    states = HAS_PLAN if run.mode == RunMode.PLAN else (AccountState.REFUSED,)
    return AccountRun.objects.filter(run=run, state__in=states).exclude(content_digest="")


def counted_plans(account_runs: QuerySet[AccountRun]) -> list[CountedPlan]:
    """Returns the distinct plans: of accounts that are not in sync first, the most common foremost."""
    rows = (
        account_runs.order_by()
        .values("content_digest")
        .annotate(size=Count("pk"), first=Min("pk"), busy=Count("pk", filter=~Q(state=AccountState.IN_SYNC)))
    )
    plans = [CountedPlan(row["content_digest"], row["size"], row["first"], row["busy"]) for row in rows]
    return sorted(plans, key=lambda plan: (not plan.busy, -plan.size, plan.first))


def most_common(plans: Sequence[CountedPlan]) -> CountedPlan | None:
    """Returns the plan that others are compared with: the first, if it is of several accounts not in sync."""
    return plans[0] if plans and plans[0].busy and plans[0].size > 1 else None


def listed_accounts(account_runs: QuerySet[AccountRun]) -> list[ListedAccount]:
    """Returns the accounts in the order of their subdomains."""
    return [ListedAccount(*row) for row in account_runs.order_by("account__subdomain").values_list(*COLUMNS)]


def load_plans(
    account_runs: QuerySet[AccountRun], plans: Sequence[CountedPlan], common: CountedPlan | None
) -> list[DistinctPlan]:
    """Loads `plans`, each with its accounts among `account_runs`, compared with the `common` one."""
    firsts = {plan.digest: plan.first for plan in (*plans, common) if plan is not None}
    documents = dict(AccountRun.objects.filter(pk__in=firsts.values()).values_list("content_digest", "document"))
    members: dict[str, list[ListedAccount]] = defaultdict(list)
    for member in listed_accounts(account_runs.filter(content_digest__in=[plan.digest for plan in plans])):
        members[member.digest].append(member)
    loaded = []
    for plan in plans:
        document, accounts = documents[plan.digest], members[plan.digest]
        compares = common is not None and plan != common and plan.busy
        loaded.append(
            DistinctPlan(
                digest=plan.digest,
                members=tuple(accounts),
                document=common_content(document) if plan.size > 1 else document,
                example=next(account for account in accounts if account.account_run_id == plan.first),
                differs=plan_difference(document, documents[common.digest]) if common and compares else None,
            )
        )
    return loaded


def plan_of(run: SyncRun, digest: str) -> DistinctPlan | None:
    """Returns the plan with this digest; None when no account of `run` has it."""
    account_runs = with_plan(run)
    common = most_common(counted_plans(account_runs.exclude(QUIET)))
    plans = load_plans(account_runs, counted_plans(account_runs.filter(content_digest=digest)), common)
    return plans[0] if plans else None


def desired_of(run: SyncRun) -> Snapshot | None:
    """Returns the master as `run` read it; None when it has not, or does not compare with it."""
    document = MasterSnapshot.objects.filter(runs=run).values_list("document", flat=True).first()
    return None if document is None else from_document(document)


def target_of(run: SyncRun, account_id: int) -> Snapshot | None:
    """Returns what an account becomes by a plan of `run`; None when that is not known.

    That is the master as it was read, what was proposed for it, or the account before the run that is taken back.
    """
    if run.reverts_id:
        before = SlaveSnapshot.objects.filter(account_run__run=run.reverts_id, account=account_id)
        stored = before.values_list("document", flat=True).first()
        return None if stored is None else unpacked(bytes(stored))
    if run.proposal_id:
        document = PromotionProposal.objects.values_list("document", flat=True).get(pk=run.proposal_id)
        return from_document(document)
    return desired_of(run)


def every_plan(run: SyncRun) -> list[DistinctPlan]:
    """Loads all distinct plans of `run`, also those of accounts in sync."""
    account_runs = with_plan(run)
    return load_plans(account_runs, counted_plans(account_runs), None)


def unplanned(run: SyncRun, states: Iterable[str]) -> list[ListedAccount]:
    """Returns the accounts of a plan run that are in one of the `states` and have no plan, with the reason."""
    if run.mode != RunMode.PLAN:
        return []
    account_runs = AccountRun.objects.filter(run=run, state__in=list(states))
    return listed_accounts(account_runs.exclude(pk__in=with_plan(run).values("pk")))
