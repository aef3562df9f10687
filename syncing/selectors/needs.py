"""What needs somebody: accounts in bad health, accounts that did not get there, conflicts, manual items.

Equal ones are told once, with the accounts they concern.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, Subquery
from django.utils.translation import gettext as _

from accounts.models import Account
from syncing import badges
from syncing.models import ACCOUNT_OPEN, AccountRun, AccountState

TROUBLED = (AccountState.PARTIAL, AccountState.FAILED, AccountState.REFUSED)


@dataclass(frozen=True)
class Concern:
    """What it is about; equal concerns of several accounts are one."""

    state: str  # a health, an account state, "conflict" or "manual"
    label: str
    title: str
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Concerned:
    name: str
    account_id: int
    part_id: int | None  # the account run that shows it


@dataclass(frozen=True)
class Need:
    concern: Concern
    accounts: tuple[Concerned, ...]

    @property
    def first(self) -> tuple[Concerned, ...]:
        return self.accounts[:8]

    @property
    def more(self) -> int:
        return len(self.accounts) - len(self.first)


def needs() -> list[Need]:
    """The worst first, then those that concern the most accounts."""
    found: dict[Concern, list[Concerned]] = defaultdict(list)
    unwell = dict(_unwell(found))
    for part in _last_parts():
        who = Concerned(part["account__name"] or part["account__subdomain"], part["account"], part["pk"])
        for concern in _concerns(part, unwell.get(part["account"], "")):
            found[concern].append(who)
    rank = {badges.BAD: 0, badges.WARN: 1}
    ordered = sorted(
        found.items(),
        key=lambda item: (rank.get(badges.tone(item[0].state), 2), item[0].state == "manual", -len(item[1])),
    )
    return [Need(concern, tuple(accounts)) for concern, accounts in ordered]


def _unwell(found: dict[Concern, list[Concerned]]) -> Iterator[tuple[int, str]]:
    fine = (Account.Health.UNKNOWN, Account.Health.CONNECTED)
    accounts = Account.objects.exclude(health__in=fine)
    for account in accounts.only("name", "subdomain", "health", "health_reason"):
        label = str(account.get_health_display())
        concern = Concern(account.health, label, label, account.health_reason)
        found[concern].append(Concerned(str(account), account.pk, None))
        yield account.pk, account.health


def _last_parts() -> list[Any]:
    """The last finished account run of every slave; of its document only what somebody must see to."""
    ended = AccountRun.objects.filter(account=OuterRef("pk")).exclude(state__in=ACCOUNT_OPEN)
    last = (
        Account.objects.filter(role=Account.Role.SLAVE)
        .order_by()
        .annotate(part=Subquery(ended.order_by("-pk").values("pk")[:1]))
    )
    parts = AccountRun.objects.filter(pk__in=last.values("part")).order_by("account__subdomain")
    return list(
        parts.values(
            "pk", "account", "account__name", "account__subdomain", "state", "reason", "error",
            "document__conflicts", "document__manual",
        )
    )  # fmt: skip


def _concerns(part: dict[str, Any], health: str) -> Iterator[Concern]:
    if part["state"] in TROUBLED and part["reason"] != health:
        error = part["error"] or {}
        label = str(AccountState(part["state"]).label)
        title = part["reason"] or label
        if part["reason"] or error or not part["document__conflicts"]:
            yield Concern(part["state"], label, title, error.get("message", ""), error.get("remedy", ""))
    for kind, label in (("conflict", _("Conflict")), ("manual", _("By hand"))):
        for item in part["document__conflicts" if kind == "conflict" else "document__manual"] or []:
            where = f" ({item['parent']})" if item.get("parent") else ""
            yield Concern(kind, label, f"{item['name']}{where}", item.get("message", ""))
