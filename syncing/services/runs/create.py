"""The rows of a new run: the run, its accounts, and who asked for it, in one commit."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
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
    RunState,
    RunType,
    SyncRun,
)
from syncing.records.text import clean
from syncing.services import audit
from syncing.services.runs import wave_split


@dataclass(frozen=True)
class Started:
    """The run that will do it; `joined`: it was waiting already."""

    run: SyncRun
    joined: bool


@dataclass(frozen=True)
class Order:
    """What a run is to do; two with equal orders for the same accounts are one."""

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

    @classmethod
    def like(cls, run: SyncRun, **other: Any) -> "Order":
        """The order of `run`, with what is `other` in it."""
        names = ("group", "type", "mode", "purpose", "approved_plan", "reverts", "source", "picked")
        return cls(**{name: getattr(run, name) for name in names} | other)

    @property
    def facts(self) -> dict[str, Any]:
        """Columns of the run."""
        return dict(vars(self))


@contextmanager
def locked(group: SyncGroup) -> Iterator[SyncGroup]:
    """A transaction with the group's row locked, so that of two triggers at once the second sees the first's run."""
    with transaction.atomic():
        yield SyncGroup.objects.select_for_update().get(pk=group.pk)


def make_run(
    order: Order,
    accounts: Sequence[Account],
    *,
    by: Actor,
    whole_group: bool = False,
    digests: Mapping[int, str] | None = None,
    to_workers: bool = True,
) -> Started:
    """Makes the run for `accounts`, or joins the same one that still waits; to be called inside `locked`.

    `digests`: of the approved plans, by account id. `to_workers` hands it to the lanes. Raises Refusal.
    """
    if order.group.requires_approval and order.mode == RunMode.APPLY and order.approved_plan is None:
        raise Refusal(
            "approval_needed",
            _("In the group %(group)s a run writes only what was planned and approved before.")
            % {"group": order.group.name},
            _("Start a plan and approve it: on its page, with `manage.py approve RUN`, or by the REST API."),
        )
    waiting = _waiting_twin(order, {account.pk for account in accounts})
    if waiting is not None:
        _note_start(waiting, by, joined=True)
        return Started(_joined(waiting, to_workers), True)
    run = SyncRun.objects.create(
        **order.facts,
        trigger=by.via,
        **requester_columns(by),
        whole_group=whole_group,
        queued_to_workers=to_workers,
    )
    digests = digests or {}
    account_runs = (_new_account_run(run, account, digests.get(account.pk, "")) for account in accounts)
    AccountRun.objects.bulk_create(wave_split.number(run, account_runs))
    _note_start(run, by, accounts=len(accounts))
    if to_workers:
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


def _note_start(run: SyncRun, by: Actor, **more: Any) -> None:
    details = {"type": run.type, "mode": run.mode, "purpose": run.purpose, **more}
    related = {"approved_plan": run.approved_plan_id, "reverts": run.reverts_id}
    details |= {name: number for name, number in related.items() if number}
    audit.note(AuditAction.STARTED, by=by, run=run, details=details)


def _waiting_twin(order: Order, wanted: Collection[int]) -> SyncRun | None:
    """The run for the same order and accounts whose master nobody has begun to read."""
    same = {name: value for name, value in order.facts.items() if name not in ("force_reason", "picked")}
    waiting = SyncRun.objects.filter(**same, state=RunState.QUEUED, fence=0, cancel_requested_at=None)
    for run in waiting.select_for_update().order_by("-pk"):
        present = set(run.account_runs.values_list("account_id", flat=True))
        if run.picked == order.picked and present == set(wanted):
            return run
    return None


def _joined(run: SyncRun, to_workers: bool) -> SyncRun:
    """A run that waited for its own process is given to the workers when somebody counts on them."""
    if to_workers and not run.queued_to_workers:
        run.queued_to_workers = True
        run.save(update_fields=["queued_to_workers"])
        dispatch.call_lanes()
    return run


def _new_account_run(run: SyncRun, account: Account, digest: str) -> AccountRun:
    account_run = AccountRun(run=run, account=account, approved_digest=digest)
    if account.paused:
        account_run.state, account_run.reason, account_run.finished_at = AccountState.SKIPPED, "paused", clock.now()
    return account_run
