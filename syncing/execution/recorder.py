"""The one recorder of a lane: everything that its threads have to store, a batch per commit, behind the fence."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from django.db import OperationalError, connection, transaction

from accounts.batcher import Batcher
from accounts.kommo.stopping import Stopped, StopReason
from accounts.models import Account
from accounts.services.health.store import record_health
from accounts.services.identity import remember_identity
from syncing import conf
from syncing.adapters.outcomes import Outcome
from syncing.engine.delta import PartRead
from syncing.engine.refs import Ref
from syncing.error_boundary import bounded
from syncing.leases.claims import Claim
from syncing.models import AccountRun, AccountState, LogEntry, SyncRun
from syncing.purposes import purpose_of
from syncing.records import drift
from syncing.records.account_runs import Progress, cancelled, failed_inside, final_columns, handed_back, so_far
from syncing.records.log import log
from syncing.records.mappings import Remember, remember_slave
from syncing.records.outcomes import log_options, log_outcomes
from syncing.records.pending import store_pending
from syncing.records.snapshots import store_snapshot
from syncing.records.stored_names import store_names
from syncing.replication.contract import NO_NOTES, Mapped, Notes, Result

ATTEMPTS = 3


@dataclass(frozen=True)
class Unit:
    """Something to store for one claim; its result is True, or Stopped when the claim was lost."""

    claim: Claim
    act: Callable[[], object]
    after_write: bool = False  # what the account has become since its last request: more would follow


class Recorder:
    """Every method blocks until its part is committed, and raises Stopped("lost_claim") behind a newer fence."""

    def __init__(self) -> None:
        self._batcher: Batcher[Unit, bool] = Batcher(commit, window=conf.WRITER_WINDOW, name="recorder")
        self._frames: dict[int, drift.Frame | None] = {}

    def close(self) -> None:
        self._batcher.close()

    def record(
        self,
        claim: Claim,
        outcomes: Sequence[Outcome],
        mapped: Sequence[Mapped],
        dropped: Sequence[Ref],
        remember: Remember = remember_slave,
        notes: Notes = NO_NOTES,
    ) -> None:
        """Stores log rows of what has just happened, what `remember` makes of the id mappings, and `notes`."""

        def act() -> None:
            log_outcomes(claim.run_id, claim.account_run_id, outcomes)
            log_options(claim.run_id, claim.account_run_id, mapped)
            remember(claim.account_id, outcomes, mapped, dropped)
            store_names(claim.account_id, notes.stored_names)
            store_pending(claim.account_id, notes.pending)

        self._batcher.call(Unit(claim, act, after_write=True))

    def store_before(self, claim: Claim, document: bytes, part: PartRead | None) -> None:
        """Stores the account as it was before the first write (`records.snapshots.packed`); `part` of it was read."""

        def act() -> None:
            store_snapshot(claim.account_run_id, claim.account_id, document, part)

        self._batcher.call(Unit(claim, act, after_write=True))

    def finish(self, claim: Claim, result: Result, earlier: Sequence[Outcome], note: str = "") -> None:
        """Ends an account run; what earlier attempts of it did counts as done in it."""
        seen = drift.observation_in(result)

        def act() -> None:
            _end(claim, note=note, **final_columns(claim, result, [*earlier, *result.earlier]))
            _store_contact(claim, result)
            if seen is not None:
                if claim.run_id not in self._frames:
                    self._frames[claim.run_id] = drift.frame_of(claim)
                if frame := self._frames[claim.run_id]:
                    drift.store_drift(claim, frame, seen)

        self._batcher.call(Unit(claim, act))

    def interrupt(self, claim: Claim, reason: str, progress: Progress) -> None:
        """Ends an attempt that was stopped: cancelled for good, or handed back for the next attempt."""

        def act() -> None:
            is_over = reason == StopReason.CANCELLED or _run_is_cancelled(claim)
            columns = cancelled(progress) if is_over else handed_back(progress)
            _end(claim, **columns, **so_far(claim, progress))

        self._batcher.call(Unit(claim, act))

    def own_error(self, claim: Claim, text: str, progress: Progress | None) -> None:
        """Stores an error of our own: to the queue again, or after too many the end of the account run.

        `progress` None: it was not even begun, so what earlier attempts did stays as it is stored.
        """

        def act() -> None:
            level = LogEntry.Level.ERROR
            log(claim.run_id, text, account_run_id=claim.account_run_id, code="internal", level=level)
            errors = AccountRun.objects.values_list("errors", flat=True).get(pk=claim.account_run_id) + 1
            columns = failed_inside(text) if errors >= conf.MAX_ERRORS else handed_back(progress)
            if errors < conf.MAX_ERRORS and _run_is_cancelled(claim):
                columns = cancelled(progress)
            _end(claim, errors=errors, **columns, **(so_far(claim, progress) if progress else {}))

        self._batcher.call(Unit(claim, act))

    def show(self, claim: Claim, requests: int, note: str) -> None:
        """Shows what an account is doing at the moment."""
        rows = AccountRun.objects.filter(pk=claim.account_run_id, state=AccountState.RUNNING)
        self._batcher.submit(Unit(claim, partial(rows.update, requests=claim.requests + requests, note=note)))


# -- in the recorder's thread --


def commit(units: Sequence[Unit]) -> Sequence[bool | BaseException]:
    """Stores all in one transaction, each in a savepoint; repeats it when the database was busy or went away."""
    for left in reversed(range(ATTEMPTS)):
        try:
            return _commit(units)
        except OperationalError:
            connection.close_if_unusable_or_obsolete()
            if not left:
                raise
    raise AssertionError("unreachable")


def _commit(units: Sequence[Unit]) -> list[bool | BaseException]:
    """Stores what several threads have to store in one transaction; returns the result of each."""
    with transaction.atomic():
        keys = {unit.claim.account_run_id for unit in units}
        running = AccountRun.objects.filter(pk__in=keys, state=AccountState.RUNNING)
        # Locked until the commit, in the order of their keys.
        fences = dict(running.select_for_update().order_by("pk").values_list("pk", "fence"))
        turned = _with_other_role(units)
        lost = [unit.after_write and unit.claim.account_run_id in turned for unit in units]
        return [
            Stopped(StopReason.LOST_CLAIM) if gone else _store(unit, fences)
            for unit, gone in zip(units, lost, strict=True)
        ]


def _with_other_role(units: Sequence[Unit]) -> set[int]:
    """Returns the account runs whose account has another role now (by an import, say): they are as good as lost.

    Only what was approved for it may be written to a master.
    """
    written = [unit.claim for unit in units if unit.after_write]
    if not written:
        return set()
    rows = Account.objects.filter(pk__in={claim.account_id for claim in written}, role=Account.Role.MASTER)
    masters = set(rows.values_list("pk", flat=True))
    wrong = (claim for claim in written if (claim.account_id in masters) != purpose_of(claim.purpose).writes_master)
    return {claim.account_run_id for claim in wrong}


def _store(unit: Unit, fences: dict[int, int]) -> bool | BaseException:
    if fences.get(unit.claim.account_run_id) != unit.claim.fence:
        return Stopped(StopReason.LOST_CLAIM)
    run, account = unit.claim.run_id, unit.claim.account_id
    failed: list[Exception] = []  # raised to who asked: the others of the batch have no part in it
    with bounded(failed.append, but=(OperationalError,), run=run, account=account), transaction.atomic():
        unit.act()
    return failed[0] if failed else True


def _end(claim: Claim, **columns: object) -> None:
    AccountRun.objects.filter(pk=claim.account_run_id).update(lease_until=None, lane="", **columns)


def _store_contact(claim: Claim, result: Result) -> None:
    """Stores what the run learnt of the connection: nothing of an account that was not asked, or not to the end."""
    failed = result.state == AccountState.FAILED
    untold = result.state in (AccountState.CANCELLED, AccountState.SKIPPED)
    if failed or (result.requests and not untold):
        wrote = claim.writes and result.created + result.updated + result.deleted > 0  # a plan counts, and writes not
        record_health(claim.account_id, result.error if failed else None, wrote=wrote)
    if result.kommo_id is not None and result.reason != "wrong_account":
        remember_identity(claim.account_id, result.kommo_id)


def _run_is_cancelled(claim: Claim) -> bool:
    return SyncRun.objects.filter(pk=claim.run_id, cancel_requested_at__isnull=False).exists()
