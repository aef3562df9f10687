"""The account run itself: read, plan, check, apply, read again, verify."""

import logging
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
from syncing.engine.delta import deletes, doubt_about
from syncing.engine.plan import Plan, make_plan
from syncing.engine.refs import Ref
from syncing.engine.rules import WHOLE, Rules
from syncing.engine.sentences import gettext_noop
from syncing.engine.snapshot import Snapshot
from syncing.engine.stored_names import unrestored_options
from syncing.replication.account_reading import AccountReading
from syncing.replication.assumptions import part_read, raise_doubt, read_whole
from syncing.replication.checkpointed_client import CheckpointedClient
from syncing.replication.contract import Checkpoint, Doubt, Notes, Record, Result, StoreBefore, Target
from syncing.replication.document import difference_rows, document, with_late_findings
from syncing.replication.id_map import IdMap, Updates
from syncing.replication.ledger import Ledger
from syncing.replication.plan_refusals import problem, why_refused
from syncing.replication.remembered import Remembered
from syncing.replication.rereading import Rereading
from syncing.replication.rounds import PUT_BACK_IN, REWRITES_ORDER_IN, ROUNDS, worth_trying

logger = logging.getLogger(__name__)


def replicate(
    target: Target, client: KommoClient, record: Record, checkpoint: Checkpoint, store_before: StoreBefore
) -> Result:
    """Reads the account, plans, and (if the target writes) checks, stores what was there, applies, rereads, verifies.

    Where something is assumed of the account, a doubt about that has it read whole, as if the run began anew. Errors of
    Kommo, and a cancel, end in a Result; `Stopped` by us for another reason and errors of our own are raised.
    """
    replication = Replication(target, client, record, checkpoint, store_before)
    try:
        try:
            return replication.run()
        except Doubt as doubt:
            logger.info("%s is read whole: %s", target.subdomain, doubt)
            replication = replication.read_whole()
            return replication.run()
    except Stopped as stop:
        if stop.reason in (StopReason.HANDED_BACK, StopReason.LOST_CLAIM):
            raise
        return replication.stopped(stop.reason if stop.reason == StopReason.CANCELLED else "failed", stop)
    except KommoError as error:
        return replication.stopped("failed", error)


class Replication:
    """The state of one account run: what is known of the account, and what has been done in it."""

    def __init__(
        self, target: Target, client: KommoClient, record: Record, checkpoint: Checkpoint, store_before: StoreBefore
    ) -> None:
        self.target, self.client, self.store_before = target, client, store_before
        self._record, self._checkpoint = record, checkpoint
        self.api = CheckpointedClient(client, checkpoint)
        self.ledger = Ledger()
        self.rules: Rules = target.rules
        self.id_map = IdMap(target.known, self.ledger)
        self.reading = AccountReading(target, client, Reader(self.api), self.id_map.known)
        self.remembered = Remembered.of(target)
        self.plan: Plan | None = None  # the first one: what the result reports
        self.left: Plan | None = None  # what there is still to do
        self.adopted = 0
        self.recorded: list[Outcome] = []
        self.earlier: tuple[Outcome, ...] = ()  # what was recorded before the account was read whole

    def run(self) -> Result:
        """Returns the result of the whole account run; raises KommoError."""
        raw = self.reading.first()
        existing = self.remembered.as_sent(raw)
        resolved = self.remembered.resolve(self.target.desired, existing, self.id_map.known)
        self.id_map.known.update(resolved)
        self.plan = self.left = plan = self._first_plan(existing)
        self.id_map.plan = plan
        self.ledger.expect(plan)
        refusal = why_refused(plan, existing, self.id_map.known, self.rules, self.target.approved_digest)
        if refusal is not None:
            self.ledger.skip_planned(gettext_noop("The account was refused before the first write."))
            return self._result("refused", refusal["code"], refusal)
        if not self.target.writes:
            self.ledger.mark_names(plan.stored_otherwise)
            self.adopted = len(self.id_map.adoptions(plan))
            if plan.changes and not plan.conflicts:  # names that are stored otherwise do not prevent approval
                return self._result("planned", None, None)
            return self._judged("in_sync")
        if deletes(plan):  # what hangs on it may be in a list that was not read
            raise_doubt(self.target, "something would be deleted")
        if self.target.gate is not None:
            self.target.gate.open(plan, existing)
        if plan.changes:
            self.store_before(raw, part_read(self.target, self.id_map))
        self._store(self.id_map.of_arrivals(resolved))
        self._note(self.remembered.settle(self.id_map.known))
        self._adopt(plan)
        self._converge(plan, raw)
        return self._judged("changed" if self.ledger.outcomes else "in_sync")

    def read_whole(self) -> "Replication":
        """Returns the same account run begun anew, without assumptions."""
        target = read_whole(self.target, self.id_map, self.remembered, is_begun=bool(self.recorded))
        again = Replication(target, self.client, self._record, self._checkpoint, self.store_before)
        again.earlier = tuple(self.recorded)
        return again

    def stopped(self, state: str, error: KommoError) -> Result:
        """Returns the result of an account run that an error of the account, or a cancel, has cut short."""
        self.left = None  # nobody knows how far it came
        self.ledger.skip_planned(gettext_noop("Not tried: the account's run ended before."))
        told = None if state == StopReason.CANCELLED else problem(error.code, str(error), error.remedy)
        return self._result(state, error.code, told)

    # -- plan and check --

    def _make_plan(self, existing: Snapshot) -> Plan:
        rules = replace(self.rules, uncertain=self.remembered.uncertain)
        plan = make_plan(
            self.target.desired, existing, self.id_map.known, self.target.scope, rules, self.remembered.shown_names
        )
        if self.target.delta is not None and (doubt := doubt_about(plan, self.target.delta.part)):
            raise_doubt(self.target, doubt)
        return plan

    def _first_plan(self, existing: Snapshot) -> Plan:
        """Returns the plan with what would be deleted, but is in use, left where it is.

        That may leave what it is in as well, and free what was to stay as the last one: then that is counted, too.
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

    # -- apply and verify --

    def _converge(self, plan: Plan, raw: Snapshot) -> None:
        """Applies, rereads and plans again until nothing is left that is worth another try; the rest is not done."""
        left, existing = plan, self.remembered.as_sent(raw)
        rereading = Rereading(self.reading, self.ledger, self.id_map.known, raw)
        spoiled: Mapping[str, tuple[str, str]] = {}
        for turn in range(1, ROUNDS + 1):
            current = worth_trying(left, turn, self.ledger, self.id_map, spoiled)
            if not current.changes:
                break
            self.ledger.expect(current)
            self._note(self.remembered.announce(current, raw))
            self._apply(current, existing, rewrite_order=turn in REWRITES_ORDER_IN)
            before, raw = raw, rereading.after(current, raw)
            self._store(self.id_map.of_arrivals(rereading.arrivals(current, before, raw)))
            lesson = rereading.lesson(current, before, raw, self.remembered.stored)
            self._note(self.remembered.learn(lesson))
            spoiled = lesson.spoiled if turn <= PUT_BACK_IN else spoiled
            existing = self.remembered.as_sent(raw)
            refused = self.ledger.refused()
            resolved = self.remembered.resolve(self.target.desired, existing, self.id_map.known, refused)
            self._store(self.id_map.of_arrivals(resolved))
            self._note(self.remembered.settle(self.id_map.known, self.ledger.unknown_creations()))
            self.left = left = self._make_plan(existing)
            self._adopt(left)
        self.plan = with_late_findings(plan, left)
        remaining = {change.ref: change for change in left.changes}
        changed = self.ledger.conclude(remaining, left.stored_otherwise, unrestored_options(left, spoiled))
        if changed:
            self._store(Updates([self._with_key(outcome, left) for outcome in changed]))

    def _apply(self, plan: Plan, existing: Snapshot, *, rewrite_order: bool) -> None:
        """Writes a plan; what was written is stored before the next request goes out."""

        def report(outcomes: Sequence[Outcome]) -> None:
            noted = [self._with_key(outcome, plan) for outcome in self.ledger.note(outcomes)]
            updates = self.id_map.of_writes(outcomes, plan)
            new = {ref: key for outcome in outcomes for ref, key in outcome.keys.items()}
            updates.outcomes = [
                replace(outcome, key=new[outcome.ref]) if outcome.ref in new else outcome for outcome in noted
            ]
            self._store(updates)

        apply_plan(
            WriteContext(
                self.api,
                self.reading.reader,
                plan,
                self.target.desired,
                existing,
                dict(plan.match.keys),
                report,
                rewrite_order,
                self.remembered.stored,
                self.api.age,
            )
        )

    # -- record --

    def _adopt(self, plan: Plan) -> None:
        """Stores the id mappings of a matching, adoptions among them."""
        left_alone = {ref for ref, attribute in self.rules.accepted if attribute == WHOLE}
        updates = self.id_map.of_matches(plan, left_alone)
        self.adopted += len(updates.outcomes)
        self._store(updates)

    def _store(self, updates: Updates) -> None:
        if updates:
            self._record(updates.outcomes, updates.mapped, updates.dropped, updates.notes)
            self.recorded += updates.outcomes

    def _note(self, notes: Notes) -> None:
        self._store(Updates(notes=notes))

    def _with_key(self, outcome: Outcome, plan: Plan) -> Outcome:
        return replace(outcome, key=self.id_map.key_of(outcome.ref, plan)) if outcome.ref else outcome

    # -- result --

    def _judged(self, good: str) -> Result:
        assert self.plan is not None
        failed = self.ledger.first_problem()
        if failed is not None:
            raise_doubt(self.target, f"{failed.name!r} was not written as it was meant")
            return self._result("partial", failed.code or "validation", None)
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
            differences=None if left is None else difference_rows(left, self.target.base, self.id_map.known),
            converged=left is not None and not left.changes and not left.conflicts,
            part=self.target.delta.part if self.target.delta else None,
            rules_digest=self.target.rules_digest,
            earlier=self.earlier,
        )
