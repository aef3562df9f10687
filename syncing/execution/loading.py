"""From claims to tasks: all that a thread needs is loaded here, before."""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from django.utils.translation import gettext_noop

from accounts.kommo.stopping import Stop, Stopped
from accounts.log_context import log_ids
from accounts.models import Account
from syncing.error_boundary import bounded, where
from syncing.execution.account_task import AccountTask, LeaseWatch, log_end
from syncing.execution.goals import Goal, SnapshotCache, StoredAccount
from syncing.execution.purposes import STEPS
from syncing.execution.recorder import Recorder
from syncing.leases.claims import Claim
from syncing.models import AccountState, SlaveSnapshot, SyncRun
from syncing.purposes import purpose_of
from syncing.records.mappings import fresh_mappings
from syncing.records.outcomes import outcomes_so_far
from syncing.records.pending import pending_creations
from syncing.records.stored_names import known_names
from syncing.records.text import error_document
from syncing.replication.contract import Result
from syncing.services.runs.close import end_by_own_error
from syncing.services.runs.waves import advance_or_close

logger = logging.getLogger(__name__)

PAUSED = gettext_noop("paused since the run was asked for")
GROUP_PAUSED = gettext_noop("its group was paused since the run was asked for")
NO_MASTER = gettext_noop("it is no longer a master")
NO_SLAVE = gettext_noop("it is no longer a slave")
NOT_STORED = (
    gettext_noop("The snapshot taken before that run has expired."),
    gettext_noop("Correct the account by hand in Kommo."),
)
NOT_APPROVED = (
    gettext_noop("Nothing is written to a master without an approved plan, and this plan was not approved."),
    gettext_noop("Propose the items again, then approve that plan."),
)


@dataclass(frozen=True)
class Ending:
    """The end of an account run that is not worked at all."""

    state: AccountState
    reason: str
    note: str = ""
    error: dict[str, str] | None = None

    @property
    def result(self) -> Result:
        return Result(self.state, self.reason, self.error, {}, "", 0, 0, 0, 0, 0, None)


class Loader:
    """Makes tasks of the claims of one lane."""

    def __init__(self, recorder: Recorder, watch: LeaseWatch, stop: Stop) -> None:
        self._recorder, self._watch, self._stop = recorder, watch, stop
        self._snapshots = SnapshotCache()

    def load(self, claims: Sequence[Claim]) -> list[AccountTask]:
        """Returns a task for each claim; an account that may not be worked any more ends here, the others go on.

        What cannot be loaded for all at once is loaded for each by itself, so that an odd row costs its own account
        alone.
        """
        tasks: list[AccountTask] = []

        def apart(error: Exception) -> None:
            if len(claims) > 1:
                tasks.extend(task for claim in claims for task in self.load([claim]))
                return
            (claim,) = claims
            with log_ids(run=claim.run_id, account=claim.account_id):
                text = "run %s: what account %s needs was not loaded"
                logger.error(text, claim.run_id, claim.account_id, exc_info=error)
                self._end(claim, partial(self._recorder.own_error, claim, where(error), None))

        with bounded(apart):
            return self._load(claims)
        return tasks

    def _load(self, claims: Sequence[Claim]) -> list[AccountTask]:
        """Loads the tasks of the claims all at once; any error of it concerns them all."""
        earlier = outcomes_so_far([claim.account_run_id for claim in claims if claim.fence > 1])
        runs = SyncRun.objects.select_related("group", "reverts").in_bulk({claim.run_id for claim in claims})
        goals = self._goals(claims, runs)
        stored = stored_accounts(claims)
        kommo_ids = dict(Account.objects.exclude(kommo_id=None).values_list("pk", "kommo_id"))
        tasks = []
        for claim in claims:
            run, account = runs[claim.run_id], Account.objects.get(pk=claim.account_id)
            done, goal = earlier.get(claim.account_run_id, ()), goals.get(claim.account_run_id)
            if ending := why_not_worked(claim, run, account, goal):
                self._end(claim, partial(self._recorder.finish, claim, ending.result, done, ending.note))
                log_end(claim, account, ending.result)
                continue
            assert goal is not None
            tasks.append(
                AccountTask(
                    claim=claim,
                    account=account,
                    target=goal.target(claim, account.subdomain, stored[account.pk], forced=run.forced),
                    recorder=self._recorder,
                    watch=self._watch,
                    stop=Stop(self._stop),
                    earlier=done,
                    others=frozenset(value for pk, value in kommo_ids.items() if pk != account.pk and value),
                    remember=goal.remember,
                )
            )
        return tasks

    def _goals(self, claims: Sequence[Claim], runs: Mapping[int, SyncRun]) -> dict[int, Goal]:
        """Returns the goals by account run; one of which what it needs is gone is missing."""
        of_run: dict[int, list[Claim]] = defaultdict(list)
        for claim in claims:
            of_run[claim.run_id].append(claim)
        goals: dict[int, Goal] = {}
        for run_id, mine in of_run.items():
            by_account = STEPS[runs[run_id].purpose].goals(runs[run_id], mine, self._snapshots)
            goals |= {
                claim.account_run_id: by_account[claim.account_id] for claim in mine if claim.account_id in by_account
            }
        return goals

    def _end(self, claim: Claim, store: Callable[[], None]) -> None:
        try:
            store()
        except Stopped:
            return  # the claim was lost meanwhile: its new holder looks for itself
        with bounded(partial(end_by_own_error, claim.run_id), run=claim.run_id):
            advance_or_close(claim.run_id)


def stored_accounts(claims: Sequence[Claim]) -> dict[int, StoredAccount]:
    """Returns what is stored of the accounts of the claims, by account."""
    repeated = [claim.account_run_id for claim in claims if claim.fence > 1]
    begun = set(SlaveSnapshot.objects.filter(pk__in=repeated).values_list("pk", flat=True)) if repeated else set()
    accounts = [claim.account_id for claim in claims]
    names, pending, fresh = known_names(accounts), pending_creations(accounts), fresh_mappings(accounts)
    return {
        pk: StoredAccount(names[pk], pending[pk], fresh[pk], claim.account_run_id in begun)
        for claim in claims
        for pk in [claim.account_id]
    }


def why_not_worked(claim: Claim, run: SyncRun, account: Account, goal: Goal | None) -> Ending | None:
    """Returns the end of an account run that may not be worked (any more); None if it may.

    That is so when its account has changed since the run began, its snapshot has expired, or nobody approved its plan.
    """
    purpose = purpose_of(run.purpose)
    if account.is_paused or run.group.is_paused:
        return Ending(AccountState.SKIPPED, "paused", PAUSED if account.is_paused else GROUP_PAUSED)
    if account.role != purpose.role:
        return Ending(AccountState.SKIPPED, "", NO_MASTER if purpose.writes_master else NO_SLAVE)
    if account.group_id != run.group_id:
        return Ending(AccountState.SKIPPED, "", gettext_noop("it belongs to another group now"))
    if goal is None:
        return Ending(AccountState.FAILED, "not_found", error=error_document("not_found", *NOT_STORED))
    if goal.gate is not None and claim.writes and not claim.approved_digest:
        return Ending(AccountState.REFUSED, "guard", error=error_document("guard", *NOT_APPROVED))
    return None
