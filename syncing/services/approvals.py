"""Approves reviewed plans, or sends them back.

An approved plan run becomes a run that may do exactly what was planned, account by account.
"""

from collections.abc import Sequence

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from accounts import clock
from accounts.actors import Actor
from accounts.models import Account, SyncGroup
from accounts.refusals import Refusal
from syncing.models import (
    RUN_OPEN,
    AccountRun,
    AccountState,
    AuditAction,
    KeyScope,
    RunMode,
    SyncRun,
)
from syncing.notifications import notices
from syncing.purposes import APPROVE, PROMOTE, purpose_of
from syncing.records.text import clean
from syncing.selectors.approvals import REVIEWABLE
from syncing.services import audit
from syncing.services.actors import who_asked_for
from syncing.services.runs.create import Order, Started, locked, make_run, require_unpaused
from syncing.services.runs.retry import STALE, follow, still_there

SCOPES = {APPROVE: KeyScope.APPROVE, PROMOTE: KeyScope.PROMOTE}
APPLIED = (AccountState.CHANGED, AccountState.IN_SYNC)


def approve(
    plan: SyncRun, *, by: Actor, accounts: Sequence[Account] | None = None, reason: str = "", to_workers: bool = True
) -> Started:
    """Starts the run that carries out `plan` for `accounts` (None: all that have a plan to approve).

    It reads and plans each account anew, and writes only where the plan is still the approved one. Raises Refusal.
    """
    with locked(plan.group) as group:
        plan.refresh_from_db()
        _check_plan(plan)
        _check_approver(group, plan, by)
        account_runs = _chosen(plan, accounts)
        members = still_there(plan, account_runs)
        if accounts is None:
            require_unpaused(members)
        # A drift check's plan is applied by an ordinary sync; a plan without limits is applied without limits.
        purpose = purpose_of(plan.purpose).applied_as or plan.purpose
        limits = {"forced": plan.forced, "force_reason": plan.force_reason}
        started = make_run(
            Order.like(plan, mode=RunMode.APPLY, approved_plan=plan, purpose=purpose, **limits),
            members,
            by=by,
            whole_group=plan.whole_group and accounts is None,
            digests=dict(account_runs.values_list("account", "plan_digest")),
            to_workers=to_workers,
        )
        details = {"applied_by": started.run.pk, "accounts": [member.subdomain for member in members]}
        audit.note(AuditAction.APPROVED, by=by, run=plan, reason=reason, details=details)
    return started


def send_back(plan: SyncRun, *, by: Actor, comment: str) -> None:
    """Takes what is left of `plan` from approval, for good, and says why; raises Refusal.

    Whoever asked for the plan may send it back, too. What was approved before goes on.
    """
    comment = audit.tidy(comment)
    if not comment:
        raise Refusal("no_reason", _("A plan is sent back with a comment."), _("Say what should be different."))
    with locked(plan.group):
        plan.refresh_from_db()
        _check_plan(plan)
        _check_permissions(plan, by)
        plan.sent_back_at, plan.sent_back_by, plan.sent_back_comment = clock.now(), clean(by.name)[:150], comment
        plan.save(update_fields=["sent_back_at", "sent_back_by", "sent_back_comment"])
        audit.note(AuditAction.SENT_BACK, by=by, run=plan, reason=comment)
        notices.plan_sent_back(plan)


def approvable(plan: SyncRun) -> QuerySet[AccountRun]:
    """Returns the accounts whose plans can be approved: neither carried out already nor known to be out of date."""
    if plan.sent_back_at:
        return plan.account_runs.none()
    later = AccountRun.objects.filter(run__approved_plan=plan, account=OuterRef("account"))
    settled = later.filter(Q(state__in=APPLIED) | Q(reason=STALE))
    return plan.account_runs.filter(~Exists(settled), state=AccountState.PLANNED).exclude(plan_digest="")


def check(plan: SyncRun, *, by: Actor) -> None:
    """Raises Refusal for a plan that cannot be approved now, at all or by them."""
    _check_plan(plan)
    _check_approver(plan.group, plan, by)
    _chosen(plan, None)


def can_be_approved(plan: SyncRun, *, by: Actor) -> bool:
    try:
        check(plan, by=by)
    except Refusal:
        return False
    return True


def may_approve(plan: SyncRun, by: Actor) -> bool:
    """Tells whether the permissions (of a key: the scopes) suffice, whatever the state of the plan."""
    return not _lacking(plan, by)


def is_approvable(plan: SyncRun) -> bool:
    """Tells whether there is something to approve, whoever does it."""
    return plan.mode == RunMode.PLAN and plan.state in REVIEWABLE and approvable(plan).exists()


def stale(run: SyncRun) -> QuerySet[AccountRun]:
    """Returns the accounts that were not written because they had changed since they were reviewed."""
    return run.account_runs.filter(state=AccountState.REFUSED, reason=STALE)


def review_again(run: SyncRun, *, by: Actor, to_workers: bool = True) -> Started:
    """Starts a new plan run for exactly the accounts of `run` that are stale; raises Refusal."""
    if run.is_open:
        raise Refusal(
            "still_open", _("Run %(run)d has not ended.") % {"run": run.pk}, _("Wait for its end, or cancel it.")
        )
    if not stale(run).exists():
        raise Refusal(
            "nothing_stale",
            _("No account of run %(run)d changed since it was reviewed.") % {"run": run.pk},
            _("Start a new plan, or retry what failed."),
        )
    return follow(run, stale(run), by=by, to_workers=to_workers, mode=RunMode.PLAN, approved_plan=None)


def _check_plan(plan: SyncRun) -> None:
    """Raises Refusal for a run that is no plan, or whose plan is not to be approved any more."""
    facts = {"run": plan.pk, "state": plan.get_state_display()}
    if plan.mode != RunMode.PLAN:
        raise Refusal("no_plan", _("Run %(run)d is not a plan.") % facts, _("Name a run that planned."))
    if plan.is_open:
        raise Refusal("still_open", _("Run %(run)d has not ended.") % facts, _("Wait for its end."))
    if plan.state not in REVIEWABLE:
        raise Refusal("no_plan", _("Run %(run)d has no plan to approve: %(state)s.") % facts, _("Plan again."))
    if plan.sent_back_at:
        raise Refusal(
            "sent_back",
            _("The plan of run %(run)d was sent back by %(who)s: %(comment)s")
            % {**facts, "who": plan.sent_back_by, "comment": plan.sent_back_comment},
            _("Change what the comment asks for, then plan again."),
        )
    applying = SyncRun.objects.filter(approved_plan=plan, state__in=RUN_OPEN).first()
    if applying is not None:
        raise Refusal(
            "already_approved",
            _("Run %(run)d was already approved; run %(other)d applies it.") % {**facts, "other": applying.pk},
            _("Wait for its end."),
        )


def _check_permissions(plan: SyncRun, by: Actor) -> None:
    """Raises Refusal if they lack a permission, or a scope, to approve."""
    lacking = _lacking(plan, by)
    if lacking:
        raise Refusal(
            "not_allowed",
            _("%(who)s may not approve run %(run)d: %(permissions)s is missing.")
            % {"who": by.name, "run": plan.pk, "permissions": ", ".join(lacking)},
            _("Ask somebody who may."),
        )


def _check_approver(group: SyncGroup, plan: SyncRun, by: Actor) -> None:
    """Raises Refusal if they may not approve, or where another person has to than who asked."""
    _check_permissions(plan, by)
    # Who only joined a plan that waited already did not ask for it.
    if group.approver_must_differ and by.is_same_person_as(who_asked_for(plan)):
        raise Refusal(
            "same_person",
            _("%(who)s asked for the plan and so cannot approve it.") % {"who": by.name},
            _("In the group %(group)s another person has to approve.") % {"group": group.name},
        )


def _lacking(plan: SyncRun, by: Actor) -> list[str]:
    """Returns the permissions, or scopes of their key, that they lack to approve `plan`."""
    lacking: list[str] = []
    for permission in purpose_of(plan.purpose).approved_by:
        if by.key is not None and SCOPES[permission] not in by.key.scopes:
            lacking.append(SCOPES[permission].value)
        elif not by.has(permission):
            lacking.append(permission)
    return lacking


def _chosen(plan: SyncRun, accounts: Sequence[Account] | None) -> QuerySet[AccountRun]:
    """Returns the account runs to approve; raises Refusal when there is none, or none for an account that is named."""
    account_runs = approvable(plan)
    if accounts is not None:
        wanted = {account.pk: account.subdomain for account in accounts}
        account_runs = account_runs.filter(account__in=wanted)
        missing = sorted(wanted[pk] for pk in wanted.keys() - set(account_runs.values_list("account", flat=True)))
        if missing:
            raise Refusal(
                "not_planned",
                _("Run %(run)d has no plan to approve for: %(accounts)s.")
                % {"run": plan.pk, "accounts": ", ".join(missing)},
                _("Name only accounts whose plan is not applied yet, or plan again."),
            )
    if not account_runs.exists():
        raise Refusal(
            "nothing_to_approve",
            _("Run %(run)d has nothing to approve: no account with a plan is left.") % {"run": plan.pk},
            _("Plan again, or review again the accounts that have changed in the meantime."),
        )
    return account_runs
