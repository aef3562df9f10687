"""The plan grid of a run, searched and paged: "112 accounts: the same 4 changes; 7 differ"."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Q

from syncing.engine.grouping import rows
from syncing.models import ACCOUNT_OPEN, AccountRun, AccountState, SyncRun
from syncing.selectors.plan_rows import row_mentions
from syncing.selectors.plans import (
    QUIET,
    CountedPlan,
    DistinctPlan,
    ListedAccount,
    counted_plans,
    listed_accounts,
    load_plans,
    most_common,
    unplanned,
    with_plan,
)

PLANS_PER_PAGE = 20
ENDED = tuple(state for state in AccountState if state not in ACCOUNT_OPEN)


@dataclass(frozen=True)
class RunSearch:
    """Results of a search in a run: plans by an item in them, accounts (id of the account run -> plan) by name."""

    digests: frozenset[str]
    named: dict[int, str]

    @property
    def account_runs(self) -> Q:
        """Selects the account runs that were found either way."""
        return Q(pk__in=list(self.named)) | Q(content_digest__in=list(self.digests))

    def includes(self, member: ListedAccount) -> bool:
        return member.account_run_id in self.named or member.digest in self.digests

    def includes_plan(self, plan: CountedPlan) -> bool:
        return plan.digest in self.digests or plan.digest in self.named.values()


@dataclass(frozen=True)
class PlanCard:
    """A plan in the grid. `shown`: its accounts, or those of them that were searched for."""

    plan: DistinctPlan
    shown: tuple[ListedAccount, ...]

    @property
    def size(self) -> int:
        return len(self.plan.members)


@dataclass(frozen=True)
class Grid:
    """The accounts that are not in sync: `same` have the most common plan, `differ` have another one.

    Both are 0 when no two of them have the same.
    """

    cards: Page[PlanCard]
    distinct: int
    same: int
    differ: int
    in_sync: int
    unplanned: int
    quiet: list[ListedAccount]  # in sync without a single remark, or those of them that were searched for
    without: list[ListedAccount]  # ended without a plan, likewise

    def __bool__(self) -> bool:
        return bool(self.distinct or self.in_sync or self.unplanned)


def search_run(run: SyncRun, text: str) -> RunSearch | None:
    """Finds `text` in the names of accounts, of items and of their parents; returns None without a text."""
    text = text.strip()
    if not text:
        return None
    account_runs = AccountRun.objects.filter(run=run)
    firsts = [plan.first for plan in counted_plans(account_runs.exclude(content_digest=""))]
    documents = AccountRun.objects.filter(pk__in=firsts).values_list("content_digest", "document")
    digests = {
        digest
        for digest, document in documents.iterator(chunk_size=20)
        if any(row_mentions(row, text) for _, row in rows(document))
    }
    named = {member.account_run_id: member.digest for member in listed_accounts(account_runs) if member.is_called(text)}
    return RunSearch(frozenset(digests), named)


def grid(run: SyncRun, search: RunSearch | None = None, page: Any = 1) -> Grid:
    """Returns one page of the distinct plans of `run`; with a search only the plans and accounts that it found."""
    account_runs = with_plan(run)
    loud = account_runs.exclude(QUIET)
    plans = counted_plans(loud)
    common = most_common(plans)
    wanted = [plan for plan in plans if search is None or search.includes_plan(plan)]
    cards: Page[Any] = Paginator(wanted, PLANS_PER_PAGE).get_page(page)
    loaded = load_plans(loud, list(cards.object_list), common)
    quiet, without = listed_accounts(account_runs.filter(QUIET)), unplanned(run, ENDED)
    cards.object_list = [PlanCard(plan, tuple(_searched(search, plan.members))) for plan in loaded]
    return Grid(
        cards=cards,
        distinct=len(plans),
        same=common.busy if common else 0,
        differ=sum(plan.busy for plan in plans if plan != common) if common else 0,
        in_sync=sum(plan.size - plan.busy for plan in plans) + len(quiet),
        unplanned=len(without),
        quiet=_searched(search, quiet),
        without=_searched(search, without),
    )


def _searched(search: RunSearch | None, members: Iterable[ListedAccount]) -> list[ListedAccount]:
    """Returns those of the members that the search found; without a search all."""
    return [member for member in members if search is None or search.includes(member)]
