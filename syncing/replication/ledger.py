"""The ledger of one account: the outcome of everything that was planned, and the sums."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from accounts.kommo.errors import Validation
from syncing.adapters.outcomes import DONE, FAILED, PLANNED, SKIPPED, UNVERIFIED, Outcome
from syncing.engine.changes import Action, Change
from syncing.engine.plan import Plan
from syncing.engine.refs import Kind, Ref
from syncing.engine.sentences import gettext_noop

STORED_AS = gettext_noop("Kommo stores it as %(name)r.")
SPOILED = gettext_noop("It was only written back, and Kommo stores it as %(name)r since.")
NOT_THERE = gettext_noop("Kommo accepted it, but reading again shows that it is not there.")
STILL_THERE = gettext_noop("Kommo accepted it, but reading again shows that it is still there.")
DIFFERENT = gettext_noop("Kommo accepted it, but reading again shows %(what)s.")
INSTEAD = gettext_noop("%(attribute)s: %(found)r instead of %(expected)r")


@dataclass
class Ledger:
    """The latest outcome by ref, in the order of the plan, and what happened on the way to it."""

    outcomes: dict[Ref, Outcome] = field(default_factory=dict)
    attempts: Counter[Ref] = field(default_factory=Counter)  # answers that were noted
    refused_options: set[Ref] = field(default_factory=set)  # new ones that are known not to be there
    # After a part was refused it was written again: the re-reading shows if that has made up for it.
    corrected: set[Ref] = field(default_factory=set)
    named_otherwise: set[Ref] = field(default_factory=set)  # done, but Kommo stores another name

    def expect(self, plan: Plan) -> None:
        """Takes up the plan's changes; a later correction of an item that is in here belongs to its outcome."""
        for change in plan.changes:
            self.outcomes.setdefault(change.ref, Outcome.of(change))

    def note(self, answered: Iterable[Outcome]) -> list[Outcome]:
        """Enters what the answers say; returns the outcomes that are new facts."""
        changed = []
        for answer in answered:
            ref = answer.ref
            if ref is None or ref not in self.outcomes:
                continue  # only numbered anew: nobody's change
            before = self.outcomes[ref]
            self.attempts[ref] += 1
            self.refused_options |= answer.refused
            if answer.state == DONE and before.has_refused_part:
                self.corrected.add(ref)
                continue
            is_correction = answer.action != before.action
            state = UNVERIFIED if answer.state != DONE and is_correction else answer.state
            after = replace(before, state=state, message=answer.message, code=answer.code)
            self.outcomes[ref] = after
            if after.state != before.state:
                changed.append(after)
        return changed

    def is_given_up(self, ref: Ref) -> bool:
        """Tells if nothing more will be tried for it."""
        return ref in self.outcomes and self.outcomes[ref].state in (FAILED, SKIPPED)

    def _failed_creations(self, *, refused: bool) -> list[Ref]:
        return [
            ref
            for ref, outcome in self.outcomes.items()
            if outcome.action == Action.CREATE
            and outcome.state == FAILED
            and (outcome.code == Validation.code) is refused
        ]

    def unknown_creations(self) -> list[Ref]:
        """Returns what was to be created and failed for another reason than a refusal: it may be there."""
        return self._failed_creations(refused=False)

    def refused(self) -> frozenset[Ref]:
        """Returns what was to be created and is known not to be there: an answer has refused it."""
        return frozenset(self._failed_creations(refused=True)) | self.refused_options

    def was_left_out(self, change: Change) -> bool:
        """Tells if it was to be created inside something new, and that was created without it."""
        outcome = self.outcomes.get(change.ref)
        is_unsent = outcome is not None and outcome.state == PLANNED and not self.attempts[change.ref]
        return is_unsent and change.action is Action.CREATE and change.ref.kind is Kind.STAGE

    def worth_another_try(self, ref: Ref) -> bool:
        """Tells if nothing of it was refused: a refused part is not sent again in this run."""
        return ref not in self.outcomes or self.outcomes[ref].state not in (FAILED, SKIPPED, UNVERIFIED)

    def conclude(
        self, remaining: Mapping[Ref, Change], renamed: Iterable[Change] = (), spoiled: Iterable[Change] = ()
    ) -> list[Outcome]:
        """Judges everything by the last reading; returns the latest outcomes of what that has changed, one of each.

        `remaining`: what still differs; `renamed`: names that Kommo stores otherwise; `spoiled`: names that were
        only written back and read otherwise since.
        """
        changed = [*self.doubt(remaining), *self.confirm(remaining)]
        changed += [*self.mark_names(renamed), *self.mark_names(spoiled, SPOILED)]
        return [self.outcomes[ref] for ref in dict.fromkeys(changed)]

    def doubt(self, remaining: Mapping[Ref, Change]) -> list[Ref]:
        """Marks as unverified what was written though the re-reading still shows a difference; returns it."""
        doubted = []
        for ref, change in remaining.items():
            if change.action is Action.DELETE and ref not in self.outcomes:
                continue  # it came free only now: it is in no report, so it waits for the next run
            outcome = self.outcomes.setdefault(ref, Outcome.of(change))
            if outcome.state in (DONE, PLANNED):
                message = doubtful(change)
                self.outcomes[ref] = replace(outcome, state=UNVERIFIED, code="bad_answer", message=message)
                doubted.append(ref)
        return doubted

    def confirm(self, remaining: Mapping[Ref, Change]) -> list[Ref]:
        """Marks as done what is as it should be though nothing was sent for it: other moves have put it in its place.

        And what a later write has put right after a part was refused. Returns both.
        """
        confirmed = [
            ref
            for ref, outcome in self.outcomes.items()
            if outcome.state == PLANNED or (ref in self.corrected and outcome.has_refused_part and ref not in remaining)
        ]
        for ref in confirmed:
            self.outcomes[ref] = replace(self.outcomes[ref], state=DONE, code="", message="")
        return confirmed

    def mark_names(self, changes: Iterable[Change], sentence: str = STORED_AS) -> list[Ref]:
        """Marks as unverified the names that Kommo stores otherwise, and returns them; none is written again."""
        marked = []
        for change in changes:
            ref, message = change.ref, sentence % {"name": change.fields["name"][0]}
            outcome = self.outcomes.get(ref)
            if outcome is None:
                outcome = Outcome.of(change)
            elif outcome.state in (FAILED, SKIPPED, UNVERIFIED):
                continue
            elif outcome.state == PLANNED and not self.attempts[ref]:
                self.outcomes[ref] = replace(outcome, message=message)
                continue
            else:
                self.named_otherwise.add(ref)
            self.outcomes[ref] = replace(outcome, state=UNVERIFIED, code="bad_answer", message=message)
            marked.append(ref)
        return marked

    def skip_planned(self, message: str) -> None:
        for ref, outcome in self.outcomes.items():
            if outcome.state == PLANNED:
                self.outcomes[ref] = replace(outcome, state=SKIPPED, message=message)

    def count(self, action: Action) -> int:
        return sum(
            outcome.action == action and (ref in self.named_otherwise or outcome.state in (DONE, PLANNED))
            for ref, outcome in self.outcomes.items()
        )

    def first_problem(self) -> Outcome | None:
        problems = (outcome for outcome in self.outcomes.values() if outcome.state in (FAILED, UNVERIFIED, SKIPPED))
        return next(problems, None)


def doubtful(change: Change) -> str:
    """Says what the re-reading shows of a change that was written."""
    if change.action is Action.CREATE:
        return NOT_THERE
    if change.action is Action.DELETE:
        return STILL_THERE
    fields = ((name, *values) for name, values in change.fields.items())
    found = (INSTEAD % dict(zip(("attribute", "found", "expected"), each, strict=True)) for each in fields)
    return DIFFERENT % {"what": "; ".join(found)}
