"""Reads for "needs somebody": connections, accounts that failed, conflicts, manual items, edits, approvals.

Equal concerns are listed once, with the accounts that have them.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import expiry
from accounts.models import HEALTH_FINE, HEALTH_NEEDS_CONNECTING, Account
from accounts.own_words import translated
from accounts.services.health.verdicts import HEALTH_OF_CODE
from syncing.models import ACCOUNT_OPEN, REVIEWED, AccountRun, AccountState, SyncRun, Trigger
from syncing.presentation import badges
from syncing.presentation.explanations import (
    health_remedy,
    reason_label,
    reason_remedy,
    reason_sentence,
    state_sentence,
)
from syncing.presentation.labels import kind_label
from syncing.purposes import purpose_of
from syncing.selectors.automation import OVERDUE, AutomationTrouble
from syncing.selectors.drift import slave_edits
from syncing.selectors.healing import given_up

TROUBLED = (AccountState.PARTIAL, AccountState.FAILED, AccountState.REFUSED)


@dataclass(frozen=True)
class Concern:
    """Something that a person has to see to; equal concerns of several accounts are one."""

    # A health, an account state, or one of: expires_now, expires_soon, sent_back, conflict, manual, edited, given_up.
    state: str
    label: str
    title: str
    text: str
    remedy: str = ""
    reason: str = ""  # the code of why a run failed
    run_id: int | None = None  # the run that waits
    wave: int = 0  # that it waits for: 1, 2, ...
    asked_by: str = ""  # of a plan that was sent back: who asked for it
    asker_id: int | None = None  # the id of that person


@dataclass(frozen=True)
class ConcernedAccount:
    name: str
    account_id: int
    account_run_id: int | None  # the account run that shows it
    by_drift: bool = False  # the account's drift shows it
    uses_oauth: bool = False
    run_id: int | None = None
    run_mode: str = ""
    words: str = ""  # what was reported of this account, as it came; mostly in English


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

    @property
    def reports(self) -> list[tuple[str, str]]:
        """Returns (words, accounts) of what was reported, equal words once."""
        names: dict[str, list[str]] = defaultdict(list)
        for account in self.accounts:
            if account.words:
                names[account.words].append(account.name)
        return [(words, ", ".join(called[:8]) + (" …" if len(called) > 8 else "")) for words, called in names.items()]


def needs(known: Sequence[Any]) -> list[Need]:
    """Returns the worst needs first, then those that concern the most accounts; `known`: those of `fleet_accounts`."""
    now = timezone.now()
    accounts = [account for account in known if _is_troubled(account, now)]
    unwell = {account.pk for account in accounts if account.health not in HEALTH_FINE}
    concerned: dict[Concern, list[ConcernedAccount]] = defaultdict(list)
    for concern, account in (
        *_of_connections(accounts, now),
        *_of_last_account_runs(unwell),
        *_of_edits(known),
        *_of_healing(),
    ):
        concerned[concern].append(account)
    rank = {badges.BAD: 0, badges.WARN: 1}
    ordered = sorted(
        concerned.items(),
        key=lambda item: (rank.get(badges.tone(item[0].state), 2), item[0].state == "manual", -len(item[1])),
    )
    return [Need(concern, tuple(accounts)) for concern, accounts in ordered]


def _is_troubled(account: Account, now: datetime) -> bool:
    """Tells whether the connection does not work, or ends soon."""
    if account.health not in HEALTH_FINE:
        return True
    return bool(account.token_expires_at and now < account.token_expires_at <= now + expiry.SOON * expiry.DAY)


def automation_needs(troubles: Iterable[AutomationTrouble]) -> list[Need]:
    """Returns a need for each trouble of the automation."""
    return [Need(_of_trouble(trouble), ()) for trouble in troubles]


def held_needs(runs: Iterable[SyncRun]) -> list[Need]:
    """Returns a need for each of the runs whose next wave waits for a person."""
    label, title = _("Waits for Continue"), _("Run %(number)d")
    text = _("The next wave starts when somebody continues the run.")
    held = [run for run in runs if run.is_open and run.wave_held and not run.cancel_requested_at]
    return [
        Need(Concern("held", label, title % {"number": run.pk}, text, run_id=run.pk, wave=run.wave + 1), ())
        for run in held
    ]


def _of_trouble(trouble: AutomationTrouble) -> Concern:
    is_late = trouble.code in OVERDUE
    state, label = ("overdue", _("Overdue")) if is_late else ("skipped_time", _("Did not start"))
    return Concern(state, label, trouble.group or label, trouble.message, trouble.remedy)


def _of_connections(accounts: Iterable[Account], now: datetime) -> Iterator[tuple[Concern, ConcernedAccount]]:
    """Yields the connections that do not work, and those that end soon."""
    for account in accounts:
        if account.health not in HEALTH_FINE:
            label, text = str(account.get_health_display()), state_sentence(account.health)
            concern = Concern(account.health, label, label, text, health_remedy(account.health))
            yield concern, _connected(account, str(account), translated(account.health_reason))
        if account.health not in HEALTH_NEEDS_CONNECTING and (days := expiry.days_of(account, now)) <= expiry.SOON:
            # Concerns differ by urgency, not by day, so that accounts in the same situation stand together.
            label, state = _("Token expires soon"), "expires_now" if days <= expiry.URGENT else "expires_soon"
            if account.uses_oauth:
                remedy = _(
                    "These connections did not renew themselves. "
                    "Check them; the history of each account shows the reason."
                )
            else:
                remedy = _("Make a new long-lived token in the account and store it, or connect the account by OAuth.")
            name = f"{account} ({expiry.in_days(days)})"
            yield Concern(state, label, label, remedy), _connected(account, name)


def _connected(account: Account, name: str, words: str = "") -> ConcernedAccount:
    return ConcernedAccount(name, account.pk, None, uses_oauth=account.uses_oauth, words=words)


def _of_last_account_runs(unwell: Collection[int]) -> Iterator[tuple[Concern, ConcernedAccount]]:
    """Yields the concerns of the last finished account run of every slave; `unwell`: accounts in bad health.

    Only those lists of its document are loaded that somebody has to see to.
    """
    ended = AccountRun.objects.filter(account=OuterRef("pk")).exclude(state__in=ACCOUNT_OPEN)
    slaves = Account.objects.filter(role=Account.Role.SLAVE).order_by()
    last = slaves.annotate(account_run=Subquery(ended.order_by("-pk").values("pk")[:1])).values("account_run")
    account_runs = AccountRun.objects.filter(pk__in=last).order_by("account__subdomain")
    rows = account_runs.values(
        "pk", "account", "account__name", "account__subdomain", "state", "reason", "error",
        "document__conflicts", "document__manual", "run", "run__purpose", "run__trigger",
        "run__mode", "run__group__requires_approval", "run__sent_back_by", "run__sent_back_comment",
        "run__requester_name", "run__requester_user_id",
    )  # fmt: skip
    for row in rows:
        name = row["account__name"] or row["account__subdomain"]
        account = ConcernedAccount(name, row["account"], row["pk"], run_id=row["run"], run_mode=row["run__mode"])
        for concern in _concerns_of(row, row["account"] in unwell):
            words = translated((row["error"] or {}).get("message", "")) if concern.state in TROUBLED else ""
            yield concern, replace(account, words=words)


def _concerns_of(row: Mapping[str, Any], is_unwell: bool) -> Iterator[Concern]:
    # Where the connection is at fault, its own line says it better.
    is_connection = is_unwell and row["reason"] in HEALTH_OF_CODE
    if row["state"] in TROUBLED and not is_connection:
        error = row["error"] or {}
        label = str(AccountState(row["state"]).label)
        if row["reason"] or error or not row["document__conflicts"]:
            reason, remedy = row["reason"], reason_remedy(row["reason"]) or translated(error.get("remedy", ""))
            title, text = reason_label(reason) or label, reason_sentence(reason) or state_sentence(row["state"])
            yield Concern(row["state"], label, title, text, remedy, reason)
    # What a drift check found has lines of its own.
    by_itself = row["run__trigger"] in (*REVIEWED, Trigger.HEAL)
    waits = row["state"] == AccountState.PLANNED and (by_itself or row["run__group__requires_approval"])
    if row["state"] == AccountState.PLANNED and row["run__sent_back_by"]:
        title = _("Run %(number)d") % {"number": row["run"]}
        text = f"{row['run__sent_back_by']}: {row['run__sent_back_comment']}"
        remedy = _("Change what the comment asks for, then plan again.")
        asker_id = row["run__requester_user_id"]
        asked_by = row["run__requester_name"] if asker_id else ""
        yield Concern("sent_back", _("Plan sent back"), title, text, remedy, asked_by=asked_by, asker_id=asker_id)
    elif waits and not purpose_of(row["run__purpose"]).is_own_topic:
        title = _("Run %(number)d") % {"number": row["run"]}
        text = _("Nothing is written until somebody approves this plan.")
        remedy = _("Look at the run, then press Approve there.")
        yield Concern(row["state"], _("Waits for approval"), title, text, remedy)
    for kind, label, name in (("conflict", _("Conflict"), "conflicts"), ("manual", _("By hand"), "manual")):
        for item in row[f"document__{name}"] or []:
            where = f" ({item['parent']})" if item.get("parent") else ""
            yield Concern(kind, label, f"{item['name']}{where}", translated(item.get("message", "")))


def _of_edits(accounts: Iterable[Any]) -> Iterator[tuple[Concern, ConcernedAccount]]:
    """Yields the edits of slaves."""
    remedy = _(
        "See the differences on its drift page, then revert them, accept them as exceptions, or "
        "promote them to the master."
    )
    slaves = (each for each in accounts if each.role == Account.Role.SLAVE)
    for account, edit in ((each, edit) for each in slaves for edit in slave_edits(each.edited_rows or ())):
        where = f" ({edit.parent})" if edit.parent else ""
        if edit.action == "create":
            text = _("Somebody deleted it in the account.")
        elif edit.action == "delete":
            text = _("Somebody made it in the account; the policy deletes it.")
        else:
            text = _("Somebody edited it in the account.")
        concern = Concern("edited", _("Edited in accounts"), f"{edit.name}{where}", text, remedy)
        yield concern, ConcernedAccount(str(account), account.pk, None, by_drift=True)


def _of_healing() -> Iterator[tuple[Concern, ConcernedAccount]]:
    """Yields the items that are not put back any more, as somebody or something keeps changing them."""
    remedy = _(
        "Find out who or what edits it in this account. Then choose on the account's drift page what happens to edits "
        "of this item, or put it back by hand."
    )
    for each in given_up():
        title = f"{kind_label(each.kind)} {each.name}" + (f" ({each.parent})" if each.parent else "")
        concern = Concern("given_up", _("Edited again and again"), title, each.sentence, remedy)
        yield concern, ConcernedAccount(each.account, each.account_id, None, by_drift=True)
