"""Exceptions: differences that a person accepts for one account, withdraws again, or has taken back."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import clock
from accounts.actors import Actor
from accounts.models import Account
from accounts.refusals import Refusal
from syncing.engine.rules import WHOLE
from syncing.models import AcceptedDifference, AuditAction, Drift, DriftChange, RunMode
from syncing.records.drift import Row, columns_of, history_rows, is_meant
from syncing.records.text import NAME_LENGTH
from syncing.services import audit
from syncing.services.runs.start import Started, start_run

PERMISSION = "syncing.accept_drift"


def accept(
    account: Account,
    *,
    kind: str,
    key: str,
    attribute: str = WHOLE,
    reason: str,
    by: Actor,
) -> AcceptedDifference:
    """Keeps a difference that is there now out of the account's plans, or with WHOLE all of its item.

    `kind` and `key` are those of the difference. Raises Refusal.
    """
    _require(by)
    _check(account, reason)
    with transaction.atomic():
        drift = Drift.objects.select_for_update().filter(pk=account.pk).first()
        rows = drift.differences if drift else []
        own = next((row for row in rows if (row["kind"], row["key"]) == (kind, key)), None)
        meant = [row for row in rows if is_meant(row, kind, key, attribute)]
        if drift is None or own is None or not meant:
            raise _no_such_difference(account)
        accepted = AcceptedDifference.objects.create(
            account=account,
            kind=kind,
            key=key,
            attribute=attribute,
            name=own["name"][:NAME_LENGTH],
            parent=own["parent"][:NAME_LENGTH],
            reason=audit.tidy(reason),
            accepted_by=by.user,
        )
        _move_out(drift, meant)
        audit.note(
            AuditAction.ACCEPTED,
            by=by,
            group=account.group,
            account=account,
            reason=reason,
            details=_told(accepted),
        )
    return accepted


def withdraw(accepted: AcceptedDifference, *, by: Actor) -> None:
    """Ends an exception: the next run looks at the item again. Raises Refusal when it has ended already."""
    _require(by)
    with transaction.atomic():
        still = AcceptedDifference.objects.filter(pk=accepted.pk, withdrawn_at=None)
        if not still.update(withdrawn_at=clock.now(), withdrawn_by=by.user):
            raise Refusal(
                "already_withdrawn",
                _("%(account)s: this exception was already withdrawn.") % {"account": accepted.account},
                _("Look at the account's drift again."),
            )
        account, details = accepted.account, _told(accepted)
        audit.note(AuditAction.WITHDREW, by=by, group=account.group, account=account, details=details)
    accepted.refresh_from_db(fields=["withdrawn_at", "withdrawn_by"])


def revert(account: Account, *, by: Actor) -> Started:
    """A run that takes back all that differs in the account, or where plans need approval its plan.

    Raises Refusal.
    """
    mode = RunMode.PLAN if account.group.requires_approval else RunMode.APPLY
    return start_run(group=account.group, mode=mode, by=by, accounts=[account])


def _require(by: Actor) -> None:
    if not by.has(PERMISSION):
        raise Refusal(
            "not_allowed",
            _("%(who)s may not accept differences or withdraw exceptions.") % {"who": by.name},
            _("Ask somebody who may, or for the permission."),
        )


def _check(account: Account, reason: str) -> None:
    """Only slaves differ from something; an exception without a reason helps nobody later."""
    if account.role != Account.Role.SLAVE:
        raise Refusal(
            "not_a_slave",
            _("%(account)s is the master, which has no differences.") % {"account": account},
            _("Name a slave of its group."),
        )
    if not audit.tidy(reason):
        raise Refusal(
            "no_reason",
            _("%(account)s: an exception needs a reason.") % {"account": account},
            _("Give the reason why the difference may stay."),
        )


def _no_such_difference(account: Account) -> Refusal:
    return Refusal(
        "no_such_difference",
        _("%(account)s: there is no such difference now.") % {"account": account},
        _("Look at the account's drift again; a check now shows what differs at the moment."),
    )


def _move_out(drift: Drift, meant: Sequence[Row]) -> None:
    """The accepted differences leave the account's drift at once, and its history says when."""
    rows = [row for row in drift.differences if row not in meant]
    Drift.objects.filter(pk=drift.pk).update(**columns_of(rows))
    DriftChange.objects.create(account_id=drift.pk, at=clock.now(), appeared=[], gone=history_rows(meant))


def _told(accepted: AcceptedDifference) -> dict[str, Any]:
    return {
        "exception": accepted.pk,
        "kind": accepted.kind,
        "key": accepted.key,
        "attribute": accepted.attribute,
        "name": accepted.name,
        "parent": accepted.parent,
    }
