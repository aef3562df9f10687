"""What is to be approved of a plan run: the accounts with equal plans together."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from syncing.models import AccountRun, AccountState, RunMode, SyncRun

WRITTEN = (AccountState.CHANGED, AccountState.PARTIAL)
COLUMNS = ("account", "account__name", "account__subdomain", "content_digest", "created", "updated", "deleted")


@dataclass(frozen=True)
class ApprovableAccount:
    """An account with a plan; `written`: a later run wrote into it, so that the plan is likely out of date."""

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
    def written(self) -> int:
        return sum(member.written for member in self.members)


def bundles(plan: SyncRun, account_runs: QuerySet[AccountRun], query: str = "", digest: str = "") -> list[Bundle]:
    """Returns the distinct plans among `account_runs` of `plan`, the most common first.

    Only the accounts that have `query` in their name or subdomain, only the plan with this `digest`.
    """
    if query:
        account_runs = account_runs.filter(Q(account__name__icontains=query) | Q(account__subdomain__icontains=query))
    if digest:
        account_runs = account_runs.filter(content_digest=digest)
    rows = list(account_runs.order_by("account__subdomain").values_list(*COLUMNS))
    written = _written_since(plan, [row[0] for row in rows])
    found: dict[Any, list[ApprovableAccount]] = {}
    for account_id, name, subdomain, *what in rows:
        member = ApprovableAccount(account_id, name or subdomain, subdomain, account_id in written)
        found.setdefault(tuple(what), []).append(member)
    made = [
        Bundle(digest, created, updated, deleted, tuple(members))
        for (digest, created, updated, deleted), members in found.items()
    ]
    return sorted(made, key=lambda bundle: -len(bundle.members))


def _written_since(plan: SyncRun, account_ids: Iterable[int]) -> set[int]:
    """Those of the accounts that a run after the plan run wrote into."""
    later = AccountRun.objects.filter(
        run__gt=plan.pk, run__group=plan.group_id, run__mode=RunMode.APPLY, state__in=WRITTEN
    )
    return set(later.values_list("account", flat=True)) & set(account_ids)
