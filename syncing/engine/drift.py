"""Drift: a three-way comparison says who moved, the master or the slave, by the master that both were last equal to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from syncing.engine.changes import Action, Change
from syncing.engine.compare import mapping_differs
from syncing.engine.normalise import NormalisedSnapshot, normalise, own_names
from syncing.engine.plan import Plan
from syncing.engine.refs import Kind, Ref
from syncing.engine.rules import WHOLE
from syncing.engine.snapshot import Snapshot

EXTRA = "extra"  # as an action: only the slave has it, and it stays


class Cause(StrEnum):
    MASTER = "master"  # the master moved on
    SLAVE = "slave"  # somebody edited the slave
    BOTH = "both"
    UNKNOWN = "unknown"  # they were never equal, as far as we know


@dataclass(frozen=True)
class Difference:
    """One attribute, or a whole item (attribute WHOLE), that is not the same in both; values in words."""

    action: str
    ref: Ref
    slave_key: str  # "" when the slave does not have the item
    name: str
    parent: str
    attribute: str
    ours: Any  # the master's
    theirs: Any  # the slave's
    cause: Cause


def differences(plan: Plan, base: Snapshot | None, known: Mapping[Ref, str]) -> tuple[Difference, ...]:
    """Returns what a plan would change, what the account stores under other names, and what would be left as an extra.

    `base`: the master at the last convergence. `known`: the id mappings, those of items that the master has no more
    among them: by these it is told from what the slave made itself.
    """
    return tuple(_DriftExplainer(plan, base, known).rows())


class _DriftExplainer:
    def __init__(self, plan: Plan, base: Snapshot | None, known: Mapping[Ref, str]) -> None:
        self.plan, self._base = plan, base
        self.kinds: set[Kind] = set()  # those that `base` speaks of
        if base is not None and base.pipelines:
            self.kinds |= {Kind.PIPELINE, Kind.STAGE}
        if base is not None and base.fields is not None:
            self.kinds |= {Kind.FIELD_GROUP, Kind.CUSTOM_FIELD, Kind.ENUM}
        self.once_the_masters = {(ref.kind, key) for ref, key in known.items()} if plan.slave_only else frozenset()

    @cached_property
    def base(self) -> NormalisedSnapshot | None:
        """Normalises it only when there is a change to explain: most accounts have none."""
        return None if self._base is None else normalise(self._base, own_names, self.plan.shared_stages)

    def rows(self) -> Iterator[Difference]:
        for change in self.plan.changes:
            if change.action is Action.UPDATE:
                for attribute, (old, new) in change.fields.items():
                    yield self._row(change, attribute, new, old, self._cause_of_update(change.ref, attribute))
            elif change.action is Action.DELETE:
                yield self._row(change, WHOLE, None, change.name, self._cause_of_slave_only(change.ref))
            else:
                was_there = self.base is not None and change.ref in self.base.items
                cause = self._if_known(change.ref, Cause.SLAVE if was_there else Cause.MASTER)
                yield self._row(change, WHOLE, change.name, None, cause)
        for change in self.plan.stored_otherwise:
            shown, sent = change.fields["name"]
            yield self._row(change, "name", sent, shown, Cause.UNKNOWN)
        for extra in self.plan.extras:
            key, cause = self.plan.slave_only[extra.ref], self._cause_of_slave_only(extra.ref)
            yield Difference(EXTRA, extra.ref, key, extra.name, extra.parent, WHOLE, None, extra.name, cause)

    def _row(self, change: Change, attribute: str, ours: Any, theirs: Any, cause: Cause) -> Difference:
        key = self.plan.match.keys.get(change.ref) or self.plan.slave_only.get(change.ref, "")
        return Difference(
            str(change.action), change.ref, key, change.name, change.parent, attribute, ours, theirs, cause
        )

    def _cause_of_slave_only(self, ref: Ref) -> Cause:
        """Tells what the master gave up from what the slave made itself."""
        given_up = (ref.kind, self.plan.slave_only[ref]) in self.once_the_masters
        return self._if_known(ref, Cause.MASTER if given_up else Cause.SLAVE)

    def _if_known(self, ref: Ref, cause: Cause) -> Cause:
        return cause if ref.kind in self.kinds else Cause.UNKNOWN

    def _cause_of_update(self, ref: Ref, attribute: str) -> Cause:
        if self.base is None or ref.kind not in self.kinds:
            return Cause.UNKNOWN
        then = self.base.items.get(ref)
        if then is None:
            return Cause.MASTER  # new in the master, and the slave had one of that name
        ours, theirs = self.plan.desired, self.plan.existing
        if attribute == "position":
            name = ours.items[ref].siblings or ""
            order = self.base.sequences.get(name, ())
            return _cause(
                master=_reordered(order, ours.sequences.get(name, ())),
                slave=_reordered(order, theirs.sequences.get(name, ())),
            )
        now, there = ours.items[ref].attributes.get(attribute), theirs.items[ref].attributes.get(attribute)
        value = then.attributes.get(attribute)
        if isinstance(now, Mapping):  # what the master gave up is nobody's difference
            value = {key: each for key, each in (value or {}).items() if key in now}
        return _cause(master=_differs(value, now), slave=_differs(there, value))


def _cause(*, master: bool, slave: bool) -> Cause:
    if master and slave:
        return Cause.BOTH
    if master:
        return Cause.MASTER
    return Cause.SLAVE if slave else Cause.UNKNOWN


def _differs(old: Any, new: Any) -> bool:
    """Compares as plans do: absent and empty are the same, and of options only those that `new` has count."""
    if isinstance(old, Mapping) or isinstance(new, Mapping):
        return mapping_differs(old or {}, new or {})
    return bool((old or None) != (new or None))


def _reordered(then: Sequence[Ref], now: Sequence[Ref]) -> bool:
    both = set(then) & set(now)
    return [ref for ref in then if ref in both] != [ref for ref in now if ref in both]
