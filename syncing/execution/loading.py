"""From claims to targets: all that a thread needs is loaded here, before."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from accounts.kommo.stopping import Stop, Stopped
from accounts.models import Account
from syncing.adapters.outcomes import Outcome
from syncing.engine.pending import ListKey, Pending
from syncing.engine.stored_names import ItemKey, ShownName, as_sent
from syncing.error_boundary import bounded, where
from syncing.execution import purposes
from syncing.execution.account_task import AccountTask, LeaseWatch
from syncing.execution.purposes import Goal, Snapshots
from syncing.execution.recorder import Recorder
from syncing.leases.claims import Claim
from syncing.models import AccountState, RunPurpose, SlaveSnapshot, SyncRun
from syncing.purposes import PURPOSES
from syncing.records.mappings import fresh_mappings
from syncing.records.outcomes import outcomes_so_far
from syncing.records.pending import pending_creations
from syncing.records.stored_names import known_names
from syncing.records.text import error_document
from syncing.replication.contract import Result, Target
from syncing.services.runs.close import fail_inside
from syncing.services.runs.waves import settle

__all__ = ["Snapshots", "load"]

logger = logging.getLogger(__name__)

GOALS = {RunPurpose.ROLLBACK: purposes.of_rollback, RunPurpose.PROMOTION: purposes.of_promotion}
NOT_KEPT = ("How the account was before is not kept any more.", "Put it right by hand.")
NOT_APPROVED = (
    "A master is written only as somebody approved it, and this was not.",
    "Propose it again, and have that plan approved.",
)


def load(
    claims: Sequence[Claim], snapshots: Snapshots, recorder: Recorder, watch: LeaseWatch, stop: Stop
) -> list[AccountTask]:
    """A task for each claim; an account that may not be written or read any more ends here, the others go on.

    What cannot be loaded for all at once is loaded for each by itself, so that an odd row costs its own account alone.
    """
    tasks: list[AccountTask] = []

    def apart(error: Exception) -> None:
        if len(claims) == 1:
            _errored(claims[0], recorder, error)
        for claim in claims if len(claims) > 1 else ():
            tasks.extend(load([claim], snapshots, recorder, watch, stop))

    with bounded(apart):
        return _load(claims, snapshots, recorder, watch, stop)
    return tasks


def _errored(claim: Claim, recorder: Recorder, error: Exception) -> None:
    logger.error("run %s: what account %s needs was not loaded", claim.run_id, claim.account_id, exc_info=error)
    try:
        recorder.own_error(claim, where(error), None)
    except Stopped:
        return
    _settle(claim.run_id)


def _settle(run_id: int) -> None:
    with bounded(partial(fail_inside, run_id)):
        settle(run_id)


def _load(
    claims: Sequence[Claim], snapshots: Snapshots, recorder: Recorder, watch: LeaseWatch, stop: Stop
) -> list[AccountTask]:
    again = [claim.account_run_id for claim in claims if claim.fence > 1]
    earlier = outcomes_so_far(again) if again else {}
    begun = set(SlaveSnapshot.objects.filter(pk__in=again).values_list("pk", flat=True)) if again else set()
    runs = SyncRun.objects.select_related("group", "reverts").in_bulk({claim.run_id for claim in claims})
    found = _goals(claims, runs, snapshots)
    accounts = [claim.account_id for claim in claims]
    stored_names, pending = known_names(accounts), pending_creations(accounts)
    fresh = fresh_mappings(accounts)
    kommo_ids = dict(Account.objects.exclude(kommo_id=None).values_list("pk", "kommo_id"))
    tasks = []
    for claim in claims:
        done = earlier.get(claim.account_run_id, ())
        account = _account(claim, runs[claim.run_id], recorder, done)
        goal = found.get(claim.account_run_id)
        if account is None or not _is_sound(claim, goal, recorder, done):
            continue
        assert goal is not None
        tasks.append(
            AccountTask(
                claim=claim,
                account=account,
                target=replace(
                    _target(claim, account, goal, claim.account_run_id in begun, stored_names[claim.account_id]),
                    pending=_pending(goal, runs[claim.run_id], pending[claim.account_id]),
                    fresh=frozenset() if goal.own_words else fresh[claim.account_id],
                ),
                recorder=recorder,
                watch=watch,
                stop=Stop(stop),
                earlier=done,
                others=frozenset(value for pk, value in kommo_ids.items() if pk != account.pk and value),
                remember=goal.remember,
            )
        )
    return tasks


def _goals(claims: Sequence[Claim], runs: Mapping[int, SyncRun], snapshots: Snapshots) -> dict[int, Goal]:
    """By account run, run by run."""
    of_run: dict[int, list[Claim]] = defaultdict(list)
    for claim in claims:
        of_run[claim.run_id].append(claim)
    found: dict[int, Goal] = {}
    for run_id, mine in of_run.items():
        run = runs[run_id]
        by_account = GOALS.get(RunPurpose(run.purpose), purposes.of_sync)(run, mine, snapshots)
        found |= {
            claim.account_run_id: by_account[claim.account_id] for claim in mine if claim.account_id in by_account
        }
    return found


def _pending(goal: Goal, run: SyncRun, known: Mapping[ListKey, Pending]) -> Mapping[ListKey, Pending] | None:
    """Who forces a run has what is missing made, whatever was sent before."""
    if goal.own_words:
        return None
    return {} if run.forced else known


def _target(
    claim: Claim, account: Account, goal: Goal, begun: bool, stored_names: Mapping[ItemKey, ShownName]
) -> Target:
    """An account that was begun had the approved plan then; what is left of it has another digest."""
    return Target(
        account.subdomain,
        goal.scope,
        claim.writes,
        as_sent(goal.desired, stored_names) if goal.own_words else goal.desired,
        goal.known,
        rules=goal.rules,
        approved_digest="" if begun else claim.approved_digest,
        base=goal.base,
        gate=goal.gate,
        stored_names=stored_names,
    )


def _account(claim: Claim, run: SyncRun, recorder: Recorder, earlier: Sequence[Outcome]) -> Account | None:
    """The account as it is now; None when it ends here."""
    account = Account.objects.get(pk=claim.account_id)
    reason, note = _why_not(account, run)
    if note:
        _end(claim, recorder, _untouched(AccountState.SKIPPED, reason), earlier, note)
        return None
    return account


def _why_not(account: Account, run: SyncRun) -> tuple[str, str]:
    """Reason and sentence why it must not be written though it was when the run began; ("", "") when it may be."""
    if account.paused:
        return "paused", "paused since the run was asked for"
    purpose = PURPOSES[run.purpose]
    if account.role != purpose.role:
        return "", "it is no master any more" if purpose.writes_master else "it is no slave any more"
    if account.group_id != run.group_id:
        return "", "it belongs to another group now"
    return "", ""


def _is_sound(claim: Claim, goal: Goal | None, recorder: Recorder, earlier: Sequence[Outcome]) -> bool:
    """False, and the account has ended, when what its run needs is gone or was never given."""
    if goal is None:
        problem = error_document("not_found", *NOT_KEPT)
        _end(claim, recorder, _untouched(AccountState.FAILED, "not_found", problem), earlier)
        return False
    if goal.gate is not None and claim.writes and not claim.approved_digest:
        problem = error_document("guard", *NOT_APPROVED)
        _end(claim, recorder, _untouched(AccountState.REFUSED, "guard", problem), earlier)
        return False
    return True


def _end(claim: Claim, recorder: Recorder, result: Result, earlier: Sequence[Outcome], note: str = "") -> None:
    try:
        recorder.finish(claim, result, earlier, note)
    except Stopped:
        return  # the claim was lost meanwhile: its new holder looks for itself
    _settle(claim.run_id)


def _untouched(state: AccountState, reason: str, error: dict[str, str] | None = None) -> Result:
    return Result(state, reason, error, {}, "", 0, 0, 0, 0, 0, None)
