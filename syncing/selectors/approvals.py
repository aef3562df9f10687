"""Plans that can be approved: the accounts of a plan run, those with equal plans together, and what waits at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet

from accounts.models import is_called
from syncing.engine.changes import Action
from syncing.engine.grouping import PlanCounts
from syncing.models import (
    ACCOUNT_OPEN,
    REVIEWED,
    AccountRun,
    AccountState,
    RunMode,
    RunPurpose,
    RunState,
    RunType,
    SyncRun,
    Trigger,
)
from syncing.purposes import OWN_TOPICS

REVIEWABLE = (RunState.PLANNED, RunState.PARTIAL)
MOST_PLANS = 100  # plan runs that are looked through, the youngest
WRITTEN = (AccountState.CHANGED, AccountState.PARTIAL)
COLUMNS = ("pk", "account", "account__name", "account__subdomain", "content_digest", "created", "updated", "deleted")


@dataclass(frozen=True)
class ApprovableAccount:
    """An account with a plan; `written`: a later run wrote into it, so that the plan is likely out of date."""

    account_run_id: int
    account_id: int
    name: str
    subdomain: str
    written: bool


@dataclass(frozen=True)
class Bundle:
    """The accounts with one and the same plan, and what it does in each of them."""

    digest: str
    created: int
    updated: int
    deleted: int
    members: tuple[ApprovableAccount, ...]

    @property
    def tally(self) -> PlanCounts:
        return PlanCounts(self.created, self.updated, self.deleted)

    @property
    def written(self) -> int:
        return sum(member.written for member in self.members)


def bundles(plan: SyncRun, account_runs: QuerySet[AccountRun], query: str = "", digest: str = "") -> list[Bundle]:
    """Returns the distinct plans among `account_runs` of `plan`, the most common first.

    Leaves out accounts without `query` in their name or subdomain, and plans with another digest than `digest`.
    """
    if query:
        account_runs = account_runs.filter(is_called(query, "account__"))
    if digest:
        account_runs = account_runs.filter(content_digest=digest)
    rows = list(account_runs.order_by("account__subdomain").values_list(*COLUMNS))
    later = AccountRun.objects.filter(
        run__gt=plan.pk, run__group=plan.group_id, run__mode=RunMode.APPLY, state__in=WRITTEN
    )
    written = set(later.values_list("account", flat=True))
    members: dict[Any, list[ApprovableAccount]] = {}
    for pk, account_id, name, subdomain, *content in rows:
        member = ApprovableAccount(pk, account_id, name or subdomain, subdomain, account_id in written)
        members.setdefault(tuple(content), []).append(member)
    equal = [
        Bundle(digest, created, updated, deleted, tuple(accounts))
        for (digest, created, updated, deleted), accounts in members.items()
    ]
    return sorted(equal, key=lambda bundle: -len(bundle.members))


def documents_of(listed: Sequence[Bundle]) -> dict[str, Any]:
    """Returns a document of each of these plans by its digest, in one query."""
    firsts = AccountRun.objects.filter(pk__in=[bundle.members[0].account_run_id for bundle in listed])
    return dict(firsts.values_list("content_digest", "document"))


def deletions_of(listed: Sequence[Bundle]) -> dict[str, list[Any]]:
    """Returns what each of these plans deletes by its digest, in one query."""
    deleting = [bundle.members[0].account_run_id for bundle in listed if bundle.deleted]
    rows = AccountRun.objects.filter(pk__in=deleting).values_list("content_digest", "document__changes")
    return {digest: [row for row in changes or () if row["action"] == Action.DELETE] for digest, changes in rows}


def waiting_plans() -> QuerySet[AccountRun]:
    """Selects the account runs whose plan somebody has to approve, or sent back, and that no later run has overtaken.

    A drift check overtakes none, but for an account that it finds in sync; nor does a plan that nobody has to approve.
    """
    plans = SyncRun.objects.filter(_asks(), mode=RunMode.PLAN, state__in=REVIEWABLE).order_by("-pk").values("pk")
    planned = AccountRun.objects.filter(state=AccountState.PLANNED, account__group=F("run__group"))
    planned = planned.filter(run__in=plans[:MOST_PLANS]).exclude(plan_digest="").order_by()
    # Of plans of everything the newest stands for those before it; those of chosen items stand beside each other.
    newest = planned.filter(run__picked=[]).values("account", "run__purpose", "run__type").annotate(newest=Max("pk"))
    candidates = AccountRun.objects.filter(
        pk__in=newest.values("newest").union(planned.exclude(run__picked=[]).values("pk"))
    )
    covers = Q(run__type=RunType.FULL) | Q(run__type=OuterRef("run__type"))
    later = AccountRun.objects.filter(covers, account=OuterRef("account"), run__gt=OuterRef("run"), run__picked=[])
    ended = later.exclude(state__in=ACCOUNT_OPEN)
    solved = ended.filter(state__in=(AccountState.CHANGED, AccountState.IN_SYNC))
    replaced = ended.filter(_asks("run__"), state=AccountState.PLANNED, run__purpose=OuterRef("run__purpose"))
    approved = AccountRun.objects.filter(account=OuterRef("account"), run__approved_plan=OuterRef("run"))
    approved = approved.exclude(state__in=(AccountState.SKIPPED, AccountState.CANCELLED))
    return candidates.filter(~Exists(solved), ~Exists(replaced), ~Exists(approved)).order_by()


def _asks(run: str = "") -> Q:
    """Returns the condition that a plan run waits for an approval; `run` leads to it, as in `run__`.

    What a person planned is only looked at, unless the group requires an approval.
    """
    asks = Q(**{f"{run}trigger__in": (*REVIEWED, Trigger.HEAL)}) | Q(**{f"{run}group__requires_approval": True})
    asks |= Q(**{f"{run}purpose": RunPurpose.PROMOTION}) | ~Q(**{f"{run}sent_back_at": None})
    return asks & ~Q(**{f"{run}purpose__in": OWN_TOPICS})
