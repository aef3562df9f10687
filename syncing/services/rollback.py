"""Rollbacks: runs that bring accounts back to their state before an earlier run; each can be planned like any other."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.models import Account
from accounts.refusals import Refusal
from syncing.engine.assumed import DeltaBase
from syncing.engine.delta import PartRead, list_of
from syncing.engine.refs import Scope
from syncing.engine.rollback import RollbackInput, rollback_input
from syncing.engine.snapshot import Snapshot, unpacked
from syncing.models import AuditAction, RunMode, RunPurpose, SlaveSnapshot, SyncRun
from syncing.purposes import purpose_of
from syncing.records.snapshots import part_of
from syncing.selectors.rollback import forecasts_of, writes_by_account_run
from syncing.services import audit
from syncing.services.runs.create import Order, Started, approval_needed, locked, make_run

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
            raise approval_needed(group, _("Plan the rollback, then have that plan approved."))
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
    if purpose_of(run.purpose).writes_master:
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
    """Returns the accounts to roll back; raises Refusal when none can be, or one that was named cannot."""
    forecasts = forecasts_of(run, None if accounts is None else [account.pk for account in accounts])
    in_run = {forecast.account.pk for forecast in forecasts}
    unable = [f"{forecast.account.subdomain}: {forecast.why_not}" for forecast in forecasts if forecast.why_not]
    unable += [
        _("%(account)s: the account was not in that run.") % {"account": account.subdomain}
        for account in accounts or ()
        if account.pk not in in_run
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
    """The state of one account before the run, and the way back to it.

    Where the run has read only a part of the account, the way back is about that part alone: nobody knows how the rest
    was, and it was not written.
    """

    def __init__(self, snapshot: Snapshot, way: RollbackInput, part: PartRead | None) -> None:
        self.desired = snapshot
        self.rules, self.known = way.rules, way.known
        self.delta = None if part is None else DeltaBase(part, snapshot, may_widen=False)
        if part is not None:
            only = {ref: names for ref, names in (way.rules.only or {}).items() if list_of(ref) in part.lists}
            self.rules = replace(way.rules, only=only)

    def scope(self, asked: Scope) -> Scope:
        """Returns the scope of the run, as far as the snapshot has it."""
        return Scope.PIPELINES if self.desired.fields is None else asked


def before(run: SyncRun, account_ids: Collection[int]) -> dict[int, Before]:
    """Returns the earlier states of accounts of a rollback, by account; an account without a snapshot is missing."""
    rows = list(SlaveSnapshot.objects.filter(account_run__run=run.reverts_id, account__in=account_ids))
    writes_by_row = writes_by_account_run([row.pk for row in rows])
    states = {}
    for row in rows:
        snapshot, writes = unpacked(bytes(row.document)), writes_by_row[row.pk]
        way = rollback_input(snapshot, [item.touch for item in writes.items], writes.options)
        states[row.account_id] = Before(snapshot, way, part_of(row))
    return states
