"""Rolling back: a run that brings accounts to what they were before an earlier one; a plan like any other."""

from collections.abc import Collection, Sequence

from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.models import Account
from accounts.refusals import Refusal
from syncing.engine.refs import Scope
from syncing.engine.rollback import RollbackInput, rollback_input
from syncing.engine.snapshot import Snapshot
from syncing.models import AuditAction, RunMode, RunPurpose, SlaveSnapshot, SyncRun
from syncing.purposes import PURPOSES
from syncing.records.snapshots import unpacked
from syncing.selectors.rollback import forecasts_of, writes_by_account_run
from syncing.services import audit
from syncing.services.runs.create import Order, Started, locked, make_run

__all__ = ["Before", "before", "forecasts_of", "start"]


def start(
    run: SyncRun,
    *,
    accounts: Sequence[Account] | None = None,
    mode: str,
    by: Actor,
    reason: str = "",
    to_workers: bool = True,
) -> Started:
    """Makes a run that takes back what `run` did to `accounts` (None: all that can be). Raises Refusal.

    Where plans need approval it can only be planned; approving that plan does it.
    """
    check(run)
    with locked(run.group) as group:
        if mode == RunMode.APPLY and group.requires_approval:
            raise Refusal(
                "approval_needed",
                _("In the group %(group)s a run writes only what was planned and approved before.")
                % {"group": group.name},
                _("Plan the rollback, then have that plan approved."),
            )
        order = Order(group, run.type, mode, RunPurpose.ROLLBACK, reverts=run)
        chosen = _chosen(run, accounts)
        started = make_run(order, chosen, by=by, to_workers=to_workers)
        details = {"reverts": run.pk, "mode": mode, "accounts": [account.subdomain for account in chosen]}
        audit.note(AuditAction.ROLLED_BACK, by=by, run=started.run, reason=reason, details=details)
    return started


def check(run: SyncRun) -> None:
    """Raises Refusal for a run that cannot be rolled back at all."""
    names = {"run": run.pk}
    if run.is_open:
        raise Refusal("still_open", _("Run %(run)d has not ended.") % names, _("Wait for its end, or cancel it."))
    if not run.writes:
        raise Refusal(
            "nothing_written",
            _("Run %(run)d only planned, so there is nothing to roll back.") % names,
            _("Choose a run that wrote something."),
        )
    if PURPOSES[run.purpose].writes_master:
        raise Refusal(
            "promotion",
            _(
                "Run %(run)d wrote to the master. It cannot be rolled back, because only a promotion may "
                "write to the master."
            )
            % names,
            _(
                "Undo it in the master, in Kommo; the page of the run shows every old value. The next sync "
                "copies it to the slaves."
            ),
        )
    if not SlaveSnapshot.objects.filter(account_run__run=run).exists():
        raise Refusal(
            "no_snapshots",
            _("Run %(run)d cannot be rolled back: there is no snapshot of any account from before it.") % names,
            _("It wrote nothing, or its snapshots have expired."),
        )


def _chosen(run: SyncRun, accounts: Sequence[Account] | None) -> list[Account]:
    """The accounts to roll back; raises Refusal when one that was named cannot be."""
    forecasts = forecasts_of(run, None if accounts is None else [account.pk for account in accounts])
    found = {forecast.account.pk for forecast in forecasts}
    unable = [f"{forecast.account.subdomain}: {forecast.why_not}" for forecast in forecasts if forecast.why_not]
    unable += [
        _("%(account)s: the account was not in that run.") % {"account": account.subdomain}
        for account in accounts or ()
        if account.pk not in found
    ]
    able = [forecast.account for forecast in forecasts if not forecast.why_not]
    if not able or (accounts is not None and unable):
        raise Refusal(
            "cannot_roll_back",
            _("Cannot be rolled back: %(accounts)s") % {"accounts": " ".join(unable)},
            _("Choose other accounts, or correct these by hand in Kommo."),
        )
    return able


# -- for the accounts at work --


class Before:
    """One account as it was, and the way back."""

    def __init__(self, snapshot: Snapshot, way: RollbackInput) -> None:
        self.desired = snapshot
        self.rules, self.known = way.rules, way.known

    def scope(self, asked: Scope) -> Scope:
        """What the run covered, as far as it is kept."""
        return Scope.PIPELINES if self.desired.fields is None else asked


def before(run: SyncRun, account_ids: Collection[int]) -> dict[int, Before]:
    """Of a rollback, by account; an account whose snapshot is gone is missing."""
    rows = SlaveSnapshot.objects.filter(account_run__run=run.reverts_id, account__in=account_ids)
    kept = {row.account_id: row for row in rows}
    done = writes_by_account_run([row.pk for row in kept.values()])
    found = {}
    for account_id, row in kept.items():
        snapshot, did = unpacked(bytes(row.document)), done[row.pk]
        found[account_id] = Before(snapshot, rollback_input(snapshot, [each.touch for each in did.items], did.options))
    return found
