"""The master, read once per run: claimed, read without the database, then accepted or refused."""

import logging
from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.utils import translation
from django.utils.translation import gettext_noop

from accounts.kommo.identity import ALREADY_HERE, WrongAccount
from accounts.kommo.stopping import DELIBERATE_STOPS
from accounts.models import Account, SyncGroup
from accounts.own_words import SOURCE
from accounts.services.health.store import record_health
from accounts.services.identity import remember_identity
from syncing import conf
from syncing.error_boundary import INTERNAL_REMEDY, where
from syncing.execution.master_reading import MasterReading, ReadRequest
from syncing.execution.purposes import STEPS
from syncing.leases import dispatch
from syncing.leases.claims import MasterClaim, freeze_master, release_master
from syncing.models import RUN_OPEN, SyncRun
from syncing.policy import scope_of
from syncing.records.text import error_document
from syncing.services.runs.close import end_without_master

logger = logging.getLogger(__name__)

WRONG_POLICY = gettext_noop("The policy of the group %(group)s has wrong values. %(wrong)s")
POLICY_REMEDY = gettext_noop("Correct the policy on the page of the group, then run again.")
NO_MASTER = (
    gettext_noop("The group has no master any more."),
    gettext_noop("Give one account of the group the role of the master."),
)
NOTHING_COVERED = (
    gettext_noop("The group's policy does not cover this type of run."),
    gettext_noop("Change the policy, or start another type."),
)
NOTHING_TO_REVERT = (
    gettext_noop("The snapshots for this rollback have expired."),
    gettext_noop("Correct the accounts by hand in Kommo, or start a new run."),
)


def prepare(claim: MasterClaim, run: SyncRun) -> ReadRequest | None:
    """Returns what to read; None when nothing has to be (any more): the run may be worked, or it has ended."""
    if wrong := policy_error(run.group):
        end_without_master(run, "internal", error_document("internal", wrong, POLICY_REMEDY))
        return None
    reading = STEPS[run.purpose].reading
    if reading is None:
        _go_without_master(claim, run)
        return None
    master = Account.objects.filter(group=run.group_id, role=Account.Role.MASTER).first()  # with its secrets
    scope = scope_of(run.type, run.group)
    if master is None:
        end_without_master(run, "not_found", error_document("not_found", *NO_MASTER))
    elif scope is None:
        end_without_master(run, "conflict", error_document("conflict", *NOTHING_COVERED))
    else:
        return reading.request(run, master, scope)
    return None


def policy_error(group: SyncGroup) -> str:
    """Returns what of a policy that was changed in the database its page would not take; "" when all is sound."""
    try:
        group.clean_fields()
    except ValidationError as error:
        with translation.override(SOURCE):
            wrong = "; ".join(f"{name}: {' '.join(messages)}" for name, messages in error.message_dict.items())
        return WRONG_POLICY % {"group": group.name, "wrong": wrong}
    return ""


def _go_without_master(claim: MasterClaim, run: SyncRun) -> None:
    """Lets the accounts of a rollback be worked: the master of the reverted run stands in for a reading."""
    snapshot = run.reverts.snapshot_id if run.reverts else None
    if snapshot is None:
        end_without_master(run, "not_found", error_document("not_found", *NOTHING_TO_REVERT))
    elif freeze_master(claim, snapshot_id=snapshot) and run.queued_to_workers:
        dispatch.call_lanes()


def settle(claim: MasterClaim, request: ReadRequest, readings: Sequence[MasterReading]) -> bool:
    """Stores what came of the reading; True when the run's accounts may be worked now.

    A claim that was lost meanwhile, or a run that was cancelled, stores nothing.
    """
    run = SyncRun.objects.select_related("group").get(pk=claim.run_id)
    steps = STEPS[run.purpose].reading
    if steps is None or run.fence != claim.fence or run.state not in RUN_OPEN or run.cancel_requested_at:
        return False
    mine = SyncRun.objects.filter(pk=run.pk, fence=claim.fence)
    mine.update(master_requests=run.master_requests + sum(reading.requests for reading in readings))
    for account, reading in zip(request.accounts, readings, strict=False):
        problem = reading.error or learn_identity(account, reading.kommo_id)
        if problem and problem["code"] in DELIBERATE_STOPS:
            release_master(claim, counts=False)
            return False
        record_health(account.pk, problem)
        if problem:
            end_without_master(run, problem["code"], problem)
            return False
    return steps.accept(run, claim, request.scope, [reading.snapshot for reading in readings if reading.snapshot])


def learn_identity(account: Account, kommo_id: int | None) -> dict[str, str] | None:
    """Stores the identity at the first contact; returns the problem when another entry is this very Kommo account."""
    if kommo_id is None or account.kommo_id is not None or remember_identity(account.pk, kommo_id):
        return None
    message = f"{account.subdomain}: {ALREADY_HERE % {'found': kommo_id}}."
    return error_document(WrongAccount.code, message, WrongAccount.remedy)


def failed_inside(claim: MasterClaim, error: BaseException) -> None:
    """Takes an error of our own while reading or judging the master: again, or after too many the end of the run."""
    logger.error("run %s: reading the master failed", claim.run_id, exc_info=error, extra={"run": claim.run_id})
    if claim.attempts < conf.MAX_ERRORS:
        release_master(claim)
        return
    problem = error_document(
        "internal", gettext_noop("Reading the master failed: %(where)s.") % {"where": where(error)}, INTERNAL_REMEDY
    )
    run = SyncRun.objects.filter(pk=claim.run_id, fence=claim.fence).first()
    if run is not None:
        end_without_master(run, "internal", problem)
