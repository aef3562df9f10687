"""Decides whether a channel is told, from what it knows to be bad and what was seen now. Values in, values out."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

EVERY, CHANGED, NEWLY_BAD = "every", "changed", "newly_bad"


@dataclass(frozen=True)
class SubjectsSeen:
    """What was seen of subjects (accounts, a master, a watcher): the reason of each that is `bad`, and who is `well`.

    `well` None: everything that is not bad, but for the `unseen`. Of other subjects nothing was learnt. `repeats`:
    that something is bad still is worth telling to who is told every time; else only that it changed. `recovers`: that
    something is well again is worth telling.
    """

    bad: Mapping[str, str]
    well: Collection[str] | None = None
    unseen: Collection[str] = ()
    repeats: bool = True
    recovers: bool = True

    def is_well(self, subject: str) -> bool:
        """Tells whether a subject is known to be well."""
        is_good = subject not in self.unseen if self.well is None else subject in self.well
        return is_good and subject not in self.bad


@dataclass(frozen=True)
class TellingDecision:
    """Whether a channel is told; what is known to be bad now; who is bad that was not, and who is well again."""

    is_told: bool
    bad: Mapping[str, str]
    newly_bad: frozenset[str]
    recovered: frozenset[str]


def decide(when: str, known: Mapping[str, str], seen: SubjectsSeen) -> TellingDecision:
    """Returns what follows from `seen` for a channel that is told `when` and knows `known` to be bad.

    `every`: each time something bad is there, and when something is well again. `changed`: only if what is bad, or its
    reason, is not what is known. `newly_bad`: only if something is bad that was not; another reason does not count.
    """
    bad = {subject: reason for subject, reason in known.items() if not seen.is_well(subject)} | dict(seen.bad)
    newly_bad, recovered = frozenset(bad.keys() - known.keys()), frozenset(known.keys() - bad.keys())
    has_changed = bad != known and (seen.recovers or not bad.items() <= known.items())
    is_told = {
        EVERY: has_changed or (seen.repeats and bool(seen.bad)),
        CHANGED: has_changed,
        NEWLY_BAD: bool(newly_bad),
    }[when]
    return TellingDecision(is_told, bad, newly_bad, recovered)
