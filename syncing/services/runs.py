"""What can be asked of runs: start, cancel, retry; and close, which nobody has to ask for."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import SECRETS, Account, SyncGroup
from syncing import store
from syncing.models import (
    ACCOUNT_GOOD,
    RUN_OPEN,
    AccountRun,
    AccountState,
    RunMode,
    RunPurpose,
    RunState,
    RunType,
    SyncRun,
)
from syncing.services import queue
from syncing.services.closing import close_run
from syncing.services.master import scope_of

__all__ = ["CannotStart", "Started", "cancel_run", "close_run", "retry_failed", "start_run"]


class CannotStart(Exception):
    """A run cannot be made as asked. `code`, a sentence, and what to do."""

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True)
class Started:
    """The run that will do it; `joined`: it was waiting already."""

    run: SyncRun
    joined: bool


def start_run(
    *,
    group: SyncGroup,
    type: str = RunType.FULL,
    mode: str = RunMode.APPLY,
    purpose: str = RunPurpose.SYNC,
    trigger: str,
    requested_by: User | None = None,
    accounts: Sequence[Account] | None = None,
    forced: bool = False,
    force_reason: str = "",
    to_workers: bool = True,
) -> Started:
    """Makes a run for `accounts` (None: every slave of the group), or joins the same one that still waits.

    `to_workers` hands it to the lanes, else the caller works it itself. Raises CannotStart.
    """
    force_reason = force_reason.strip()[:500]
    if forced and not force_reason:
        raise CannotStart("no_reason", _("A forced run needs a reason."), _("Say why with --reason TEXT."))
    with transaction.atomic():
        # The group's row is locked, so that of two triggers at once the second sees the first one's run.
        group = SyncGroup.objects.select_for_update().get(pk=group.pk)
        slaves = _slaves(group, type, accounts)
        asked = {"group": group, "type": type, "mode": mode, "purpose": purpose, "forced": forced}
        waiting = _waiting_twin(asked, {slave.pk for slave in slaves})
        if waiting is not None:
            return Started(_joined(waiting, to_workers), True)
        run = SyncRun.objects.create(
            **asked,
            trigger=trigger,
            requested_by=requested_by,
            force_reason=force_reason,
            whole_group=accounts is None,
            queued_to_workers=to_workers,
        )
        AccountRun.objects.bulk_create(_part(run, slave) for slave in slaves)
        if to_workers:
            queue.call_lanes()
    return Started(run, False)


def _slaves(group: SyncGroup, run_type: str, accounts: Sequence[Account] | None) -> list[Account]:
    """The accounts of the run; raises CannotStart with everything that an operator can put right."""
    if scope_of(run_type, group) is None:
        raise CannotStart(
            "not_in_policy",
            _("The policy of the group %(group)s does not cover this type of run.") % {"group": group.name},
            _("Choose another type, or change the group's policy."),
        )
    members = Account.objects.filter(group=group).defer(*SECRETS)
    master = members.filter(role=Account.Role.MASTER).first()
    if master is None:
        raise CannotStart(
            "no_master",
            _("The group %(group)s has no master.") % {"group": group.name},
            _("Give one of its accounts the role of the master."),
        )
    if master.paused:
        raise CannotStart(
            "paused", _("The master %(master)s is paused.") % {"master": master.subdomain}, _("Resume it first.")
        )
    slaves = list(members.filter(role=Account.Role.SLAVE).order_by("pk"))
    return _working(group, slaves if accounts is None else _named(group, slaves, accounts))


def _named(group: SyncGroup, slaves: Sequence[Account], accounts: Sequence[Account]) -> list[Account]:
    wanted = {account.pk: account.subdomain for account in accounts}
    foreign = sorted(wanted[pk] for pk in wanted.keys() - {slave.pk for slave in slaves})
    if foreign:
        raise CannotStart(
            "not_a_slave",
            _("Not a slave of the group %(group)s: %(accounts)s.")
            % {"group": group.name, "accounts": ", ".join(foreign)},
            _("Name only slaves of one group."),
        )
    return [slave for slave in slaves if slave.pk in wanted]


def _working(group: SyncGroup, slaves: list[Account]) -> list[Account]:
    if not slaves:
        raise CannotStart(
            "no_slaves",
            _("There is no slave to sync in the group %(group)s.") % {"group": group.name},
            _("Add accounts to the group, or name some."),
        )
    if all(slave.paused for slave in slaves):
        raise CannotStart("paused", _("All of these accounts are paused."), _("Resume at least one of them first."))
    return slaves


def _waiting_twin(asked: dict[str, Any], wanted: Collection[int]) -> SyncRun | None:
    """The run for the same accounts whose master nobody has begun to read."""
    waiting = SyncRun.objects.filter(**asked, state=RunState.QUEUED, fence=0, cancel_requested_at=None)
    for run in waiting.select_for_update().order_by("-pk"):
        if set(run.account_runs.values_list("account_id", flat=True)) == set(wanted):
            return run
    return None


def _joined(run: SyncRun, to_workers: bool) -> SyncRun:
    """A run that waited for its own process is given to the workers when somebody counts on them."""
    if to_workers and not run.queued_to_workers:
        run.queued_to_workers = True
        run.save(update_fields=["queued_to_workers"])
        queue.call_lanes()
    return run


def _part(run: SyncRun, slave: Account) -> AccountRun:
    if not slave.paused:
        return AccountRun(run=run, account=slave)
    return AccountRun(run=run, account=slave, state=AccountState.SKIPPED, reason="paused", finished_at=store.now())


def cancel_run(run: SyncRun, *, by: User | None) -> None:
    """Stops `run`: waiting accounts at once, those in work between two requests; ended runs stay as they are."""
    moment = store.now()
    with transaction.atomic():
        mine = SyncRun.objects.filter(pk=run.pk, state__in=RUN_OPEN, cancel_requested_at=None)
        if not mine.update(cancel_requested_at=moment):
            return
        waiting = AccountRun.objects.filter(run=run, state=AccountState.QUEUED)
        waiting.update(state=AccountState.CANCELLED, reason="cancelled", finished_at=moment, lease_until=None)
        sentence = _("Cancelled by %(who)s.") % {"who": by.get_username()} if by else _("Cancelled.")
        store.log(run.pk, sentence, code="cancelled", level="warning")
    close_run(run.pk)
    run.refresh_from_db()


def retry_failed(run: SyncRun, *, by: User | None, trigger: str = "", to_workers: bool = True) -> Started:
    """A new run of the same kind for the accounts of `run` that are not good. Raises CannotStart."""
    bad = AccountRun.objects.filter(run=run).exclude(state__in=ACCOUNT_GOOD)
    still = Account.objects.filter(pk__in=bad.values("account"), group=run.group_id, role=Account.Role.SLAVE).defer(
        *SECRETS
    )
    if run.state in RUN_OPEN:
        raise CannotStart(
            "still_open", _("Run %(run)d has not ended.") % {"run": run.pk}, _("Wait for its end, or cancel it.")
        )
    if not still:
        raise CannotStart(
            "nothing_failed", _("Every account of run %(run)d is good.") % {"run": run.pk}, _("Start a new run.")
        )
    return start_run(
        group=run.group,
        type=run.type,
        mode=run.mode,
        trigger=trigger or run.trigger,
        requested_by=by,
        accounts=list(still),
        to_workers=to_workers,
    )
