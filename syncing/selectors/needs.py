"""What needs somebody: connections, accounts that did not get there, conflicts, manual items, edits, approvals.

Equal ones are told once, with the accounts they concern.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, Q, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import expiry
from accounts.models import HEALTH_FINE, HEALTH_NEEDS_CONNECTING, Account
from accounts.services.health.verdicts import HEALTH_OF_CODE
from syncing.models import ACCOUNT_OPEN, AccountRun, AccountState
from syncing.presentation import badges
from syncing.purposes import PURPOSES
from syncing.selectors.drift import SlaveEdit, slave_edits

TROUBLED = (AccountState.PARTIAL, AccountState.FAILED, AccountState.REFUSED)


@dataclass(frozen=True)
class Concern:
    """What it is about; equal concerns of several accounts are one."""

    state: str  # a health, "expires_now", "expires_soon", an account state, "conflict", "manual", "edited"
    label: str
    title: str
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class ConcernedAccount:
    name: str
    account_id: int
    account_run_id: int | None  # the account run that shows it
    by_drift: bool = False  # the account's drift shows it


@dataclass(frozen=True)
class Need:
    concern: Concern
    accounts: tuple[ConcernedAccount, ...]

    @property
    def first(self) -> tuple[ConcernedAccount, ...]:
        return self.accounts[:8]

    @property
    def more(self) -> int:
        return len(self.accounts) - len(self.first)


def needs() -> list[Need]:
    """The worst first, then those that concern the most accounts."""
    found: dict[Concern, list[ConcernedAccount]] = defaultdict(list)
    unwell = dict(_unwell(found))
    for account_run in _last_account_runs():
        who = ConcernedAccount(
            account_run["account__name"] or account_run["account__subdomain"], account_run["account"], account_run["pk"]
        )
        for concern in _concerns(account_run, unwell.get(account_run["account"], "")):
            found[concern].append(who)
    for account, edit in slave_edits():
        found[_edited(edit)].append(ConcernedAccount(str(account), account.pk, None, by_drift=True))
    rank = {badges.BAD: 0, badges.WARN: 1}
    ordered = sorted(
        found.items(),
        key=lambda item: (rank.get(badges.tone(item[0].state), 2), item[0].state == "manual", -len(item[1])),
    )
    return [Need(concern, tuple(accounts)) for concern, accounts in ordered]


def _unwell(found: dict[Concern, list[ConcernedAccount]]) -> Iterator[tuple[int, str]]:
    """Adds the connections that need somebody; gives the accounts in bad health."""
    now = timezone.now()
    accounts = Account.objects.filter(~Q(health__in=HEALTH_FINE) | expiry.expiring(now))
    for account in accounts.only("name", "subdomain", "health", "health_reason", "token_expires_at", "credential_kind"):
        if account.health not in HEALTH_FINE:
            found[_bad_health(account)].append(ConcernedAccount(str(account), account.pk, None))
            yield account.pk, account.health
        if account.health not in HEALTH_NEEDS_CONNECTING and (days := expiry.days_of(account, now)) <= expiry.SOON:
            name = f"{account} ({expiry.in_days(days)})"
            found[_expiry(account, days)].append(ConcernedAccount(name, account.pk, None))


def _bad_health(account: Account) -> Concern:
    label = str(account.get_health_display())
    reason = account.health_reason
    if not reason and account.health in HEALTH_NEEDS_CONNECTING:
        reason = _("Open the account and press Connect, or store a new token.")
    return Concern(account.health, label, label, reason)


def _expiry(account: Account, days: int) -> Concern:
    """Told apart by urgency, not by day, so that accounts that are in the same place stand together."""
    label = _("Token expires soon")
    state = "expires_now" if days <= expiry.URGENT else "expires_soon"
    if account.uses_oauth:
        text = _(
            "These connections did not renew themselves. Check them; the history of each account shows the reason."
        )
    else:
        text = _("Make a new long-lived token in the account and store it, or connect the account by OAuth.")
    return Concern(state, label, label, text)


def _last_account_runs() -> list[Any]:
    """The last finished account run of every slave; of its document only what somebody must see to."""
    ended = AccountRun.objects.filter(account=OuterRef("pk")).exclude(state__in=ACCOUNT_OPEN)
    last = (
        Account.objects.filter(role=Account.Role.SLAVE)
        .order_by()
        .annotate(account_run=Subquery(ended.order_by("-pk").values("pk")[:1]))
    )
    account_runs = AccountRun.objects.filter(pk__in=last.values("account_run")).order_by("account__subdomain")
    return list(
        account_runs.values(
            "pk", "account", "account__name", "account__subdomain", "state", "reason", "error",
            "document__conflicts", "document__manual", "run", "run__purpose", "run__group__requires_approval",
        )
    )  # fmt: skip


def _concerns(account_run: dict[str, Any], health: str) -> Iterator[Concern]:
    told = bool(health) and account_run["reason"] in HEALTH_OF_CODE  # the connection's own line says it better
    if account_run["state"] in TROUBLED and not told:
        error = account_run["error"] or {}
        label = str(AccountState(account_run["state"]).label)
        title = account_run["reason"] or label
        if account_run["reason"] or error or not account_run["document__conflicts"]:
            yield Concern(account_run["state"], label, title, error.get("message", ""), error.get("remedy", ""))
    if account_run["state"] == AccountState.PLANNED and account_run["run__group__requires_approval"]:
        yield from _unapproved(account_run)
    for kind, label in (("conflict", _("Conflict")), ("manual", _("By hand"))):
        for item in account_run["document__conflicts" if kind == "conflict" else "document__manual"] or []:
            where = f" ({item['parent']})" if item.get("parent") else ""
            yield Concern(kind, label, f"{item['name']}{where}", item.get("message", ""))


def _unapproved(account_run: dict[str, Any]) -> Iterator[Concern]:
    """A plan that stays one until somebody approves it; what a drift check found has lines of its own."""
    if not PURPOSES[account_run["run__purpose"]].is_own_topic:
        label = _("Waits for approval")
        text = _("Nothing is written until somebody approves this plan.")
        title = _("Run %(number)d") % {"number": account_run["run"]}
        yield Concern(account_run["state"], label, title, text, _("Look at the run, then press Approve there."))


def _edited(edit: SlaveEdit) -> Concern:
    """The same edit in several accounts is told once."""
    where = f" ({edit.parent})" if edit.parent else ""
    if edit.action == "create":
        text = _("Somebody deleted it in the account.")
    elif edit.action == "delete":
        text = _("Somebody made it in the account; the policy deletes it.")
    else:
        text = _("Somebody edited it in the account.")
    remedy = _(
        "See the differences on its drift page, then revert them, accept them as exceptions, or "
        "promote them to the master."
    )
    return Concern("edited", _("Edited in accounts"), f"{edit.name}{where}", text, remedy)
