"""Makes the rows of a new run: the run, its accounts, and who asked for it, in one commit."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import clock
from accounts.actors import Actor
from accounts.models import Account, SyncGroup
from accounts.refusals import Refusal
from syncing.leases import dispatch
from syncing.models import (
    AccountRun,
    AccountState,
    AuditAction,
    RunMode,
    RunPurpose,
    RunType,
    SyncRun,
)
from syncing.purposes import purpose_of
from syncing.records.text import clean, short
from syncing.services import audit
from syncing.services.runs import holds, joining, wave_split
from syncing.services.runs.close import close_run

logger = logging.getLogger(__name__)


# What may differ between orders that are one; `picked` is compared with the rows.
ALONE = ("force_reason", "picked", "name", "wish", "first_attempt")


@dataclass(frozen=True)
class Started:
    """A run that was asked for; `joined`: it was waiting already."""

    run: SyncRun
    joined: bool


@dataclass(frozen=True)
class Order:
    """The task of a run; two runs with equal orders for the same accounts are one."""

    group: SyncGroup
    type: str = RunType.FULL
    mode: str = RunMode.APPLY
    purpose: str = RunPurpose.SYNC
    forced: bool = False
    force_reason: str = ""
    approved_plan: SyncRun | None = None
    reverts: SyncRun | None = None
    source: Account | None = None
    picked: list[dict[str, Any]] = field(default_factory=list)
    delta: bool = False
    name: str = ""
    wish: str = ""
    first_attempt: SyncRun | None = None

    @classmethod
    def like(cls, run: SyncRun, **other: Any) -> "Order":
        """Returns the order of `run`, changed by `other`."""
        names = ("group", "type", "mode", "purpose", "approved_plan", "reverts", "source", "picked", "name", "wish")
        return cls(**{name: getattr(run, name) for name in names} | other)

    @property
    def facts(self) -> dict[str, Any]:
        """Returns the columns of the run."""
        return dict(vars(self))

    @property
    def same(self) -> dict[str, Any]:
        """Returns the columns in which runs for the same accounts have to be equal to be one."""
        return {name: value for name, value in vars(self).items() if name not in ALONE}

    @property
    def is_for_triggers(self) -> bool:
        """Tells whether it is what a trigger asks for: nothing that somebody approved, forced or takes back."""
        return self.purpose == RunPurpose.SYNC and self.approved_plan is None and not self.forced


@contextmanager
def locked(group: SyncGroup) -> Iterator[SyncGroup]:
    """Opens a transaction with the group's row locked: of two triggers at once the second sees the first's run."""
    with transaction.atomic():
        yield SyncGroup.objects.select_for_update().get(pk=group.pk)


def approval_needed(group: SyncGroup, remedy: str) -> Refusal:
    """Returns the refusal of a run that would write into a group where plans need approval."""
    message = _("In the group %(group)s a run writes only what was planned and approved before.")
    return Refusal("approval_needed", message % {"group": group.name}, remedy)


def require_unpaused(accounts: Sequence[Account]) -> None:
    """Raises Refusal when all of the accounts are paused."""
    if all(account.is_paused for account in accounts):
        raise Refusal("paused", _("All of these accounts are paused."), _("Resume at least one of them first."))


def require_free(order: Order, by: Actor) -> None:
    """Raises Refusal for what people ask for while the group is paused, or frozen and the run would write."""
    if by.via in holds.BY_HAND:
        is_forceable = purpose_of(order.purpose).compares_with_master and order.approved_plan is None
        holds.require_free(order.group, mode=order.mode, forced=order.forced, forceable=is_forceable)


def make_run(
    order: Order,
    accounts: Sequence[Account],
    *,
    by: Actor,
    whole_group: bool = False,
    digests: Mapping[int, str] | None = None,
    to_workers: bool = True,
    may_wait: bool = False,
) -> Started:
    """Makes the run for `accounts`, or joins the same one that still waits; to be called inside `locked`.

    `digests`: of the approved plans, by account id. `to_workers` hands it to the lanes. While the group is frozen or
    paused, what people ask for is refused, unless it `may_wait`; everything else waits. Raises Refusal.
    """
    if order.group.requires_approval and order.mode == RunMode.APPLY and order.approved_plan is None:
        remedy = _("Start a plan and approve it: on its page, with `manage.py approve RUN`, or by the REST API.")
        raise approval_needed(order.group, remedy)
    if not may_wait:
        require_free(order, by)
    if joined := _join_waiting(order, accounts, by=by, to_workers=to_workers):
        return joined
    run = _write_rows(order, accounts, by, digests or {}, whole_group=whole_group, queued_to_workers=to_workers)
    _note_start(run, by, accounts=len(accounts))
    transaction.on_commit(partial(log_request, run, by, "created"))
    if close_run(run.pk):  # all of them are paused: not even the master is read
        run.refresh_from_db()
    elif to_workers:
        dispatch.call_lanes()
    return Started(run, False)


def requester_columns(by: Actor) -> dict[str, Any]:
    """Returns the columns of a run that say who asked for it."""
    return {
        "requested_by": by.user,
        "requester_name": clean(by.name)[:150],
        "requester_user_id": by.user_id,
        "requester_username": by.username,
        "requester_key_id": by.key_id,
    }


def _write_rows(
    order: Order, accounts: Sequence[Account], by: Actor, digests: Mapping[int, str], **others: bool
) -> SyncRun:
    """Writes a run (with `others` of its columns) and its account runs; accounts that are paused are skipped.

    What a trigger starts while, or soon after, one of the same runs waits until no more triggers come.
    """
    columns = {**order.facts, **requester_columns(by), "trigger": by.via, **others}
    if by.via in joining.TRIGGERS and order.is_for_triggers:
        same = {name: order.facts[name] for name in joining.SAME}
        if before := joining.run_before(order.group, same, [account.pk for account in accounts]):
            columns |= {"joins_triggers": True, "note": short(joining.sentence(before, order.group))}
    run = SyncRun.objects.create(**columns)
    skipped = {"state": AccountState.SKIPPED, "reason": "paused", "finished_at": clock.now()}
    account_runs = []
    for account in accounts:
        state = skipped if account.is_paused else {}
        account_runs.append(AccountRun(run=run, account=account, approved_digest=digests.get(account.pk, ""), **state))
    AccountRun.objects.bulk_create(wave_split.number(run, account_runs))
    return run


def _note_start(run: SyncRun, by: Actor, **more: Any) -> None:
    details = {"type": run.type, "mode": run.mode, "purpose": run.purpose, **more}
    related = {"approved_plan": run.approved_plan_id, "reverts": run.reverts_id}
    details |= {name: number for name, number in related.items() if number}
    audit.note(AuditAction.STARTED, by=by, run=run, details=details)


def log_request(run: SyncRun, by: Actor, what: str) -> None:
    """Logs who asked for a run; `what`: it was created, or joined, which any number of triggers do."""
    ids = {"run": run.pk, "group": run.group_id}
    logger.info("run %s %s: %s, %s, by %s (%s)", run.pk, what, run.type, run.mode, by.name, by.via, extra=ids)


def _join_waiting(order: Order, accounts: Sequence[Account], *, by: Actor, to_workers: bool) -> Started | None:
    """Joins the run for the same order and accounts whose master nobody has begun to read, if there is one.

    With `to_workers`, a run that waits for its own process is given to them. A person who asks does not wait until no
    more triggers come.
    """
    wanted = {account.pk for account in accounts}
    waiting = joining.not_begun(by).filter(**order.same)
    for run in waiting.select_for_update().order_by("-pk"):
        present = set(run.account_runs.values_list("account_id", flat=True))
        if run.picked == order.picked and present == wanted:
            if joining.is_worth_noting(run, by):
                _note_start(run, by, joined=True)
            changes: dict[str, Any] = {}
            if to_workers and not run.queued_to_workers:
                changes["queued_to_workers"] = True
            if run.joins_triggers and by.via in joining.PERSONS:
                changes |= {"joins_triggers": False, "note": ""}
            if changes:
                SyncRun.objects.filter(pk=run.pk).update(**changes)
                run.refresh_from_db(fields=list(changes))
                dispatch.call_lanes()
            log_request(run, by, "joined")
            return Started(run, True)
    return None
