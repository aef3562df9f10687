"""One account run in a thread: what its thread is given, how it is stopped, and how its attempt ends."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from django.utils.translation import gettext_noop

from accounts.kommo import elapsed_time
from accounts.kommo.client import KommoClient
from accounts.kommo.errors import IpBlocked, KommoError
from accounts.kommo.failure_counter import FailureCounter
from accounts.kommo.stopping import DELIBERATE_STOPS, Stop, Stopped, StopReason
from accounts.log_context import log_ids
from accounts.models import Account
from accounts.services.credentials.clients import client_for
from syncing import conf
from syncing.adapters.outcomes import Outcome
from syncing.engine.delta import PartRead
from syncing.engine.refs import Ref
from syncing.engine.snapshot import Snapshot, packed
from syncing.error_boundary import bounded, where
from syncing.execution.recorder import Recorder
from syncing.leases.claims import Claim
from syncing.models import AccountState
from syncing.records.account_runs import Progress, how_far
from syncing.records.mappings import Remember, remember_slave
from syncing.records.outcomes import changes_of, counts_of
from syncing.records.text import error_document
from syncing.replication.contract import NO_NOTES, Checkpoint, Mapped, Notes, Record, Result, StoreBefore, Target

logger = logging.getLogger(__name__)

Replicate = Callable[[Target, KommoClient, Record, Checkpoint, StoreBefore], Result]
BLOCKED_MESSAGE = gettext_noop("Kommo blocked this machine's IP address, so everything was stopped.")


class LeaseWatch:
    """Knows when the lane last extended its leases; without a heartbeat nothing more may be sent.

    `stop` asks it before every request, so that a lane whose machine slept sends nothing when it wakes. A thread of
    its own watches it as well, for tasks that wait for their turn or for a repeat, and for a lane whose own thread
    hangs on the database: then `stop` is set with the code of a lost claim.
    """

    def __init__(self, clocks: Sequence[Callable[[], float]] = elapsed_time.CLOCKS) -> None:
        self._clocks = clocks
        self._ended = threading.Event()
        self.leases_extended(self.moment())
        self.stop = Stop(watch=lambda: StopReason.LOST_CLAIM if self.is_stale else "")
        threading.Thread(target=self._watch, name="watch", daemon=True).start()

    def _watch(self) -> None:
        while not self._ended.wait(conf.heartbeat() / 2):
            if self.is_stale:
                self.stop.set(StopReason.LOST_CLAIM)

    def end(self) -> None:
        self._ended.set()

    def moment(self) -> elapsed_time.Moment:
        return elapsed_time.moment(self._clocks)

    def leases_extended(self, at: elapsed_time.Moment) -> None:
        """Takes note of it; `at`: before they were extended, for they count from then on."""
        self._at = at

    @property
    def is_stale(self) -> bool:
        return elapsed_time.seconds_since(self._at, self._clocks) > conf.stale_after()


@dataclass
class AccountTask:
    """An account run at work. The thread asks nothing of the database; the lane's own thread watches and stops it."""

    claim: Claim
    account: Account
    target: Target
    recorder: Recorder
    watch: LeaseWatch
    stop: Stop
    earlier: Sequence[Outcome] = ()
    others: frozenset[int] = frozenset()  # Kommo ids of all other entries
    remember: Remember = remember_slave
    note: str = ""
    shown_note: str = ""
    client: KommoClient | None = None
    ended_by: str = ""  # the reason code of its end
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def requests(self) -> int:
        return self.client.requests if self.client else 0

    # -- given to replicate --

    def record(
        self, outcomes: Sequence[Outcome], mapped: Sequence[Mapped], dropped: Sequence[Ref], notes: Notes = NO_NOTES, /
    ) -> None:
        self.recorder.record(self.claim, outcomes, mapped, dropped, self.remember, notes)
        self.outcomes += outcomes
        if self.target.gate is not None:
            for item in mapped:
                if item.created_by_us:
                    self.target.gate.admit(item.ref, item.slave_key)

    def store_before(self, before: Snapshot, part: PartRead | None) -> None:
        self.recorder.store_before(self.claim, packed(before), part)

    def checkpoint(self, note: str) -> None:
        self.note = note
        self.stop.check_now()

    # -- the thread --

    def run(self, replicate: Replicate) -> None:
        """Makes the whole attempt and stores its end; no error leaves it for the other accounts."""
        with log_ids(run=self.claim.run_id, group=self.account.group_id, account=self.account.pk):
            try:
                with bounded(self._store_error, but=(Stopped,)):
                    result = self._attempt(replicate)
                    self.ended_by = result.reason or ""
                    if result.reason == StopReason.IP_BLOCKED:  # every account that it stopped says the same
                        error = error_document(StopReason.IP_BLOCKED, BLOCKED_MESSAGE, IpBlocked.remedy)
                        result = replace(result, error=error)
                    note = how_far(self.progress()) if result.state == AccountState.CANCELLED else ""
                    self.recorder.finish(self.claim, result, self.earlier, note)
                    log_end(self.claim, self.account, result)
            except Stopped as stop:
                if stop.reason != StopReason.LOST_CLAIM:
                    self._store(partial(self.recorder.interrupt, self.claim, stop.reason, self.progress()))

    def _attempt(self, replicate: Replicate) -> Result:
        """Replicates the account; a master is written only through the gate of a promotion that was approved."""
        gate = self.target.gate if self.target.writes else None
        read_only = None if gate else not self.target.writes
        failures = FailureCounter(self.claim.failing)
        try:
            with client_for(
                self.account, read_only=read_only, gate=gate, others=self.others, stop=self.stop, failures=failures
            ) as self.client:
                return replicate(self.target, self.client, self.record, self.checkpoint, self.store_before)
        except KommoError as error:
            if isinstance(error, Stopped) and error.reason in DELIBERATE_STOPS:
                raise
            return failed(error, self.outcomes, self.requests)

    def _store_error(self, error: Exception) -> None:
        logger.exception("run %s, account %s: error of our own", self.claim.run_id, self.account.subdomain)
        self._store(lambda: self.recorder.own_error(self.claim, where(error), self.progress()))

    def _store(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Stopped:
            logger.warning("run %s: the claim of %s was lost", self.claim.run_id, self.account.subdomain)

    def progress(self) -> Progress:
        failing = self.client.failing if self.client else self.claim.failing
        return Progress([*self.earlier, *self.outcomes], self.requests, self.note, failing)


def log_end(claim: Claim, account: Account, result: Result) -> None:
    """Logs how an account run ended; whether that is a reason to worry, the line of its run says."""
    reason = f" ({result.reason})" if result.reason else ""
    ids = {"run": claim.run_id, "group": account.group_id, "account": account.pk}
    text = "run %s: %s ended as %s%s, after %d requests"
    logger.info(text, claim.run_id, account.subdomain, result.state, reason, result.requests, extra=ids)


def failed(error: KommoError, outcomes: Sequence[Outcome], requests: int) -> Result:
    """Returns the result of an account that Kommo did not let us work."""
    counts = counts_of(outcomes)
    return Result(
        state="failed",
        reason=error.code,
        error=error_document(error.code, str(error), error.remedy),
        document={"changes": changes_of(outcomes), "extras": [], "conflicts": [], "manual": []},
        digest="",
        created=counts["created"],
        updated=counts["updated"],
        deleted=counts["deleted"],
        adopted=counts["adopted"],
        requests=requests,
        kommo_id=None,
    )
