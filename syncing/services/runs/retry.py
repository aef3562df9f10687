"""Starts runs that follow from a run: what failed is tried again, what the limits refused is forced."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.models import SECRETS, Account
from accounts.refusals import Refusal
from syncing.models import (
    ACCOUNT_GOOD,
    ACCOUNT_OPEN,
    RUN_OPEN,
    AccountRun,
    AccountState,
    AuditAction,
    RunState,
    SyncRun,
)
from syncing.purposes import purpose_of
from syncing.services import audit
from syncing.services.runs.create import Order, Started, locked, make_run
from syncing.services.runs.start import start_order

GUARD, STALE = "guard", "stale_plan"
FORCE = "syncing.override_limits"


def retry_failed(run: SyncRun, *, by: Actor, to_workers: bool = True, only: tuple[str, str] | None = None) -> Started:
    """Starts a new run of the same kind for the accounts of `run` that are not good; raises Refusal.

    `only`: those that ended in this state for this reason. What an approved run could not do is retried as it was
    approved; what is stale needs a new review.
    """
    bad = run.account_runs.exclude(state__in=ACCOUNT_GOOD)
    if only is not None:
        bad = bad.filter(state=only[0], reason=only[1])
    if run.state in RUN_OPEN:
        raise Refusal(
            "still_open", _("Run %(run)d has not ended.") % {"run": run.pk}, _("Wait for its end, or cancel it.")
        )
    if only is not None and not bad.exists():
        message = _("No account of run %(run)d ended like this.") % {"run": run.pk}
        raise Refusal("nothing_failed", message, _("Load the page of the run again."))
    if not bad.exists():
        raise Refusal(
            "nothing_failed", _("Every account of run %(run)d succeeded.") % {"run": run.pk}, _("Start a new run.")
        )
    if not bad.exclude(reason=STALE).exists():
        raise Refusal(
            "stale_plan",
            _("The accounts of run %(run)d that did not succeed have changed since their review.") % {"run": run.pk},
            _("Press Review again to plan them once more."),
        )
    return follow(run, bad.exclude(reason=STALE), by=by, to_workers=to_workers)


def retry_these(account_runs: QuerySet[AccountRun], *, by: Actor) -> list[Started]:
    """Starts a run like theirs for those of the account runs that are not good; raises Refusal if no run starts."""
    bad = account_runs.exclude(state__in=[*ACCOUNT_GOOD, *ACCOUNT_OPEN]).exclude(reason=STALE)
    runs = SyncRun.objects.filter(pk__in=bad.values("run")).exclude(state__in=RUN_OPEN).select_related("group")
    started = [follow(run, bad.filter(run=run), by=by) for run in runs]
    if not started:
        message = _("Nothing is left to try again: these accounts were worked in the meantime.")
        raise Refusal("nothing_failed", message, _("Look at the overview again."))
    return started


def is_retriable(run: SyncRun) -> bool:
    """Tells whether some account is neither good nor in need of a new review."""
    return run.account_runs.exclude(state__in=ACCOUNT_GOOD).exclude(reason=STALE).exists()


def is_forceable(run: SyncRun) -> bool:
    """Tells whether the limits refused the run, or some of its accounts."""
    return not run.is_open and (_master_refused(run) or refused_by_limits(run).exists())


def refused_by_limits(run: SyncRun) -> QuerySet[AccountRun]:
    return run.account_runs.filter(state=AccountState.REFUSED, reason=GUARD)


def _master_refused(run: SyncRun) -> bool:
    """Tells whether the limits refused the master itself: it shrank, and no account was asked."""
    return run.state == RunState.REFUSED and run.reason == GUARD and not refused_by_limits(run).exists()


def force_again(run: SyncRun, *, by: Actor, reason: str, to_workers: bool = True) -> Started:
    """Starts the run once more without limits, for the accounts that they refused; raises Refusal."""
    if not by.has(FORCE):
        raise Refusal("not_allowed", _("You may not override the limits."), _("Ask somebody who may."))
    reason = audit.tidy(reason)
    if not reason:
        raise Refusal("no_reason", _("A forced run needs a reason."), _("Give a reason."))
    if not is_forceable(run):
        raise Refusal(
            "nothing_refused",
            _("The limits refused no account of run %(run)d.") % {"run": run.pk},
            _("Start a new run, or retry what failed."),
        )
    all_accounts = _master_refused(run)
    return follow(
        run,
        run.account_runs.all() if all_accounts else refused_by_limits(run),
        by=by,
        force_reason=reason,
        whole_group=all_accounts and run.whole_group,
        to_workers=to_workers,
    )


def follow(
    run: SyncRun,
    account_runs: QuerySet[AccountRun],
    *,
    by: Actor,
    force_reason: str = "",
    whole_group: bool = False,
    to_workers: bool = True,
    **other: Any,
) -> Started:
    """Starts a run like `run` (but for `other`) for the accounts of `account_runs`, as they were approved if they were.

    It is forced when there is a `force_reason`. Raises Refusal.
    """
    order = Order.like(run, forced=bool(force_reason), force_reason=force_reason, **other)
    order = replace(order, first_attempt=run.first_attempt or run)
    if purpose_of(order.purpose).compares_with_master and order.approved_plan is None:
        accounts = None if whole_group else still_there(run, account_runs)
        return start_order(order, accounts, by=by, to_workers=to_workers)
    if order.approved_plan and not order.forced:  # what was approved was forced, or was not
        order = replace(order, forced=run.forced, force_reason=run.force_reason)
    digests = dict(account_runs.values_list("account", "approved_digest")) if order.approved_plan else {}
    with locked(run.group) as group:
        order = replace(order, group=group)
        started = make_run(order, still_there(run, account_runs), by=by, digests=digests, to_workers=to_workers)
        if force_reason:
            audit.note(AuditAction.OVERRODE, by=by, run=started.run, reason=force_reason)
    return started


def still_there(run: SyncRun, account_runs: QuerySet[AccountRun]) -> Sequence[Account]:
    """Returns those of the accounts that are in the group yet, in the role they had; raises Refusal if none is."""
    role = purpose_of(run.purpose).role
    rows = Account.objects.filter(pk__in=account_runs.values("account"), group=run.group_id, role=role)
    accounts = list(rows.defer(*SECRETS).order_by("pk"))
    if not accounts:
        raise Refusal(
            "no_slaves",
            _("None of these accounts is in the group %(group)s any more.") % {"group": run.group.name},
            _("Start a new run."),
        )
    return accounts
