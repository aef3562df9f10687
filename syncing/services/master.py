"""The master, read once per run: claimed, read without the database, then accepted or refused."""

import logging
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from accounts.kommo.errors import KommoError
from accounts.kommo.stopping import Stop
from accounts.models import Account, SyncGroup
from accounts.services import client_for, record_health, remember_identity
from syncing import conf, store
from syncing.adapters.reader import ALL, NONE, Reader
from syncing.engine import safety
from syncing.engine.refs import Scope
from syncing.engine.snapshot import Snapshot, fingerprint, from_document, to_document
from syncing.models import RUN_OPEN, LogEntry, MasterSnapshot, RunType, SyncRun
from syncing.services.claims import MasterClaim, release_master
from syncing.services.closing import end_without_master

logger = logging.getLogger(__name__)

WRONG_ACCOUNT_REMEDY = "Check the subdomain and the token of the master, then check its connection."
GUARD_REMEDY = "Look at the master; if this is meant, run again forced and say why (--force --reason TEXT)."
INTERNAL_REMEDY = "This is an error in KommoSync: look for the traceback in the log and report it."
KEY_REMEDY = "Put the key that encrypted it back into FIELD_ENCRYPTION_KEYS, or store the token again."
NO_MASTER = ("The group has no master any more.", "Give one account of the group the role of the master.")
NOTHING_COVERED = (
    "The group's policy does not cover this type of run.",
    "Change the policy, or start another type.",
)
INTERRUPTIONS = frozenset({"handed_back", "cancelled", "lost_claim"})  # the reading stopped on our own request


@dataclass(frozen=True)
class Reading:
    """What asking the master gave: a snapshot, or an error (code, message, remedy)."""

    requests: int
    kommo_id: int | None = None
    snapshot: Snapshot | None = None
    error: dict[str, str] | None = None


def scope_of(run_type: str, group: SyncGroup) -> Scope | None:
    """What a run of this type covers under the group's policy; None: nothing."""
    pipelines = group.sync_pipelines and run_type != RunType.CUSTOM_FIELDS
    fields = group.sync_custom_fields and run_type != RunType.PIPELINES
    if pipelines and fields:
        return Scope.FULL
    if pipelines:
        return Scope.PIPELINES
    return Scope.CUSTOM_FIELDS if fields else None


def master_of(group_id: int) -> Account | None:
    """The group's master with its secrets."""
    return Account.objects.filter(group=group_id, role=Account.Role.MASTER).first()


def prepare(run: SyncRun) -> tuple[Account, Scope] | None:
    """Whom to read and how much; None when that cannot be: then the run has ended, and says why."""
    try:
        account, scope = master_of(run.group_id), scope_of(run.type, run.group)
    except ImproperlyConfigured as error:  # a secret that no key of ours can read
        end_without_master(run, "internal", store.problem("internal", str(error), KEY_REMEDY))
        return None
    if account is None:
        end_without_master(run, "not_found", store.problem("not_found", *NO_MASTER))
        return None
    if scope is None:
        end_without_master(run, "conflict", store.problem("conflict", *NOTHING_COVERED))
        return None
    return account, scope


def read(account: Account, scope: Scope, stop: Stop) -> Reading:
    """Asks the master, through a read-only client; no database, so that any thread may do it."""
    requests = 0
    try:
        with client_for(account, stop=stop) as client:
            try:
                described = ALL if scope.writes_pipelines else NONE
                snapshot = Reader(client).read(with_fields=scope.writes_fields, described=described)
            finally:
                requests = client.requests
    except KommoError as error:
        return Reading(requests, error=store.problem(error.code, str(error), error.remedy))
    return _identified(account, Reading(requests, snapshot=snapshot), client.account_ids)


def _identified(account: Account, reading: Reading, seen: frozenset[int]) -> Reading:
    strangers = seen - {account.kommo_id} if account.kommo_id else seen
    if (account.kommo_id and strangers) or len(seen) > 1:
        message = (
            f"{account.subdomain}: Kommo account {', '.join(map(str, sorted(strangers)))} answered; "
            f"{account.kommo_id or 'one account'} is expected."
        )
        problem = store.problem("wrong_account", message, WRONG_ACCOUNT_REMEDY)
        return Reading(reading.requests, error=problem)
    return Reading(reading.requests, kommo_id=min(seen, default=None), snapshot=reading.snapshot)


def settle(claim: MasterClaim, account: Account, scope: Scope, reading: Reading) -> bool:
    """Stores what came of the reading; True when the run's accounts may be worked now.

    A claim that was lost meanwhile, or a run that was cancelled, stores nothing.
    """
    run = SyncRun.objects.select_related("group").get(pk=claim.run_id)
    if run.fence != claim.fence or run.state not in RUN_OPEN or run.cancel_requested_at:
        return False
    mine = SyncRun.objects.filter(pk=run.pk, fence=claim.fence)
    mine.update(master_requests=run.master_requests + reading.requests)
    problem = reading.error or _other_entry(account, reading.kommo_id)
    if problem and problem["code"] in INTERRUPTIONS:
        release_master(claim, counts=False)
        return False
    record_health(account.pk, problem)
    if problem or reading.snapshot is None:
        end_without_master(run, *_named(problem))
        return False
    return _judge(run, claim, scope, reading.snapshot)


def _named(problem: dict[str, str] | None) -> tuple[str, dict[str, str]]:
    error = problem or store.problem("internal", "The master was not read.", INTERNAL_REMEDY)
    return error["code"], error


def _other_entry(account: Account, kommo_id: int | None) -> dict[str, str] | None:
    """Keeps the identity at the first contact; the problem when another entry is this very Kommo account."""
    if kommo_id is None or account.kommo_id is not None or remember_identity(account.pk, kommo_id):
        return None
    message = f"{account.subdomain}: Kommo account {kommo_id} is already here under another subdomain."
    return store.problem("wrong_account", message, WRONG_ACCOUNT_REMEDY)


def _judge(run: SyncRun, claim: MasterClaim, scope: Scope, snapshot: Snapshot) -> bool:
    """The guard: a master that is empty, or lost too much since the last accepted reading, is not copied."""
    previous = last_accepted(run.group_id, scope)
    sentence = safety.empty(snapshot)
    if sentence is None and previous is not None:
        sentence = safety.shrink(
            from_document(previous.document),
            snapshot,
            run.group.max_master_shrink,
            run.group.shrink_minimum_items,
        )
    if sentence and not run.forced:
        end_without_master(run, "guard", store.problem("guard", sentence, GUARD_REMEDY))
        return False
    if sentence:
        message = f"{sentence} Forced: {run.force_reason}"
        store.log(run.pk, message, code="forced", level=LogEntry.Level.WARNING)
    return _accept(run, claim, scope, snapshot, previous)


def last_accepted(group_id: int, scope: Scope) -> MasterSnapshot | None:
    """The latest reading that the guard let pass and that holds (at least) what this scope reads."""
    accepted = MasterSnapshot.objects.filter(group=group_id, type__in={scope, Scope.FULL}, accepted=True)
    return accepted.order_by("-pk").first()


def _accept(
    run: SyncRun, claim: MasterClaim, scope: Scope, snapshot: Snapshot, previous: MasterSnapshot | None
) -> bool:
    """Freezes the snapshot for the run; an unchanged master keeps its stored one."""
    digest = fingerprint(snapshot)
    with transaction.atomic():
        if previous is None or previous.fingerprint != digest:
            previous = MasterSnapshot.objects.create(
                group_id=run.group_id,
                type=scope,
                document=store.clean(to_document(snapshot)),
                fingerprint=digest,
                accepted=True,
            )
        mine = SyncRun.objects.filter(pk=run.pk, fence=claim.fence, state__in=RUN_OPEN, cancel_requested_at=None)
        return mine.update(snapshot=previous, lease_until=None, note="") == 1


def failed_inside(claim: MasterClaim, error: BaseException) -> None:
    """An error of our own while reading the master: again, or after too many the end of the run."""
    logger.error("run %s: reading the master failed", claim.run_id, exc_info=error)
    if claim.attempts < conf.MAX_ERRORS:
        release_master(claim)
        return
    problem = store.problem("internal", f"Reading the master failed: {type(error).__name__}.", INTERNAL_REMEDY)
    run = SyncRun.objects.get(pk=claim.run_id)
    if run.fence == claim.fence:
        end_without_master(run, "internal", problem)
