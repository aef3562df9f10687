"""Exceptions: differences that a person accepts for one account, withdraws again, or has taken back."""

from collections.abc import Sequence

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import clock
from accounts.actors import Actor
from accounts.models import SECRETS, Account, SyncGroup
from accounts.refusals import Refusal
from syncing.engine.healing import ITEM_KINDS, Edit, missing_places, with_their_places
from syncing.engine.rules import WHOLE
from syncing.models import AcceptedDifference, AuditAction, Drift
from syncing.records.drift import is_covered, take_out
from syncing.records.text import NAME_LENGTH
from syncing.services import audit
from syncing.services.runs.create import require_unpaused
from syncing.services.runs.start import Started, allowed_mode, start_run

PERMISSION = "syncing.accept_drift"


def accept(
    account: Account, *, kind: str, key: str, attribute: str = WHOLE, reason: str, by: Actor
) -> AcceptedDifference:
    """Accepts a difference that is there now, or with WHOLE all of its item, so that no plan touches it.

    `kind` and `key` are those of the difference. Raises Refusal.
    """
    _require_permission(by)
    _check(account, reason)
    with transaction.atomic():
        drift = Drift.objects.select_for_update().filter(pk=account.pk).first()
        rows = drift.differences if drift else []
        item = next((row for row in rows if (row["kind"], row["key"]) == (kind, key)), None)
        covered = [row for row in rows if is_covered(row, kind, key, attribute)]
        if item is None or not covered:
            message = _("%(account)s: there is no such difference now.") % {"account": account}
            remedy = _("Look at the account's drift again; a check now shows what differs at the moment.")
            raise Refusal("no_such_difference", message, remedy)
        accepted = AcceptedDifference.objects.create(
            account=account,
            kind=kind,
            key=key,
            attribute=attribute,
            **{name: item[name][:NAME_LENGTH] for name in ("name", "parent")},
            reason=audit.tidy(reason),
            accepted_by=by.user,
        )
        take_out(account.pk, rows, covered)
        _note(AuditAction.ACCEPTED, accepted, by=by, reason=reason)
    return accepted


def withdraw(accepted: AcceptedDifference, *, by: Actor) -> None:
    """Ends an exception: the next run looks at the item again. Raises Refusal when it has ended already."""
    _require_permission(by)
    with transaction.atomic():
        in_force = AcceptedDifference.objects.filter(pk=accepted.pk, withdrawn_at=None)
        if not in_force.update(withdrawn_at=clock.now(), withdrawn_by=by.user):
            raise Refusal(
                "already_withdrawn",
                _("%(account)s: this exception was already withdrawn.") % {"account": accepted.account},
                _("Look at the account's drift again."),
            )
        _note(AuditAction.WITHDREW, accepted, by=by)
    accepted.refresh_from_db(fields=["withdrawn_at", "withdrawn_by"])


def revert(account: Account, *, by: Actor) -> Started:
    """Starts a run that takes back all differences of the account, or only plans it where plans need approval.

    Raises Refusal.
    """
    account = Account.objects.select_related("group").defer(*SECRETS).get(pk=account.pk)
    require_unpaused([account])
    return start_run(group=account.group, mode=allowed_mode(account.group), by=by, accounts=[account])


def _require_permission(by: Actor) -> None:
    if not by.has(PERMISSION):
        raise Refusal(
            "not_allowed",
            _("%(who)s may not accept differences or withdraw exceptions.") % {"who": by.name},
            _("Ask somebody who may, or for the permission."),
        )


def _check(account: Account, reason: str) -> None:
    """Raises Refusal for a master, which differs from nothing, and for an empty reason, which helps nobody later."""
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


def _note(action: str, accepted: AcceptedDifference, *, by: Actor, reason: str = "") -> None:
    columns = ("kind", "key", "attribute", "name", "parent")
    details = {"exception": accepted.pk, **{column: getattr(accepted, column) for column in columns}}
    account = accepted.account
    audit.note(action, by=by, group=account.group, account=account, reason=reason, details=details)


def accept_in(
    accounts: Sequence[Account], *, kind: str, key: str, attribute: str, reason: str, by: Actor
) -> tuple[list[AcceptedDifference], list[Refusal]]:
    """Accepts the same difference in several accounts; returns what was accepted, and why not in the others."""
    accepted, refusals = [], []
    for account in accounts:
        try:
            accepted.append(accept(account, kind=kind, key=key, attribute=attribute, reason=reason, by=by))
        except Refusal as refusal:
            refusals.append(refusal)
    return accepted, refusals


def is_revertible(kind: str, action: str) -> bool:
    """Tells if a run about this item alone can settle the difference: not what only the account has, nor an option."""
    return kind in ITEM_KINDS and action in ("create", "update")


def revert_item(
    group: SyncGroup, accounts: Sequence[Account], *, kind: str, key: str, attribute: str, by: Actor
) -> Started:
    """Starts a run about one item (or one attribute of it) in these accounts, or only plans it. Raises Refusal.

    What it needs and an account lacks (the pipeline of a stage) has to be there: else the account is left out.
    """
    require_unpaused(accounts)
    drifts = dict(Drift.objects.filter(account__in=accounts).values_list("account", "differences"))
    missing = {account: missing_places(rows) for account, rows in drifts.items()}
    edits = with_their_places([Edit(account.pk, kind, key, attribute) for account in accounts], missing)
    if not edits:
        raise Refusal(
            "nothing_picked",
            _("In none of these accounts can it be reverted by itself: what it belongs to is missing there."),
            _("Revert all of the account instead."),
        )
    named = {edit.account_id for edit in edits}
    chosen = [account for account in accounts if account.pk in named]
    names = (row["name"] for rows in drifts.values() for row in rows if (row["kind"], row["key"]) == (kind, key))
    name = _("Revert %(item)s") % {"item": next(names, key)}
    picked = [edit.pick for edit in edits]
    return start_run(group=group, mode=allowed_mode(group), by=by, accounts=chosen, picked=picked, name=name)
