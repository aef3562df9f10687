"""Reads about healing: what is done with edits of which item, and what is left alone because it came back too often."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.models import RELATED_SECRETS, HealMode, SyncGroup
from syncing.models import HealedItem, HealingRule, ItemMode
from syncing.selectors.drift import ListedDifference

BY_GROUP = {HealMode.REVERT: ItemMode.LOCKED, HealMode.REPORT: ItemMode.REPORTED}

ItemName = tuple[str, str]  # kind and key


@dataclass(frozen=True)
class GivenUp:
    """An item of an account that was put back too often, and when."""

    account_id: int
    kind: str
    key: str
    account: str
    name: str
    parent: str
    times: tuple[datetime, ...]

    @property
    def sentence(self) -> str:
        """Says what happened; Kommo tells of no change of settings who made it."""
        times = "; ".join(date_format(timezone.localtime(at), "DATETIME_FORMAT") for at in self.times)
        facts = {"times": times, "count": len(self.times)}
        return _("It was put back %(count)d times (%(times)s) and edited again. Kommo does not say who.") % facts


def modes_of(group: SyncGroup) -> dict[ItemName, str]:
    """Returns the modes of the items that have one of their own."""
    return {(kind, key): mode for kind, key, mode in group.healing_rules.values_list("kind", "key", "mode")}


def mode_of(kind: str, key: str, modes: Mapping[ItemName, str], group: SyncGroup) -> str:
    """Returns what is done with edits of an item; "" nothing: that is so of all items while healing is off.

    But what is left to each account is so in every run.
    """
    own = modes.get((kind, key), "")
    if group.heal == HealMode.OFF:
        return own if own == ItemMode.LOCAL else ""
    return own or BY_GROUP[HealMode(group.heal)]


def rules_of(group: SyncGroup) -> QuerySet[HealingRule]:
    """Selects the items of a group that have a mode of their own."""
    return group.healing_rules.order_by("kind", "parent", "name", "pk")


def with_modes(
    rows: Iterable[ListedDifference], group: SyncGroup, rules: Iterable[HealingRule]
) -> list[ListedDifference]:
    """Returns the differences, each with the mode of its item; `rules` are those of the group."""
    modes = {(rule.kind, rule.key): rule.mode for rule in rules}
    return [replace(row, mode=mode_of(row.kind, row.key, modes, group)) if row.has_mode else row for row in rows]


def given_up(account_ids: Iterable[int] | None = None) -> list[GivenUp]:
    """Returns the items that are left alone in groups that heal (or in these accounts, whatever their group does)."""
    left_alone = HealedItem.objects.filter(gave_up=True).order_by()
    if account_ids is None:
        left_alone = left_alone.exclude(account__group__heal=HealMode.OFF)
    else:
        left_alone = left_alone.filter(account__in=account_ids)
    rows = HealedItem.objects.filter(account__in=left_alone.values("account")).select_related("account")
    by_item: dict[tuple[int, str, str], list[HealedItem]] = defaultdict(list)
    for row in rows.defer(*RELATED_SECRETS).order_by("account__subdomain", "kind", "name", "at", "pk"):
        by_item[row.account_id, row.kind, row.key].append(row)
    return [
        GivenUp(*item, str(same[-1].account), same[-1].name, same[-1].parent, tuple(row.at for row in same))
        for item, same in by_item.items()
        if any(row.gave_up for row in same)
    ]
