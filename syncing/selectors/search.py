"""Finds accounts, runs and items by a piece of text: what the search field in the header asks for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count

from accounts.kommo.texts import storable_id
from accounts.models import SECRETS, Account, is_called
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
    accounts = Account.objects.filter(is_called(text)).select_related("group").defer(*SECRETS)
    number = storable_id(text.removeprefix("#"))
    runs = SyncRun.objects.select_related("group").filter(pk=number or 0)
    mappings = IdMapping.objects.filter(name__icontains=text).order_by("kind", "parent", "name")
    items = mappings.values("kind", "name", "parent").annotate(accounts=Count("account", distinct=True))
    return Findings(
        accounts=list(accounts[:MOST]) if may("accounts.view_account") else (),
        runs=list(runs) if number and may("syncing.view_syncrun") else (),
        items=list(items[:MOST]) if may("syncing.view_idmapping") else (),
    )
