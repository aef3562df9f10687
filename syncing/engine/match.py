"""Match: which item of the slave is which item of the master; by id mapping, else by natural key, else unknown.

Names come last, and exactly equal ones (as they were read, character by character) before those that are equal only
without case, white space and Unicode form: `Status` and `STATUS` of one account are two items.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from syncing.engine.refs import Kind, Ref, enum_key, field_key, group_key, pipeline_key, stage_key
from syncing.engine.resources.custom_fields import CustomField, Enum
from syncing.engine.resources.field_groups import DEFAULT_GROUP, FieldGroup
from syncing.engine.resources.pipelines import Pipeline, place
from syncing.engine.snapshot import Snapshot


@dataclass(frozen=True)
class Conflict:
    """Ambiguous, so nothing is written for it, nor for what depends on it."""

    ref: Ref
    name: str
    parent: str
    message: str


@dataclass(frozen=True)
class Candidate:
    """One item of either side. `key` is its account's own key; `natural` are its natural keys, names as they are.

    `tie` breaks a tie between namesakes (a field's group); `type` of two items that are the same must be equal.
    """

    key: str
    name: str
    parent: str
    natural: tuple[Hashable, ...]
    tie: Hashable = None
    type: str = ""


@dataclass
class Match:
    """The answer. `keys` and `names` are inverse; `adopted` were found by natural key.

    `stale` mappings point nowhere; `contested` are the slave's items that take part in a conflict.
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


def normal_name(name: str) -> str:
    """Names that differ only in case, white space or Unicode form are the same; nothing else is (no likeness)."""
    return " ".join(unicodedata.normalize("NFC", name).split()).casefold()


def match(desired: Snapshot, existing: Snapshot, known: Mapping[Ref, str]) -> Match:
    """Pair the items of two snapshots. `known` are the id mappings: ref -> the slave's key. Changes nothing."""
    found = Match()
    _Matcher(Kind.PIPELINE, known, found).run(_pipelines(desired), _pipelines(existing))
    _match_stages(desired, existing, known, found)
    if desired.groups is not None and existing.groups is not None:
        _match_groups(desired.groups, existing.groups, known, found)
    if desired.fields is not None and existing.fields is not None:
        _match_fields(desired.fields, existing.fields, known, found)
    return found


# -- the candidates of each kind --


def _pipelines(snapshot: Snapshot) -> list[Candidate]:
    """An archived pipeline is matched by its id alone: the API can neither archive nor restore."""
    ordered = sorted(snapshot.pipelines, key=place)
    return [Candidate(pipeline_key(p.id), p.name, "", () if p.is_archive else (("name", p.name),)) for p in ordered]


def _stages(pipeline: Pipeline) -> list[Candidate]:
    return [
        Candidate(
            key=stage_key(pipeline.id, stage.id),
            name=stage.name,
            parent=pipeline.name,
            natural=(("system", stage.natural_id),) if stage.natural_id else (("name", stage.name),),
            type="system" if stage.natural_id else "",
        )
        for stage in sorted(pipeline.stages, key=lambda stage: (stage.sort, stage.id))
    ]


def _groups(groups: Iterable[FieldGroup], entity: str) -> list[Candidate]:
    return [
        Candidate(
            key=group_key(entity, group.id),
            name=group.name,
            parent=entity,
            natural=(("id", group.id),) if group.is_predefined else (("name", group.name),),
        )
        for group in sorted(groups, key=lambda group: (group.sort, group.id))
        if group.entity == entity
    ]


def _fields(fields: Iterable[CustomField], entity: str, group_of: Callable[[CustomField], Hashable]) -> list[Candidate]:
    ordered = sorted((item for item in fields if item.entity == entity), key=lambda item: (item.sort, item.id))
    return [
        Candidate(
            key=field_key(entity, item.id),
            name=item.name,
            parent=entity,
            natural=_field_naturals(item),
            tie=group_of(item),
            type=item.type,
        )
        for item in ordered
    ]


def _field_naturals(item: CustomField) -> tuple[Hashable, ...]:
    """The code is the identity where there is one on both sides; a name never joins two different codes."""
    name = ("name", item.name, item.is_predefined)
    return (("code", item.code), name) if item.code else (name,)


def _enums(entity: str, field_id: int, field_name: str, enums: Sequence[Enum]) -> list[Candidate]:
    positions = {enum.id: position for position, enum in enumerate(enums)}
    return [
        Candidate(
            key=enum_key(entity, field_id, enum.id),
            name=enum.value,
            parent=field_name,
            natural=(("code", enum.code), ("value", enum.value)) if enum.code else (("value", enum.value),),
        )
        for enum in sorted(enums, key=lambda enum: (enum.sort, positions[enum.id]))
    ]


# -- parents before children --


def _match_stages(desired: Snapshot, existing: Snapshot, known: Mapping[Ref, str], found: Match) -> None:
    theirs = {pipeline_key(pipeline.id): pipeline for pipeline in existing.pipelines}
    for pipeline in desired.pipelines:
        key = found.keys.get(Ref(Kind.PIPELINE, pipeline_key(pipeline.id)))
        if key is not None:
            _Matcher(Kind.STAGE, known, found).run(_stages(pipeline), _stages(theirs[key]))


def _match_groups(
    desired: Sequence[FieldGroup], existing: Sequence[FieldGroup], known: Mapping[Ref, str], found: Match
) -> None:
    for entity in sorted({group.entity for group in desired}):
        _Matcher(Kind.FIELD_GROUP, known, found).run(_groups(desired, entity), _groups(existing, entity))


def _match_fields(
    desired: Sequence[CustomField], existing: Sequence[CustomField], known: Mapping[Ref, str], found: Match
) -> None:
    def their_group(item: CustomField) -> Hashable:
        return found.names.get((Kind.FIELD_GROUP, group_key(item.entity, item.group_id or DEFAULT_GROUP)), "unknown")

    def our_group(item: CustomField) -> Hashable:
        return Ref(Kind.FIELD_GROUP, group_key(item.entity, item.group_id or DEFAULT_GROUP))

    for entity in sorted({item.entity for item in desired}):
        ours, theirs = _fields(desired, entity, our_group), _fields(existing, entity, their_group)
        _Matcher(Kind.CUSTOM_FIELD, known, found).run(ours, theirs)
    by_key = {field_key(item.entity, item.id): item for item in existing}
    for item in desired:
        key = found.keys.get(Ref(Kind.CUSTOM_FIELD, field_key(item.entity, item.id)))
        if key is not None:
            mine = _enums(item.entity, item.id, item.name, item.enums)
            other = by_key[key]
            _Matcher(Kind.ENUM, known, found).run(mine, _enums(item.entity, other.id, item.name, other.enums))


class _Matcher:
    """Pairs the children of one parent."""

    def __init__(self, kind: Kind, known: Mapping[Ref, str], found: Match) -> None:
        self.kind, self.known, self.found = kind, known, found

    def run(self, ours: Sequence[Candidate], theirs: Sequence[Candidate]) -> None:
        ours, theirs = self._by_mapping(ours, theirs)
        for strength in ("system", "id", "code"):
            ours, theirs = self._by_natural(ours, theirs, strength)
        ours, theirs = self._by_name_and_tie(ours, theirs)
        ours, theirs = self._pair_buckets(ours, theirs, _typed(_exact), self._pair_namesakes)
        ours, theirs = self._pair_buckets(ours, theirs, _exact, self._refuse_other_type)
        ours, theirs = self._pair_buckets(ours, theirs, _typed(_folded), self._pair_single)
        self._pair_buckets(ours, theirs, _folded, self._refuse_other_type)

    def _ref(self, candidate: Candidate) -> Ref:
        return Ref(self.kind, candidate.key)

    def _conflict(self, candidate: Candidate, theirs: Iterable[Candidate], message: str) -> None:
        self.found.conflicts.append(Conflict(self._ref(candidate), candidate.name, candidate.parent, message))
        self.found.contested.update((self.kind, their.key) for their in theirs)

    def _pair(self, our: Candidate, their: Candidate, *, adopted: bool = True) -> None:
        if our.type != their.type:
            self._conflict(our, [their], _type_message(our, their))
            return
        self.found.pair(self._ref(our), their.key, adopted=adopted)

    def _by_mapping(
        self, ours: Sequence[Candidate], theirs: Sequence[Candidate]
    ) -> tuple[list[Candidate], list[Candidate]]:
        present = {candidate.key: candidate for candidate in theirs}
        rest = []
        for our in ours:
            key = self.known.get(self._ref(our))
            if key in present:
                self._pair(our, present.pop(key), adopted=False)
            else:
                rest.append(our)
                if key is not None:
                    self.found.stale.add(self._ref(our))
        return rest, [candidate for candidate in theirs if candidate.key in present]

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
        weak = _typed(_exact)

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
            self._conflict(our, theirs, f"Several items differ from this name in case or spaces only: {counts}.")
        return len(ours)

    def _refuse_other_type(self, ours: list[Candidate], theirs: list[Candidate]) -> int:
        """What has the same name and was not paired by now has another type."""
        if not theirs or self.kind is not Kind.CUSTOM_FIELD:
            return 0
        for our in ours:
            self._conflict(our, theirs, _type_message(our, theirs[0]))
        return len(ours)

    def _may_be_same(self, ours: Sequence[Candidate], their: Candidate) -> bool:
        """Two different codes are two different fields, whatever their names; an option's value outweighs its code."""
        if self.kind is not Kind.CUSTOM_FIELD:
            return True
        other = _code(their)
        return other is None or all(_code(our) in (None, other) for our in ours)


def _type_message(our: Candidate, their: Candidate) -> str:
    return f"The type differs: {our.type!r} in the master, {their.type!r} in the account; a type cannot be changed."


def _exact(candidate: Candidate) -> Hashable:
    """The natural key by name, as it is; None for what is matched by id or code only."""
    return next((n for n in candidate.natural if isinstance(n, tuple) and n[0] in ("name", "value")), None)


def _folded(candidate: Candidate) -> Hashable:
    exact = _exact(candidate)
    return (exact[0], normal_name(exact[1]), *exact[2:]) if isinstance(exact, tuple) else None


def _typed(key: Callable[[Candidate], Hashable]) -> Callable[[Candidate], Hashable]:
    def typed(candidate: Candidate) -> Hashable:
        name = key(candidate)
        return None if name is None else (name, candidate.type)

    return typed


def _code(candidate: Candidate) -> Hashable:
    return next((n for n in candidate.natural if isinstance(n, tuple) and n[0] == "code"), None)
