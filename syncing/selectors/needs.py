"""Reads for "needs somebody": connections, accounts that failed, conflicts, manual items, edits, approvals.

Equal concerns are listed once, with the accounts that have them.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import expiry
from accounts.models import HEALTH_FINE, HEALTH_NEEDS_CONNECTING, Account
from accounts.own_words import translated
from accounts.services.health.verdicts import HEALTH_OF_CODE
from syncing.models import ACCOUNT_BAD, ACCOUNT_OPEN, AccountRun, AccountState, RunMode, SyncRun, run_title
from syncing.presentation import badges
from syncing.presentation.explanations import (
    health_remedy,
    reason_label,
    reason_remedy,
    reason_sentence,
    state_sentence,
)
from syncing.presentation.labels import kind_label
from syncing.selectors.approvals import waiting_plans
from syncing.selectors.automation import OVERDUE, AutomationTrouble
from syncing.selectors.drift import slave_edits
from syncing.selectors.healing import given_up

Row = Mapping[str, Any]  # columns of an account run

UNTOLD = (*ACCOUNT_OPEN, AccountState.SKIPPED, AccountState.CANCELLED)  # such an end says nothing about the account
# Reasons that are over once the account was read; of missing rights and conflicts there are other lines.
PROVED_BY_READING = frozenset(HEALTH_OF_CODE) - {"server_error"} | {"conflict"}


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
    is_connectable: bool = False  # by OAuth, with the integration that it has
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


def needs(known: Sequence[Any], account_id: int | None = None) -> list[Need]:
    """Returns the worst needs first, then those that concern the most accounts; `known`: those of `fleet_accounts`.

    `account_id`: of this account alone; it is all that is `known`.
    """
    now = timezone.now()
    accounts = [account for account in known if _is_troubled(account, now)]
    unwell = {account.pk for account in accounts if account.health not in HEALTH_FINE}
    concerned: dict[Concern, list[ConcernedAccount]] = defaultdict(list)
    for concern, account in (
        *_of_connections(accounts, now),
        *_of_account_runs(unwell, account_id),
        *_of_edits(known),
        *_of_healing(account_id),
    ):
        concerned[concern].append(account)
    rank = {badges.BAD: 0, badges.WARN: 1}
    ordered = sorted(
        concerned.items(),
        key=lambda item: (rank.get(badges.tone(item[0].state), 2), item[0].state == "manual", -len(item[1])),
    )
    return [Need(concern, tuple(accounts)) for concern, accounts in ordered]


def with_remedies_once(needs: Iterable[Need]) -> list[Need]:
    """Brings needs of one kind together, at the place of the first; of those that share a remedy only one says it."""
    kinds: dict[tuple[str, str], list[Need]] = defaultdict(list)
    for need in needs:
        kinds[need.concern.state, need.concern.remedy].append(need)
    return [
        need if place == 0 else replace(need, concern=replace(need.concern, remedy=""))
        for alike in kinds.values()
        for place, need in enumerate(alike)
    ]


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
    label = _("Waits for Continue")
    text = _("The next wave starts when somebody continues the run.")
    held = [run for run in runs if run.is_open and run.wave_held and not run.cancel_requested_at]
    return [Need(Concern("held", label, str(run), text, run_id=run.pk, wave=run.wave + 1), ()) for run in held]


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


def _connected(account: Any, name: str, words: str = "") -> ConcernedAccount:
    facts = {"uses_oauth": account.uses_oauth, "is_connectable": account.is_connectable}
    return ConcernedAccount(name, account.pk, None, **facts, words=words)


def _of_account_runs(unwell: Collection[int], account_id: int | None) -> Iterator[tuple[Concern, ConcernedAccount]]:
    """Yields the concerns of the account runs that still tell something; `unwell`: accounts in bad health.

    Only those lists of a document are loaded that somebody has to see to.
    """
    waiting = waiting_plans()
    slaves = Account.objects.filter(role=Account.Role.SLAVE).order_by()
    if account_id is not None:
        waiting, slaves = waiting.filter(account=account_id), slaves.filter(pk=account_id)
    pks = _youngest(slaves).union(_youngest(slaves, mode=RunMode.APPLY), waiting.values("pk"))
    account_runs = AccountRun.objects.filter(pk__in=pks).order_by("account__subdomain", "account", "-pk")
    rows = account_runs.annotate(waits=Exists(waiting.filter(pk=OuterRef("pk")))).values(
        "pk", "account", "account__name", "account__subdomain", "account__role", "state", "reason", "error",
        "document__conflicts", "document__manual", "run", "run__purpose", "run__mode", "run__name",
        "run__sent_back_by", "run__sent_back_comment", "run__requester_name", "run__requester_user_id", "waits",
    )  # fmt: skip
    for account_id, group in groupby(rows, key=itemgetter("account")):
        for row, concern in _concerns_of(list(group), account_id in unwell):
            name = row["account__name"] or row["account__subdomain"]
            words = translated((row["error"] or {}).get("message", "")) if concern.state in ACCOUNT_BAD else ""
            facts = {"run_id": row["run"], "run_mode": row["run__mode"], "words": words}
            yield concern, ConcernedAccount(name, account_id, row["pk"], **facts)


def _youngest(slaves: QuerySet[Account], mode: str = "") -> QuerySet[Any]:
    """Selects the ids of the youngest account run of each that came to an end of its own, in any mode or in one."""
    ended = AccountRun.objects.filter(account=OuterRef("pk")).exclude(state__in=UNTOLD).order_by("-pk")
    ended = ended.filter(run__mode=mode) if mode else ended
    return slaves.annotate(account_run=Subquery(ended.values("pk")[:1])).values("account_run")


def _concerns_of(rows: Sequence[Row], is_unwell: bool) -> Iterator[tuple[Row, Concern]]:
    """Yields what is to be seen to by the account runs of one account, the youngest of them first."""
    for row in rows:
        if row["waits"]:
            yield row, _of_plan(row)
    if rows[0]["account__role"] != Account.Role.SLAVE:
        return
    last, writing = rows[0], next((row for row in rows if row["run__mode"] == RunMode.APPLY), None)
    # Where the connection is at fault, its own line says it better.
    if last["state"] in ACCOUNT_BAD and not (is_unwell and last["reason"] in HEALTH_OF_CODE):
        yield from _of_failure(last)
    elif writing is not None and _is_still_so(writing, rows):
        yield from _of_failure(writing)
    for kind, label, name in (("conflict", _("Conflict"), "conflicts"), ("manual", _("By hand"), "manual")):
        for item in last[f"document__{name}"] or []:
            where = f" ({item['parent']})" if item.get("parent") else ""
            yield last, Concern(kind, label, f"{item['name']}{where}", translated(item.get("message", "")))


def _is_still_so(writing: Row, rows: Sequence[Row]) -> bool:
    """Tells whether the last attempt to write has failed, and nothing later says that the next one will not.

    The account was read since, which is no proof for a write: unless there is nothing left to write, or a plan that
    was made since waits for its approval.
    """
    if writing["state"] not in ACCOUNT_BAD or writing["reason"] in PROVED_BY_READING:
        return False
    later = [row for row in rows if row["pk"] > writing["pk"]]
    return bool(later) and not any(row["waits"] or row["state"] == AccountState.IN_SYNC for row in later)


def _of_failure(row: Row) -> Iterator[tuple[Row, Concern]]:
    error = row["error"] or {}
    if not (row["reason"] or error) and row["document__conflicts"]:
        return  # each conflict has a line of its own
    label = str(AccountState(row["state"]).label)
    reason, remedy = row["reason"], reason_remedy(row["reason"]) or translated(error.get("remedy", ""))
    title, text = reason_label(reason) or label, reason_sentence(reason) or state_sentence(row["state"])
    yield row, Concern(row["state"], label, title, text, remedy, reason)


def _of_plan(row: Row) -> Concern:
    title = run_title(row["run"], row["run__purpose"], row["run__mode"], row["run__name"])
    if row["run__sent_back_by"]:
        text = f"{row['run__sent_back_by']}: {row['run__sent_back_comment']}"
        remedy = _("Change what the comment asks for, then plan again.")
        asker_id = row["run__requester_user_id"]
        asked_by = row["run__requester_name"] if asker_id else ""
        return Concern("sent_back", _("Plan sent back"), title, text, remedy, asked_by=asked_by, asker_id=asker_id)
    text = _("Nothing is written until somebody approves this plan.")
    remedy = _("Look at the run, then press Approve there.")
    return Concern(row["state"], _("Waits for approval"), title, text, remedy)


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


def _of_healing(account_id: int | None) -> Iterator[tuple[Concern, ConcernedAccount]]:
    """Yields the items that are not put back any more, as somebody or something keeps changing them."""
    remedy = _(
        "Find out who or what edits it in this account. Then choose on the account's drift page what happens to edits "
        "of this item, or put it back by hand."
    )
    for each in given_up(None if account_id is None else [account_id]):
        title = f"{kind_label(each.kind)} {each.name}" + (f" ({each.parent})" if each.parent else "")
        concern = Concern("given_up", _("Edited again and again"), title, each.sentence, remedy)
        yield concern, ConcernedAccount(each.account, each.account_id, None, by_drift=True)
