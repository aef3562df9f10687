"""Finds accounts, runs and items by a piece of text: what the search field in the header asks for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q

from accounts.kommo.texts import storable_id
from accounts.models import SECRETS, Account
from syncing.models import IdMapping, SyncRun

MOST = 25  # of each kind


@dataclass(frozen=True)
class Findings:
    """What was found; `items`: dicts of kind, name, parent and the number of accounts that have them."""

    accounts: Sequence[Account] = ()
    runs: Sequence[SyncRun] = ()
    items: Sequence[Mapping[str, Any]] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.accounts or self.runs or self.items)


def find(text: str, may: Callable[[str], bool]) -> Findings:
    """Returns what has `text` in its name, of each kind the first MOST, and only what the person may see.

    A number, with or without #, is that of a run.
    """
    if not text:
        return Findings()
    return Findings(
        accounts=_accounts(text) if may("accounts.view_account") else (),
        runs=_runs(text) if may("syncing.view_syncrun") else (),
        items=_items(text) if may("syncing.view_idmapping") else (),
    )


def _accounts(text: str) -> list[Account]:
    named = Q(name__icontains=text) | Q(subdomain__icontains=text)
    return list(Account.objects.filter(named).select_related("group").defer(*SECRETS)[:MOST])


def _runs(text: str) -> list[SyncRun]:
    number = storable_id(text.removeprefix("#"))
    return list(SyncRun.objects.select_related("group").filter(pk=number)) if number else []


def _items(text: str) -> list[Mapping[str, Any]]:
    rows = IdMapping.objects.filter(name__icontains=text).order_by("kind", "parent", "name")
    return [*rows.values("kind", "name", "parent").annotate(accounts=Count("account", distinct=True))[:MOST]]
