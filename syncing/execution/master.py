"""The master, read once per run: claimed, read without the database, then accepted or refused."""

import logging
from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.kommo.identity import WrongAccount
from accounts.kommo.stopping import OUR_OWN
from accounts.models import Account, SyncGroup
from accounts.services import record_health, remember_identity
from syncing import conf
from syncing.engine import safety
from syncing.engine.refs import Scope
from syncing.engine.snapshot import Snapshot, fingerprint, from_document, to_document
from syncing.error_boundary import INTERNAL_REMEDY, survived, where
from syncing.execution import promotion
from syncing.execution.master_reading import MasterReading, ReadRequest
from syncing.leases import dispatch
from syncing.leases.claims import MasterClaim, release_master
from syncing.models import RUN_OPEN, LogEntry, MasterSnapshot, RunPurpose, SyncRun
from syncing.policy import may_delete, scope_of
from syncing.records.log import log
from syncing.records.text import clean, error_document
from syncing.services.runs.close import end_without_master

logger = logging.getLogger(__name__)

GUARD_REMEDY = "Look at the master; if this is meant, run again forced and say why (--force --reason TEXT)."
NOT_COMPARED = (
    "What the master had the last time cannot be read any more, so nobody can tell what it has lost since.",
    GUARD_REMEDY,
)
POLICY_REMEDY = "Put the policy of the group right on its page, then run again."
NO_MASTER = ("The group has no master any more.", "Give one account of the group the role of the master.")
NO_SOURCE = ("The account whose items were picked is no slave of the group any more.", "Pick them in another account.")
NOTHING_COVERED = (
    "The group's policy does not cover this type of run.",
    "Change the policy, or start another type.",
)
NOTHING_TO_REVERT = ("What was to be rolled back is not kept any more.", "Put it right by hand, or start a new run.")


def master_of(group_id: int) -> Account | None:
    """The group's master with its secrets."""
    return Account.objects.filter(group=group_id, role=Account.Role.MASTER).first()


def prepare(claim: MasterClaim, run: SyncRun) -> ReadRequest | None:
    """What to read; None when nothing has to be (any more): the run may be worked, or it has ended and says why."""
    if wrong := _wrong_in_policy(run.group):
        end_without_master(run, "internal", error_document("internal", wrong, POLICY_REMEDY))
        return None
    if run.purpose == RunPurpose.ROLLBACK:
        _go_without_master(claim, run)
        return None
    master, source = master_of(run.group_id), promotion.source_of(run)
    scope = scope_of(run.type, run.group)
    if master is None:
        end_without_master(run, "not_found", error_document("not_found", *NO_MASTER))
    elif scope is None:
        end_without_master(run, "conflict", error_document("conflict", *NOTHING_COVERED))
    elif run.purpose != RunPurpose.PROMOTION:
        deletes = may_delete(run.group)
        return ReadRequest((master,), scope, deletes, _before(run, scope) if deletes else None)
    elif source is None:
        end_without_master(run, "not_found", error_document("not_found", *NO_SOURCE))
    else:
        return ReadRequest((source, master), scope)
    return None


def _wrong_in_policy(group: SyncGroup) -> str:
    """What of the group's policy its page would not take (changed by hand in the database); "" when all is sound."""
    try:
        group.clean_fields()
    except ValidationError as error:
        wrong = "; ".join(f"{name}: {' '.join(said)}" for name, said in error.message_dict.items())
        return f"The policy of the group {group.name} cannot be kept. {wrong}"
    return ""


def _before(run: SyncRun, scope: Scope) -> Snapshot | None:
    """What the master had the last time."""
    row = last_accepted(run.group_id, scope)
    return None if row is None else _unpacked(row)


def _unpacked(row: MasterSnapshot) -> Snapshot | None:
    """None when the row cannot be read any more (changed by hand in the database)."""
    with survived(f"the master's snapshot {row.pk}"):
        return from_document(row.document)
    return None


def _go_without_master(claim: MasterClaim, run: SyncRun) -> None:
    """A rollback goes by what its accounts had; the master that the reverted run went by stands in for a reading."""
    snapshot = run.reverts.snapshot_id if run.reverts else None
    if snapshot is None:
        end_without_master(run, "not_found", error_document("not_found", *NOTHING_TO_REVERT))
    elif _freeze(run, claim, snapshot_id=snapshot) and run.queued_to_workers:
        dispatch.call_lanes()


def settle(claim: MasterClaim, request: ReadRequest, readings: Sequence[MasterReading]) -> bool:
    """Stores what came of the reading; True when the run's accounts may be worked now.

    A claim that was lost meanwhile, or a run that was cancelled, stores nothing.
    """
    run = SyncRun.objects.select_related("group").get(pk=claim.run_id)
    if run.fence != claim.fence or run.state not in RUN_OPEN or run.cancel_requested_at:
        return False
    mine = SyncRun.objects.filter(pk=run.pk, fence=claim.fence)
    mine.update(master_requests=run.master_requests + sum(reading.requests for reading in readings))
    for account, reading in zip(request.accounts, readings, strict=False):
        problem = reading.error or _other_entry(account, reading.kommo_id)
        if problem and problem["code"] in OUR_OWN:
            release_master(claim, counts=False)
            return False
        record_health(account.pk, problem)
        if problem:
            end_without_master(run, problem["code"], problem)
            return False
    snapshots = [reading.snapshot for reading in readings if reading.snapshot]
    if run.purpose == RunPurpose.PROMOTION:
        return _propose(run, claim, request.scope, *snapshots)
    return _judge(run, claim, request.scope, *snapshots)


def _other_entry(account: Account, kommo_id: int | None) -> dict[str, str] | None:
    """Keeps the identity at the first contact; the problem when another entry is this very Kommo account."""
    if kommo_id is None or account.kommo_id is not None or remember_identity(account.pk, kommo_id):
        return None
    message = f"{account.subdomain}: Kommo account {kommo_id} is already here under another subdomain."
    return error_document(WrongAccount.code, message, WrongAccount.remedy)


def _judge(run: SyncRun, claim: MasterClaim, scope: Scope, snapshot: Snapshot) -> bool:
    """The guard: a master that is empty, or lost too much since the last accepted reading, is not copied.

    Nor is one that cannot be compared with that reading any more.
    """
    previous = last_accepted(run.group_id, scope)
    before = None if previous is None else _unpacked(previous)
    if previous is not None and before is None:
        previous = None
        if not run.forced:
            end_without_master(run, "internal", error_document("internal", *NOT_COMPARED))
            return False
    sentence = safety.empty_master(snapshot)
    if sentence is None and before is not None:
        sentence = safety.master_losses(before, snapshot, run.group.max_master_shrink, run.group.shrink_minimum_items)
    if sentence and not run.forced:
        end_without_master(run, "guard", error_document("guard", sentence, GUARD_REMEDY))
        return False
    if sentence:
        message = f"{sentence} Forced: {run.force_reason}"
        log(run.pk, message, code="forced", level=LogEntry.Level.WARNING)
    return _accept(run, claim, scope, snapshot, previous)


def last_accepted(group_id: int, scope: Scope) -> MasterSnapshot | None:
    """The latest reading that the guard let pass and that holds (at least) what this scope reads."""
    accepted = MasterSnapshot.objects.filter(group=group_id, type__in={scope, Scope.FULL}, accepted=True)
    return accepted.order_by("-pk").first()


def _accept(
    run: SyncRun, claim: MasterClaim, scope: Scope, snapshot: Snapshot, previous: MasterSnapshot | None
) -> bool:
    """Freezes the snapshot for the run; an unchanged master keeps its stored one."""
    doubt = safety.inconsistency(snapshot)
    if doubt and may_delete(run.group):
        message = f"Nothing is deleted in this run, whatever the policy: in what was read of the master, {doubt}."
        log(run.pk, message, code="no_deletions", level=LogEntry.Level.WARNING)
    for held in snapshot.held:
        message = (
            f"Not copied: the {held.kind.replace('_', ' ')} {held.label!r} has an unexpected shape ({held.place})."
        )
        log(run.pk, message, code="held_back", level=LogEntry.Level.WARNING)
    with transaction.atomic():
        if previous is None or previous.fingerprint != fingerprint(snapshot):
            document = clean(to_document(snapshot))
            previous = _keep(run, scope, document, fingerprint(snapshot), accepted=True)
        return _freeze(run, claim, snapshot=previous, deletes_allowed=not doubt)


def _propose(run: SyncRun, claim: MasterClaim, scope: Scope, source: Snapshot, master: Snapshot) -> bool:
    """Of a promotion: what the master is to become, kept in the place of what it is."""
    document = promotion.document_of(run, source, master)
    if document is None:
        return False
    with transaction.atomic():
        row = _keep(run, scope, document, fingerprint(master), accepted=False)
        return _freeze(run, claim, snapshot=row)


def _keep(run: SyncRun, scope: Scope, document: object, digest: str, *, accepted: bool) -> MasterSnapshot:
    return MasterSnapshot.objects.create(
        group_id=run.group_id, type=scope, document=document, fingerprint=digest, accepted=accepted
    )


def _freeze(run: SyncRun, claim: MasterClaim, **columns: object) -> bool:
    """From now on the accounts of the run may be worked; False when the claim was lost or the run cancelled."""
    mine = SyncRun.objects.filter(pk=run.pk, fence=claim.fence, state__in=RUN_OPEN, cancel_requested_at=None)
    return mine.update(lease_until=None, note="", **columns) == 1


def failed_inside(claim: MasterClaim, error: BaseException) -> None:
    """An error of our own while reading or judging the master: again, or after too many the end of the run."""
    logger.error("run %s: reading the master failed", claim.run_id, exc_info=error)
    if claim.attempts < conf.MAX_ERRORS:
        release_master(claim)
        return
    problem = error_document("internal", f"Reading the master failed: {where(error)}.", INTERNAL_REMEDY)
    run = SyncRun.objects.filter(pk=claim.run_id, fence=claim.fence).first()
    if run is not None:
        end_without_master(run, "internal", problem)
