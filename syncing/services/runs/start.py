"""Starts and cancels runs for operators, schedules and webhooks."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts import clock
from accounts.actors import Actor
from accounts.models import SECRETS, Account, SyncGroup
from accounts.refusals import Refusal
from syncing.models import (
    AUTOMATIC,
    RUN_OPEN,
    AccountRun,
    AccountState,
    AuditAction,
    RunMode,
    RunPurpose,
    RunType,
    SyncRun,
    Trigger,
)
from syncing.policy import scope_of
from syncing.records.log import log
from syncing.services import audit
from syncing.services.runs import joining
from syncing.services.runs.close import close_run
from syncing.services.runs.create import Order, Started, locked, log_request, make_run, require_free, require_unpaused

__all__ = ["PERMISSION", "Started", "allowed_mode", "cancel_run", "close_run", "start_order", "start_run"]

PERMISSION = {RunMode.PLAN: "syncing.plan_sync", RunMode.APPLY: "syncing.start_sync"}
UNATTENDED = (Trigger.WEBHOOK, *AUTOMATIC)


def start_run(
    *,
    group: SyncGroup,
    type: str = RunType.FULL,
    mode: str = RunMode.APPLY,
    by: Actor,
    purpose: str = RunPurpose.SYNC,
    accounts: Sequence[Account] | None = None,
    forced: bool = False,
    force_reason: str = "",
    to_workers: bool = True,
    delta: bool = False,
    picked: Sequence[Mapping[str, Any]] = (),
    may_wait: bool = False,
    name: str = "",
    wish: str = "",
) -> Started:
    """Makes a run of this order (`start_order`); `name`, `wish`: what people call it, and what it is for.

    `delta`: accounts that are known to equal the master before are read only where it has changed. `picked`: the run
    is about these items alone, and deletes nothing (see SyncRun). Raises Refusal.
    """
    order = Order(group, type, mode, purpose, forced, audit.tidy(force_reason), delta=delta)
    name, wish = audit.tidy(name, audit.LONGEST_NAME), audit.tidy(wish)
    order = replace(order, picked=[*map(dict, picked)], name=name, wish=wish)
    return start_order(order, accounts, by=by, to_workers=to_workers, may_wait=may_wait)


def start_order(
    order: Order, accounts: Sequence[Account] | None, *, by: Actor, to_workers: bool = True, may_wait: bool = False
) -> Started:
    """Makes a run for `accounts` (None: every slave of the group), or joins the same one that still waits.

    `to_workers` hands it to the lanes, else the caller works it itself. Where plans need approval, a machine that
    nobody attends to plans. `may_wait`: while the group is frozen or paused it waits, though a person asks. Raises
    Refusal.
    """
    if order.forced and not order.force_reason:
        raise Refusal("no_reason", _("A forced run needs a reason."), _("Give a reason with --reason TEXT."))
    if by.via in joining.TRIGGERS and to_workers and (joined := _joined_without_lock(order, accounts, by)):
        if not may_wait:
            require_free(order, by)
        log_request(joined, by, "joined")
        return Started(joined, True)
    with locked(order.group) as group:
        _check_group(group, order.type)
        order, slaves = _as_allowed(replace(order, group=group), by), _slaves(group, accounts)
        started = make_run(order, slaves, by=by, whole_group=accounts is None, to_workers=to_workers, may_wait=may_wait)
        if order.forced:
            audit.note(AuditAction.OVERRODE, by=by, run=started.run, reason=order.force_reason)
    return started


def _joined_without_lock(order: Order, accounts: Sequence[Account] | None, by: Actor) -> SyncRun | None:
    """Returns the run that the trigger joins by reading alone: so a burst does not queue for the one writer of SQLite.

    Whoever begins to read the master does so after the trigger came, even if it is this very moment.
    """
    if accounts is not None:
        wanted = {account.pk for account in accounts}
    else:
        slaves = Account.objects.filter(group=order.group, role=Account.Role.SLAVE).order_by()
        wanted = set(slaves.values_list("pk", flat=True))
    return joining.waiting_for_workers(_as_allowed(order, by).same, wanted, by)


def _as_allowed(order: Order, by: Actor) -> Order:
    """Returns the order as a plan when a machine that nobody attends to asks where plans need approval."""
    return replace(order, mode=RunMode.PLAN) if order.group.requires_approval and by.via in UNATTENDED else order


def _check_group(group: SyncGroup, run_type: str) -> None:
    """Raises Refusal for a type that the policy does not cover, and for a master that is missing or paused."""
    if scope_of(run_type, group) is None:
        raise Refusal(
            "not_in_policy",
            _("The policy of the group %(group)s does not cover this type of run.") % {"group": group.name},
            _("Choose another type, or change the group's policy."),
        )
    master = master_of(group)
    if master.is_paused:
        raise Refusal(
            "paused", _("The master %(master)s is paused.") % {"master": master.subdomain}, _("Resume it first.")
        )


def allowed_mode(group: SyncGroup) -> RunMode:
    """Returns the mode of a run that goes as far as the group lets it: where plans need approval it only plans."""
    return RunMode.PLAN if group.requires_approval else RunMode.APPLY


def master_of(group: SyncGroup) -> Account:
    """Returns the master of the group; raises Refusal when it has none."""
    master = Account.objects.filter(group=group, role=Account.Role.MASTER).defer(*SECRETS).first()
    if master is None:
        raise Refusal(
            "no_master",
            _("The group %(group)s has no master.") % {"group": group.name},
            _("Give one of its accounts the role of the master."),
        )
    return master


def _slaves(group: SyncGroup, accounts: Sequence[Account] | None) -> list[Account]:
    """Returns the slaves of the group, or those of them that `accounts` names; raises Refusal if none can be worked.

    An account that is named is skipped while it is paused, like any other.
    """
    slaves = list(Account.objects.filter(group=group, role=Account.Role.SLAVE).defer(*SECRETS).order_by("pk"))
    if accounts is not None:
        wanted = {account.pk: account.subdomain for account in accounts}
        foreign = sorted(wanted[pk] for pk in wanted.keys() - {slave.pk for slave in slaves})
        if foreign:
            raise Refusal(
                "not_a_slave",
                _("Not a slave of the group %(group)s: %(accounts)s.")
                % {"group": group.name, "accounts": ", ".join(foreign)},
                _("Name only slaves of one group."),
            )
        slaves = [slave for slave in slaves if slave.pk in wanted]
    if not slaves:
        raise Refusal(
            "no_slaves",
            _("There is no slave to sync in the group %(group)s.") % {"group": group.name},
            _("Add accounts to the group, or name some."),
        )
    if accounts is None:
        require_unpaused(slaves)
    return slaves


def cancel_run(run: SyncRun, *, by: Actor) -> bool:
    """Stops `run`: waiting accounts at once, those in work between two requests; ended runs stay as they are.

    Returns False if it had ended, or was being stopped already.
    """
    moment = clock.now()
    with transaction.atomic():
        mine = SyncRun.objects.filter(pk=run.pk, state__in=RUN_OPEN, cancel_requested_at=None)
        if not mine.update(cancel_requested_at=moment):
            return False
        waiting = AccountRun.objects.filter(run=run, state=AccountState.QUEUED)
        waiting.update(state=AccountState.CANCELLED, reason="cancelled", finished_at=moment, lease_until=None)
        sentence = gettext_noop("Cancelled by %(who)s.") if by.user else gettext_noop("Cancelled.")
        log(run.pk, sentence, facts={"who": by.name}, code="cancelled", level="warning")
        details = {"mode": run.mode, "purpose": run.purpose}
        audit.note(AuditAction.CANCELLED, by=by, run=run, details=details)
    close_run(run.pk)
    run.refresh_from_db()
    return True
