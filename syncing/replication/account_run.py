"""The account run itself: read, plan, check, apply, read again, verify."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from accounts.kommo.client import KommoClient
from accounts.kommo.errors import KommoError
from accounts.kommo.stopping import Stopped, StopReason
from syncing.adapters.context import WriteContext
from syncing.adapters.outcomes import Outcome
from syncing.adapters.reader import Reader
from syncing.adapters.usage import in_use
from syncing.adapters.writer import apply_plan
from syncing.engine.changes import Action
from syncing.engine.plan import Plan, make_plan
from syncing.engine.refs import Ref
from syncing.engine.rules import Rules
from syncing.engine.safety import kommo_limits, thresholds
from syncing.engine.snapshot import Snapshot
from syncing.engine.stored_names import restore_options, unrestored_options
from syncing.replication.account_reading import AccountReading
from syncing.replication.checkpointed_client import CheckpointedClient
from syncing.replication.contract import Checkpoint, Keep, Notes, Record, Result, Target
from syncing.replication.document import difference_rows, document
from syncing.replication.id_map import IdMap, Updates
from syncing.replication.ledger import Ledger
from syncing.replication.remembered import Remembered
from syncing.replication.rereading import Rereading

ROUNDS = 4  # apply and re-read at most so often: the order may need more than one, everything else has two
PUT_BACK_IN = 2  # the round in which options that a write has spoiled are put back
LIMIT_REMEDY = "Make room in the account; the message says where."
GUARD_REMEDY = "Look at the plan; if it is meant, run this account again, forced, and say why."
STALE = "The account has changed since its plan was approved, so nothing was written."
STALE_REMEDY = "Look at the new plan and approve that one."


def _nowhere(snapshot: Snapshot) -> None:
    """For callers that keep no snapshots."""


def replicate(
    job: Target, client: KommoClient, record: Record, checkpoint: Checkpoint, keep: Keep = _nowhere
) -> Result:
    """Read the account, plan, and (if the job writes) check, keep what was there, apply, re-read and verify.

    Errors of Kommo, and a cancel, end in a Result; `Stopped` by us for another reason and errors of our own are raised.
    """
    account_run = _AccountRun(job, client, record, checkpoint, keep)
    try:
        return account_run.run()
    except Stopped as stop:
        if stop.reason in (StopReason.HANDED_BACK, StopReason.LOST_CLAIM):
            raise
        return account_run.stopped(stop.reason if stop.reason == StopReason.CANCELLED else "failed", stop)
    except KommoError as error:
        return account_run.stopped("failed", error)


class _AccountRun:
    """The state of an account run: what is known of it, and what has been done."""

    def __init__(self, job: Target, client: KommoClient, record: Record, checkpoint: Checkpoint, keep: Keep) -> None:
        self.job, self.client, self.record, self.keep = job, client, record, keep
        self.api = CheckpointedClient(client, checkpoint)
        self.ledger = Ledger()
        self.rules: Rules = job.rules
        self.memory = IdMap(job.known, self.ledger)
        self.reading = AccountReading(job, client, Reader(self.api), self.memory.known)
        self.remembered = Remembered.of(job)
        self.plan: Plan | None = None  # the first one: what the account is told about
        self.left: Plan | None = None  # what there is still to do
        self.adopted = 0

    def run(self) -> Result:
        raw = self.reading.first()
        existing = self.remembered.as_sent(raw)
        found = self.remembered.resolve(self.job.desired, existing, self.memory.known)
        self.memory.known.update(found)
        self.plan = self.left = plan = self._first_plan(existing)
        self.memory.plan = plan
        self.ledger.expect(plan)
        if (refusal := self._refusal(plan, existing)) is not None:
            return refusal
        if not self.job.writes:
            self.ledger.mark_names(plan.stored_otherwise)
            self.adopted = len(self.memory.adoptions(plan))
            if plan.changes and not plan.conflicts:  # names that are stored otherwise do not keep it from approval
                return self._result("planned", None, None)
            return self._judged("in_sync")
        if self.job.gate is not None:
            self.job.gate.open(plan, existing)
        if plan.changes:
            self.keep(raw)
        self._store(self.memory.of_arrivals(found))
        self._note(self.remembered.settle(self.memory.known))
        self._remember(plan)
        self._converge(plan, raw)
        return self._judged("changed" if self.ledger.outcomes else "in_sync")

    def stopped(self, state: str, error: KommoError) -> Result:
        """The result of an account run that an error of the account, or a cancel, has cut short."""
        self.left = None  # nobody knows how far it came
        self.ledger.skip_planned("Not tried: the account's run ended before.")
        problem = None if state == StopReason.CANCELLED else _problem(error.code, str(error), error.remedy)
        return self._result(state, error.code, problem)

    # -- plan and check --

    def _make_plan(self, existing: Snapshot) -> Plan:
        rules = replace(self.rules, uncertain=self.remembered.uncertain)
        return make_plan(self.job.desired, existing, self.memory.known, self.job.scope, rules, self.remembered.shown)

    def _first_plan(self, existing: Snapshot) -> Plan:
        """With what would be deleted, but is in use, left where it is.

        That may keep what it is in as well, and free what was to stay as the last one: then that is counted, too.
        """
        counted: set[Ref] = set()
        while True:
            plan = self._make_plan(existing)
            deletions = [c for c in plan.changes if c.action is Action.DELETE and c.ref not in counted]
            used = in_use(self.api, deletions, plan.slave_only, existing) if deletions else {}
            if not used:
                return plan
            counted |= {change.ref for change in deletions}
            reasons = {(ref.kind, plan.slave_only[ref]): reason for ref, reason in used.items()}
            self.rules = replace(self.rules, in_use={**self.rules.in_use, **reasons})

    def _refusal(self, plan: Plan, existing: Snapshot) -> Result | None:
        """Before the first write: Kommo's limits, another plan than the approved one, more than the group allows."""
        if sentence := kommo_limits(plan, existing):
            return self._refused("limit_reached", sentence, LIMIT_REMEDY)
        if self.job.approved_digest and self.job.approved_digest != plan.digest and plan.changes:
            return self._refused("stale_plan", STALE, STALE_REMEDY)
        allowed = self.rules.limits
        if allowed and (sentence := thresholds(plan, existing, self.memory.known, allowed)):
            return self._refused("guard", sentence, GUARD_REMEDY)
        return None

    def _refused(self, reason: str, sentence: str, remedy: str) -> Result:
        self.ledger.skip_planned("The account was refused before the first write.")
        return self._result("refused", reason, _problem(reason, sentence, remedy))

    # -- apply and verify --

    def _converge(self, plan: Plan, raw: Snapshot) -> None:
        """Apply, re-read, plan again, until nothing is left that is worth another try; what is left is not done."""
        left, existing = plan, self.remembered.as_sent(raw)
        rereading = Rereading(self.reading, self.ledger, self.memory.known, raw)
        spoiled: Mapping[str, tuple[str, str]] = {}
        for turn in range(1, ROUNDS + 1):
            current = self._worth_trying(left, turn, spoiled)
            if not current.changes:
                break
            self.ledger.expect(current)
            self._note(self.remembered.announce(current, raw))
            apply_plan(self._work(current, existing, rewrite_order=turn >= ROUNDS - 1))
            before, raw = raw, rereading.after(current, raw)
            self._store(self.memory.of_arrivals(rereading.arrivals(current, before, raw)))
            lesson = rereading.lesson(current, before, raw, self.remembered.stored)
            self._note(self.remembered.learn(lesson))
            spoiled = lesson.spoiled if turn <= PUT_BACK_IN else spoiled
            existing = self.remembered.as_sent(raw)
            refused = self.ledger.refused()
            found = self.remembered.resolve(self.job.desired, existing, self.memory.known, refused)
            self._store(self.memory.of_arrivals(found))
            self._note(self.remembered.settle(self.memory.known, self.ledger.unknown_creations()))
            self.left = left = self._make_plan(existing)
            self._remember(left)
        self._tell_what_came_up(left)
        remaining = {change.ref: change for change in left.changes}
        changed = self.ledger.conclude(remaining, left.stored_otherwise, unrestored_options(left, spoiled))
        if changed:
            self.record([self._with_key(outcome, left) for outcome in changed], (), ())

    def _tell_what_came_up(self, left: Plan) -> None:
        """Conflicts and manual items that the first plan could not know, as of items that read oddly only now."""
        assert self.plan is not None
        known = {conflict.ref for conflict in self.plan.conflicts}
        conflicts = (conflict for conflict in left.conflicts if conflict.ref not in known)
        manual = (item for item in left.manual if item not in self.plan.manual)
        self.plan = replace(
            self.plan, conflicts=(*self.plan.conflicts, *conflicts), manual=(*self.plan.manual, *manual)
        )

    def _worth_trying(self, plan: Plan, turn: int, spoiled: Mapping[str, tuple[str, str]]) -> Plan:
        """A create is never repeated here (the writer looks up lost ones); an update once, a move in every turn.

        Stages that their new pipeline was made without have not been sent yet.

        Of a field whose new options do not show yet nothing is repeated: they would be made again under other ids.
        Options of the account's own that read otherwise since they were written back are put back, once.
        """
        if turn == 1:
            return plan
        late = [change for change in plan.changes if turn == 2 and self.ledger.was_left_out(change)]
        changes = late + [
            change
            for change in plan.changes
            if change.action is Action.UPDATE
            and not self.ledger.is_given_up(change.ref)
            and ((turn == 2 and self.ledger.worth_another_try(change.ref)) or set(change.fields) == {"position"})
            and not self._waits_for_options(plan, change.ref)
        ]
        if turn == PUT_BACK_IN:
            changes = restore_options(plan, changes, spoiled)
        return replace(plan, changes=tuple(changes))

    def _waits_for_options(self, plan: Plan, field: Ref) -> bool:
        options = plan.desired.items[field].attributes.get("enums", ())
        return any(option in self.memory.made and option not in plan.match.keys for option in options)

    def _work(self, plan: Plan, existing: Snapshot, *, rewrite_order: bool) -> WriteContext:
        def report(outcomes: Sequence[Outcome]) -> None:
            self._record_written(outcomes, plan)

        ids = dict(plan.match.keys)
        return WriteContext(
            self.api,
            self.reading.reader,
            plan,
            self.job.desired,
            existing,
            ids,
            report,
            rewrite_order,
            self.remembered.stored,
            self.api.age,
        )

    # -- record --

    def _record_written(self, outcomes: Sequence[Outcome], plan: Plan) -> None:
        """Stores what was written before the next request goes out."""
        noted = [self._with_key(outcome, plan) for outcome in self.ledger.note(outcomes)]
        news = self.memory.of_writes(outcomes, plan)
        new = {ref: key for outcome in outcomes for ref, key in outcome.keys.items()}
        news.outcomes = [replace(outcome, key=new[outcome.ref]) if outcome.ref in new else outcome for outcome in noted]
        self._store(news)

    def _remember(self, plan: Plan) -> None:
        news = self.memory.of_matches(plan)
        self.adopted += len(news.outcomes)
        self._store(news)

    def _store(self, news: Updates) -> None:
        if news:
            self.record(news.outcomes, news.mapped, news.dropped, news.notes)

    def _note(self, notes: Notes) -> None:
        self._store(Updates(notes=notes))

    def _with_key(self, outcome: Outcome, plan: Plan) -> Outcome:
        return replace(outcome, key=self.memory.key_of(outcome.ref, plan)) if outcome.ref else outcome

    # -- result --

    def _judged(self, good: str) -> Result:
        assert self.plan is not None
        problem = self.ledger.first_problem()
        if problem is not None:
            return self._result("partial", problem.code or "validation", None)
        if self.plan.conflicts:
            return self._result("partial", "conflict", None)
        return self._result(good, None, None)

    def _result(self, state: str, reason: str | None, error: dict[str, str] | None) -> Result:
        seen, left = self.client.account_ids, self.left
        return Result(
            state=state,
            reason=reason,
            error=error,
            document=document(self.plan, self.ledger),
            digest=self.plan.digest if self.plan else "",
            created=self.ledger.count(Action.CREATE),
            updated=self.ledger.count(Action.UPDATE),
            deleted=self.ledger.count(Action.DELETE),
            adopted=self.adopted,
            requests=self.client.requests,
            kommo_id=next(iter(seen)) if len(seen) == 1 else None,
            differences=None if left is None else difference_rows(left, self.job.base, self.memory.known),
            converged=left is not None and not left.changes and not left.conflicts,
        )


def _problem(code: str, message: str, remedy: str) -> dict[str, str]:
    return {"code": code, "message": message[:500], "remedy": remedy}
