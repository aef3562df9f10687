"""Finds accounts, runs and items by a piece of text: what the search field in the header asks for."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from django.db.models import Count, Q
from django.utils.translation import gettext as _

from accounts.kommo.texts import storable_id
from accounts.models import SECRETS, Account, is_called
from accounts.text_search import any_finds, is_in, plain
from syncing.models import IdMapping, SyncRun
from syncing.selectors.drift_items import items_named
from syncing.selectors.ids import OF_LEADS

MOST = 25  # of each kind
MOST_NAMES = 3  # of an item that accounts gave it
NUMBERED = re.compile(r"([^\W\d]*)\s*#?\s*(\d+)")


@dataclass
class FoundItem:
    """An item of a master, or one that only slaves have, in the group `group_id`.

    `in_accounts`: how many have it; `differs_in`: how many have it otherwise; `names`: how accounts call it else.
    """

    kind: str
    name: str
    parent: str
    group_id: int
    in_accounts: int = 0
    differs_in: set[int] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    is_extra: bool = False
    master_id: int | None = None

    @property
    def is_of_funnels(self) -> bool:
        return self.kind in OF_LEADS

    @property
    def other_names(self) -> list[str]:
        return sorted(self.names - {self.name})[:MOST_NAMES]


@dataclass(frozen=True)
class Findings:
    accounts: Sequence[Account] = ()
    runs: Sequence[SyncRun] = ()
    items: Sequence[FoundItem] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.accounts or self.runs or self.items)


def find(text: str, may: Callable[[str], bool]) -> Findings:
    """Returns what has `text` in its name, of each kind the first MOST, and only what the person may see."""
    if not text:
        return Findings()
    accounts = Account.objects.filter(is_called(text)).select_related("group").defer(*SECRETS)
    runs = SyncRun.objects.filter(_is_run(text)).select_related("group").order_by("-pk")
    return Findings(
        accounts=list(accounts[:MOST]) if may("accounts.view_account") else (),
        runs=list(runs[:MOST]) if may("syncing.view_syncrun") else (),
        items=_items(text, may)[:MOST],
    )


def _is_run(text: str) -> Q:
    """Returns the condition that a run has this name, reason or number: 12, #12 or run 12."""
    wanted = any_finds(text, "name", "wish", "force_reason")
    numbered = NUMBERED.fullmatch(text)
    if numbered and plain(numbered[1]) in ("", "run", plain(_("Run"))):
        wanted |= Q(pk=storable_id(numbered[2]) or 0)
    return wanted


def _items(text: str, may: Callable[[str], bool]) -> list[FoundItem]:
    """Returns items of masters and of slaves, those that differ first."""
    found: dict[tuple[int, str, str, str], FoundItem] = {}
    if may("syncing.view_drift"):
        for each in items_named(text):
            known = (each.group_id, each.kind, each.name, each.parent)
            item = found.setdefault(known, FoundItem(each.kind, each.name, each.parent, each.group_id))
            item.differs_in.update(account.pk for account in each.accounts)
            item.is_extra = item.is_extra or each.is_extra
            if each.attribute == "name":
                item.names.update(name for name in each.values if is_in(text, name))
    if may("syncing.view_idmapping"):
        mapped = IdMapping.objects.filter(any_finds(text, "name")).order_by("kind", "parent", "name")
        columns = ("account__group", "kind", "name", "parent")
        for *place, number in mapped.values_list(*columns).annotate(n=Count("account"))[:MOST]:
            group_id, kind, name, parent = known = tuple(place)
            found.setdefault(known, FoundItem(kind, name, parent, group_id)).in_accounts = number
    masters = dict(Account.objects.filter(role=Account.Role.MASTER).values_list("group", "pk"))
    for item in found.values():
        item.master_id = masters.get(item.group_id)
    return list(found.values())
