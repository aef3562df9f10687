"""Syncs and drift checks: the master is read and judged, and every slave is compared with it."""

from collections.abc import Sequence
from dataclasses import replace

from django.db import transaction
from django.utils.translation import gettext_noop

from accounts.models import Account, SyncGroup
from syncing.automation import retries
from syncing.engine import safety
from syncing.engine.assumed import DeltaBase, delta_base
from syncing.engine.refs import Scope
from syncing.engine.snapshot import Snapshot, fingerprint, from_document
from syncing.error_boundary import survived
from syncing.execution.goals import Goal, SnapshotCache
from syncing.execution.master_reading import ReadRequest
from syncing.leases.claims import Claim, MasterClaim, freeze_master
from syncing.models import MasterSnapshot, RunType, SyncRun
from syncing.policy import may_delete, rules_for, scope_of
from syncing.records import drift
from syncing.records.equality import known_equal
from syncing.records.log import log
from syncing.records.mappings import known_mappings, remember_slave
from syncing.records.snapshots import last_accepted, store_master
from syncing.records.text import error_document
from syncing.services.runs.close import end_without_master

MASTER_REMEDY = gettext_noop("Look at the master. If this is intended, run again with --force --reason TEXT.")
NOT_COMPARED = (
    gettext_noop("The last reading of the master is damaged, so it is unknown what the master has lost since then."),
    MASTER_REMEDY,
)


def request(run: SyncRun, master: Account, scope: Scope) -> ReadRequest:
    return request_for(run.group, master, scope)


def request_for(group: SyncGroup, master: Account, scope: Scope) -> ReadRequest:
    """Returns what to read: the master, more thoroughly where the policy deletes."""
    if not may_delete(group):
        return ReadRequest((master,), scope)
    previous = last_accepted(group.pk, scope)
    return ReadRequest((master,), scope, deletes=True, before=None if previous is None else stored_master(previous))


def stored_master(row: MasterSnapshot) -> Snapshot | None:
    """Returns the master of a row; None when it cannot be read any more (changed by hand in the database)."""
    with survived(f"the master's snapshot {row.pk}"):
        return from_document(row.document)
    return None


def accept(run: SyncRun, claim: MasterClaim, scope: Scope, snapshots: Sequence[Snapshot]) -> bool:
    """Judges the master as it was read; True when the run's accounts may be worked.

    A master that is empty, or has lost too much since the last accepted reading, is not copied; nor is one that cannot
    be compared with that reading any more. An unchanged master stays in its stored snapshot.
    """
    (snapshot,) = snapshots
    previous = last_accepted(run.group_id, scope)
    before = None if previous is None else stored_master(previous)
    if previous is not None and before is None:
        previous = None
        if not run.forced:
            end_without_master(run, "internal", error_document("internal", *NOT_COMPARED))
            return False
    sentence = safety.empty_master(snapshot)
    if sentence is None and before is not None:
        sentence = safety.master_losses(before, snapshot, run.group.max_master_shrink, run.group.shrink_minimum_items)
    if sentence and not run.forced:
        end_without_master(run, "guard", error_document("guard", sentence, MASTER_REMEDY))
        return False
    if sentence:
        facts = {"why": sentence, "reason": run.force_reason}
        log(run.pk, gettext_noop("%(why)s Forced: %(reason)s"), facts=facts, code="forced", level="warning")
    if retries.end_if_outdated(run, fingerprint(snapshot)):
        return False
    doubt = _log_remarks(run, snapshot)
    with transaction.atomic():
        if previous is None or previous.fingerprint != fingerprint(snapshot):
            previous = store_master(run.group_id, scope, snapshot)
        return freeze_master(claim, snapshot=previous, deletes_allowed=not doubt)


def _log_remarks(run: SyncRun, snapshot: Snapshot) -> str | None:
    """Logs what is odd in the master though it is accepted; returns the doubt for which nothing is deleted."""
    doubt = safety.inconsistency(snapshot)
    if doubt and may_delete(run.group):
        message = gettext_noop(
            "Nothing is deleted in this run, whatever the policy: in what was read of the master, %(doubt)s."
        )
        log(run.pk, message, facts={"doubt": doubt}, code="no_deletions", level="warning")
    for held in snapshot.held:
        facts = {"kind": held.kind.replace("_", " "), "label": repr(held.label), "place": held.place}
        message = gettext_noop("Not copied: the %(kind)s %(label)s has an unexpected shape (%(place)s).")
        log(run.pk, message, facts=facts, code="held_back", level="warning")
    return doubt


def goals(run: SyncRun, claims: Sequence[Claim], snapshots: SnapshotCache) -> dict[int, Goal]:
    """Returns by account: the master's configuration, and of its base only what the run looks at."""
    accounts = [claim.account_id for claim in claims]
    known, rules = known_mappings(accounts), rules_for(accounts, run)
    desired, scope = snapshots.master(run)
    bases = drift.bases_of(accounts, run.group_id)
    equal = known_equal(accounts, run) if run.delta and not run.forced else {}
    policy = scope_of(RunType.FULL, run.group)
    by_account = {}
    for account in accounts:
        pipelines, fields = bases.get(account, (None, None))
        base = snapshots.base(pipelines if scope.writes_pipelines else None, fields if scope.writes_fields else None)
        goal = Goal(desired, scope, known[account], rules[account], remember_slave, base)
        goal = replace(goal, rules_digest=goal.rules.digest(policy))
        if equal.get(account) == goal.rules_digest:
            goal = replace(goal, delta=_delta(run, goal, bases[account], snapshots))
        by_account[account] = goal
    return by_account


def _delta(
    run: SyncRun, goal: Goal, bases: tuple[int | None, int | None], snapshots: SnapshotCache
) -> DeltaBase | None:
    """Returns what is known without reading of an account that is equal to its bases; None: it is to be read whole.

    A run that writes no pipelines names stages all the same, as they were when the fields were last equal.
    """
    pipelines, fields = bases
    if not goal.scope.writes_pipelines:
        pipelines = fields
    if not goal.scope.writes_fields:
        fields = None
    base = snapshots.base(pipelines, fields)
    if base is None or pipelines is None or (fields is None and goal.scope.writes_fields):
        return None
    part = snapshots.touched(run, pipelines, fields)
    return delta_base(base, goal.desired, part, goal.known, goal.rules, goal.scope)
