"""Match: which item of the slave is which item of the master; by id mapping, else by natural key, else unknown.

Names come last, and exactly equal ones (as they were read, character by character) before those that are equal only
without case, white space and Unicode form: `Status` and `STATUS` of one account are two items.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from syncing.engine.candidates import (
    Candidate,
    code_of,
    could_be,
    exact,
    fields_of,
    folded,
    groups_of,
    options_of,
    pipelines_of,
    stages_of,
    typed,
)  # fmt: skip
from syncing.engine.refs import Kind, Ref, field_key, group_key, pipeline_key
from syncing.engine.resources.custom_fields import ENTITIES, CustomField
from syncing.engine.resources.field_groups import DEFAULT_GROUP
from syncing.engine.snapshot import Snapshot

UNREADABLE = "It came in an unexpected shape from the account, so nothing is written for it ({place})."
MAY_BE = "It may be there, but something came in an unexpected shape, so nothing is written for it ({place})."


@dataclass(frozen=True)
class Conflict:
    """Ambiguous, so nothing is written for it, nor for what depends on it."""

    ref: Ref
    name: str
    parent: str
    message: str


@dataclass
class Match:
    """The answer. `keys` and `names` are inverse; `adopted` were found by natural key.

    `stale` mappings point nowhere; `contested` are the slave's items that take part in a conflict, or belong to
    something that is held back.
    """

    keys: dict[Ref, str] = field(default_factory=dict)
    names: dict[tuple[Kind, str], Ref] = field(default_factory=dict)
    adopted: set[Ref] = field(default_factory=set)
    stale: set[Ref] = field(default_factory=set)
    conflicts: list[Conflict] = field(default_factory=list)
    contested: set[tuple[Kind, str]] = field(default_factory=set)

    @property
    def blocked(self) -> frozenset[Ref]:
        return frozenset(conflict.ref for conflict in self.conflicts)

    def pair(self, ref: Ref, key: str, *, adopted: bool) -> None:
        self.keys[ref] = key
        self.names[ref.kind, key] = ref
        if adopted:
            self.adopted.add(ref)


def match(desired: Snapshot, existing: Snapshot, known: Mapping[Ref, str]) -> Match:
    """Pair the items of two snapshots. `known` are the id mappings: ref -> the slave's key. Changes nothing.

    What is held back takes part like the others, so that nothing is taken for its like: its partner in the master is a
    conflict, its partner in the slave is contested.
    """
    found = Match()
    _Matcher(Kind.PIPELINE, known, found).run(pipelines_of(desired), pipelines_of(existing))
    _match_stages(desired, existing, known, found)
    if desired.groups is not None and existing.groups is not None:
        for entity in ENTITIES:
            ours, theirs = groups_of(desired, entity), groups_of(existing, entity)
            _Matcher(Kind.FIELD_GROUP, known, found).run(ours, theirs)
    if desired.fields is not None and existing.fields is not None:
        _match_fields(desired, existing, known, found)
    return found


# -- parents before children --


def _match_stages(desired: Snapshot, existing: Snapshot, known: Mapping[Ref, str], found: Match) -> None:
    theirs = {pipeline_key(pipeline.id): pipeline for pipeline in existing.pipelines}
    for pipeline in desired.pipelines:
        key = found.keys.get(Ref(Kind.PIPELINE, pipeline_key(pipeline.id)))
        if key is not None:
            ours, other = stages_of(pipeline, desired), stages_of(theirs[key], existing)
            _Matcher(Kind.STAGE, known, found).run(ours, other)


def _match_fields(desired: Snapshot, existing: Snapshot, known: Mapping[Ref, str], found: Match) -> None:
    def their_group(item: CustomField) -> Hashable:
        return found.names.get((Kind.FIELD_GROUP, group_key(item.entity, item.group_id or DEFAULT_GROUP)), "unknown")

    def our_group(item: CustomField) -> Hashable:
        return Ref(Kind.FIELD_GROUP, group_key(item.entity, item.group_id or DEFAULT_GROUP))

    for entity in ENTITIES:
        ours, theirs = fields_of(desired, entity, our_group), fields_of(existing, entity, their_group)
        _Matcher(Kind.CUSTOM_FIELD, known, found).run(ours, theirs)
    by_key = {field_key(item.entity, item.id): item for item in existing.fields or ()}
    for item in desired.fields or ():
        key = found.keys.get(Ref(Kind.CUSTOM_FIELD, field_key(item.entity, item.id)))
        if key is not None:
            _Matcher(Kind.ENUM, known, found).run(options_of(item, item.name), options_of(by_key[key], item.name))


class _Matcher:
    """Pairs the children of one parent."""

    def __init__(self, kind: Kind, known: Mapping[Ref, str], found: Match) -> None:
        self.kind, self.known, self.found = kind, known, found

    def run(self, ours: Sequence[Candidate], theirs: Sequence[Candidate]) -> None:
        ours, theirs = self._by_mapping(ours, theirs)
        for strength in ("system", "id", "code"):
            ours, theirs = self._by_natural(ours, theirs, strength)
        ours, theirs = self._by_name_and_tie(ours, theirs)
        ours, theirs = self._pair_buckets(ours, theirs, typed(exact), self._pair_namesakes)
        ours, theirs = self._pair_buckets(ours, theirs, exact, self._refuse_other_type)
        ours, theirs = self._pair_buckets(ours, theirs, typed(folded), self._pair_single)
        ours, theirs = self._pair_buckets(ours, theirs, folded, self._refuse_other_type)
        self._beside_unnamed(ours, theirs)

    def _ref(self, candidate: Candidate) -> Ref:
        return Ref(self.kind, candidate.key)

    def _conflict(self, our: Candidate, theirs: Iterable[Candidate], message: str) -> None:
        if our.held is None:
            self.found.conflicts.append(Conflict(self._ref(our), our.name, our.parent, message))
        self.found.contested.update((self.kind, their.key) for their in theirs)

    def _pair(self, our: Candidate, their: Candidate, *, adopted: bool = True) -> None:
        if their.held is not None:
            self._conflict(our, [their], UNREADABLE.format(place=their.held.place))
        elif our.held is not None:
            self.found.contested.add((self.kind, their.key))
        elif our.type != their.type:
            self._conflict(our, [their], _type_message(our, their))
        else:
            self.found.pair(self._ref(our), their.key, adopted=adopted)

    def _by_mapping(
        self, ours: Sequence[Candidate], theirs: Sequence[Candidate]
    ) -> tuple[list[Candidate], list[Candidate]]:
        """What is held back without an id may be any mapped item that is not seen now."""
        present = {candidate.key: candidate for candidate in theirs}
        nameless = [their for their in theirs if their.held is not None and not their.held.key]
        rest = []
        for our in ours:
            key = self.known.get(self._ref(our))
            if key in present:
                self._pair(our, present.pop(key), adopted=False)
            elif key is not None and nameless:
                self._conflict(our, nameless, MAY_BE.format(place=_places(nameless)))
            else:
                rest.append(our)
                if key is not None and our.held is None:
                    self.found.stale.add(self._ref(our))
        if any(our.held is not None and not our.held.key for our in ours):
            for key in self._once_mapped(ours) & present.keys():
                self.found.contested.add((self.kind, present.pop(key).key))
        return rest, [candidate for candidate in theirs if candidate.key in present]

    def _once_mapped(self, ours: Iterable[Candidate]) -> set[str]:
        """The slave's items that belong to items which the master does not show."""
        shown = {self._ref(our) for our in ours}
        return {key for ref, key in self.known.items() if ref.kind is self.kind and ref not in shown}

    def _beside_unnamed(self, ours: Sequence[Candidate], theirs: Sequence[Candidate]) -> None:
        """What is held back and came without a name may be any item that has found no partner and is not unlike it."""
        belonging = {key for ref, key in self.known.items() if ref.kind is self.kind} if ours and theirs else set()
        for our in ours:
            odd = [
                their
                for their in theirs
                if _is_unnamed(their) and their.key not in belonging and our.held is None and could_be(their, our)
            ]
            if odd:
                self._conflict(our, odd, MAY_BE.format(place=_places(odd)))
            if _is_unnamed(our) and self._ref(our) not in self.known:
                alike = [their for their in theirs if their.held is None and could_be(our, their)]
                self.found.contested.update((self.kind, their.key) for their in alike)

    def _by_natural(
        self, ours: Sequence[Candidate], theirs: Sequence[Candidate], strength: str
    ) -> tuple[list[Candidate], list[Candidate]]:
        def key(candidate: Candidate) -> Hashable:
            return next((n for n in candidate.natural if isinstance(n, tuple) and n[0] == strength), None)

        return self._pair_buckets(ours, theirs, key, self._pair_namesakes)

    def _by_name_and_tie(
        self, ours: Sequence[Candidate], theirs: Sequence[Candidate]
    ) -> tuple[list[Candidate], list[Candidate]]:
        """Of several namesakes the ones in the same group, where their numbers are equal."""
        weak = typed(exact)

        def key(candidate: Candidate) -> Hashable:
            name = weak(candidate)
            return None if name is None or candidate.tie is None else (name, candidate.tie)

        def pair_equal(ours: list[Candidate], theirs: list[Candidate]) -> int:
            return self._pair_in_order(ours, theirs) if len(ours) == len(theirs) else 0

        return self._pair_buckets(ours, theirs, key, pair_equal)

    def _pair_buckets(
        self,
        ours: Sequence[Candidate],
        theirs: Sequence[Candidate],
        key: Callable[[Candidate], Hashable],
        pair: Callable[[list[Candidate], list[Candidate]], int],
    ) -> tuple[list[Candidate], list[Candidate]]:
        """Group both sides by `key` and let `pair` deal with each bucket; what it settled is taken out."""
        buckets: dict[Hashable, list[Candidate]] = defaultdict(list)
        for their in theirs:
            buckets[key(their)].append(their)
        buckets.pop(None, None)
        wanted: dict[Hashable, list[Candidate]] = defaultdict(list)
        for our in ours:
            if key(our) in buckets:
                wanted[key(our)].append(our)
        gone: set[str] = set()
        used: set[str] = set()
        for bucket_key, our_bucket in wanted.items():
            their_bucket = [their for their in buckets[bucket_key] if self._may_be_same(our_bucket, their)]
            settled = pair(our_bucket, their_bucket)
            gone.update(our.key for our in our_bucket[:settled])
            used.update(their.key for their in their_bucket[:settled] if settled)
            if settled and len(their_bucket) > len(our_bucket):  # a conflict takes all of them
                used.update(their.key for their in their_bucket)
        return [our for our in ours if our.key not in gone], [their for their in theirs if their.key not in used]

    def _pair_in_order(self, ours: list[Candidate], theirs: list[Candidate]) -> int:
        pairs = list(zip(ours, theirs, strict=False))
        for our, their in pairs:
            self._pair(our, their)
        return len(pairs)

    def _pair_namesakes(self, ours: list[Candidate], theirs: list[Candidate]) -> int:
        """Pair by order; more of them in the slave than in the master is ambiguous."""
        if len(theirs) <= len(ours):
            return self._pair_in_order(ours, theirs)
        for our in ours:
            self._conflict(our, theirs, f"{len(theirs)} items of this name in the account, {len(ours)} in the master.")
        return len(ours)

    def _pair_single(self, ours: list[Candidate], theirs: list[Candidate]) -> int:
        """Names that are equal only after folding: one to one, else nobody knows which one is meant."""
        if not theirs:
            return 0
        if len(ours) == len(theirs) == 1:
            return self._pair_in_order(ours, theirs)
        counts = f"{len(theirs)} in the account, {len(ours)} in the master"
        for our in ours:
            self._conflict(our, theirs, f"Several items differ from this name only in case or spaces: {counts}.")
        return len(ours)

    def _refuse_other_type(self, ours: list[Candidate], theirs: list[Candidate]) -> int:
        """What has the same name and was not paired by now has another type."""
        if not theirs or self.kind is not Kind.CUSTOM_FIELD:
            return 0
        held = next((their.held for their in theirs if their.held is not None), None)
        for our in ours:
            message = _type_message(our, theirs[0]) if held is None else UNREADABLE.format(place=held.place)
            self._conflict(our, theirs, message)
        return len(ours)

    def _may_be_same(self, ours: Sequence[Candidate], their: Candidate) -> bool:
        """Two different codes are two different fields, whatever their names; an option's value outweighs its code."""
        if self.kind is not Kind.CUSTOM_FIELD:
            return True
        other = code_of(their)
        return other is None or all(code_of(our) in (None, other) for our in ours)


def _is_unnamed(candidate: Candidate) -> bool:
    return candidate.held is not None and candidate.held.name is None


def _places(candidates: Iterable[Candidate]) -> str:
    return "; ".join(candidate.held.place for candidate in candidates if candidate.held is not None)


def _type_message(our: Candidate, their: Candidate) -> str:
    return f"The type differs: {our.type!r} in the master, {their.type!r} in the account; a type cannot be changed."
