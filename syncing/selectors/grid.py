"""The plan grid of a run, searched and in pages: "112 accounts: the same 4 changes; 7 differ"."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import Q

from syncing.engine.grouping import mentions, rows
from syncing.models import ACCOUNT_OPEN, AccountRun, AccountState, SyncRun
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
    """What a search in a run found: plans by an item in them, accounts (id of the account run -> plan) by name."""

    digests: frozenset[str]
    named: dict[int, str]

    @property
    def account_runs(self) -> Q:
        """The account runs that are meant either way."""
        return Q(pk__in=list(self.named)) | Q(content_digest__in=list(self.digests))

    def has(self, member: ListedAccount) -> bool:
        return member.account_run_id in self.named or member.digest in self.digests

    def has_some_of(self, group: CountedPlan) -> bool:
        return group.digest in self.digests or group.digest in self.named.values()


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
    """Of the accounts that are not in sync, `same` have the most common plan, `differ` have another one.

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
    """What has `text` in the name of an account, of an item or of its parent; None when nothing is searched."""
    text = text.strip().casefold()
    if not text:
        return None
    account_runs = AccountRun.objects.filter(run=run)
    firsts = [group.first for group in counted_plans(account_runs.exclude(content_digest=""))]
    documents = AccountRun.objects.filter(pk__in=firsts).values_list("content_digest", "document")
    digests = {
        digest
        for digest, document in documents.iterator(chunk_size=20)
        if any(mentions(row, text) for _, row in rows(document))
    }
    named = {member.account_run_id: member.digest for member in listed_accounts(account_runs) if member.is_called(text)}
    return RunSearch(frozenset(digests), named)


def grid(run: SyncRun, found: RunSearch | None = None, page: Any = 1) -> Grid:
    """One page of the distinct plans of `run`; with `found` only those, and of the accounts only those."""
    account_runs = with_plan(run)
    loud = account_runs.exclude(QUIET)
    groups = counted_plans(loud)
    common = most_common(groups)
    wanted = [group for group in groups if found is None or found.has_some_of(group)]
    groups_shown: Page[Any] = Paginator(wanted, PLANS_PER_PAGE).get_page(page)
    plans = load_plans(loud, list(groups_shown.object_list), common)
    quiet, without = listed_accounts(account_runs.filter(QUIET)), unplanned(run, ENDED)
    groups_shown.object_list = [_card(plan, found) for plan in plans]
    return Grid(
        cards=groups_shown,
        distinct=len(groups),
        same=common.busy if common else 0,
        differ=sum(group.busy for group in groups if group != common) if common else 0,
        in_sync=sum(group.size - group.busy for group in groups) + len(quiet),
        unplanned=len(without),
        quiet=_only(found, quiet),
        without=_only(found, without),
    )


def _card(plan: DistinctPlan, found: RunSearch | None) -> PlanCard:
    return PlanCard(plan, tuple(_only(found, plan.members)))


def _only(found: RunSearch | None, members: Iterable[ListedAccount]) -> list[ListedAccount]:
    return [member for member in members if found is None or found.has(member)]
