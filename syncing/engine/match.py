"""Match: pairs each item of the slave with the one of the master: by id mapping, else by natural key, else unknown.

Names come last, and exactly equal ones (as they were read, character by character) before those that are equal only
without case, white space and Unicode form: `Status` and `STATUS` of one account are two items.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from syncing.engine import match_keys
from syncing.engine.candidates import (
    Candidate,
    could_be,
    fields_of,
    groups_of,
    options_of,
    pipelines_of,
    stages_of,
)
from syncing.engine.changes import Conflict
from syncing.engine.refs import Kind, Ref, field_key, pipeline_key
from syncing.engine.resources.custom_fields import ENTITIES, CustomField
from syncing.engine.sentences import gettext_noop
from syncing.engine.snapshot import Snapshot

UNREADABLE = gettext_noop("It came in an unexpected shape from the account, so nothing is written for it (%(place)s).")
MAY_BE = gettext_noop(
    "It may be there, but something came in an unexpected shape, so nothing is written for it (%(place)s)."
)
NAMESAKES = gettext_noop("%(theirs)s items of this name in the account, %(ours)s in the master.")
LIKENESS = gettext_noop(
    "Several items differ from this name only in case or spaces: %(theirs)s in the account, %(ours)s in the master."
)
OTHER_TYPE = gettext_noop(
    "The type differs: %(ours)r in the master, %(theirs)r in the account; a type cannot be changed."
)


@dataclass
class Match:
    """The items that are the same in both. `keys` and `names` are inverse; `adopted` were found by natural key.

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
    """Pairs the items of two snapshots, parents before children; `known` are the id mappings: ref -> the slave's key.

    What is held back takes part like the others, so that nothing is taken for its like: its partner in the master is a
    conflict, its partner in the slave is contested.
    """
    matched = Match()
    _ListMatcher(Kind.PIPELINE, known, matched).run(pipelines_of(desired), pipelines_of(existing))
    their_pipelines = {pipeline_key(pipeline.id): pipeline for pipeline in existing.pipelines}
    for pipeline in desired.pipelines:
        key = matched.keys.get(Ref(Kind.PIPELINE, pipeline_key(pipeline.id)))
        if key is not None:
            theirs = stages_of(their_pipelines[key], existing)
            _ListMatcher(Kind.STAGE, known, matched).run(stages_of(pipeline, desired), theirs)
    if desired.groups is not None and existing.groups is not None:
        for entity in ENTITIES:
            groups = groups_of(desired, entity), groups_of(existing, entity)
            _ListMatcher(Kind.FIELD_GROUP, known, matched).run(*groups)
    if desired.fields is not None and existing.fields is not None:
        _match_fields(desired, existing, known, matched)
    return matched


def _match_fields(desired: Snapshot, existing: Snapshot, known: Mapping[Ref, str], matched: Match) -> None:
    """Pairs the custom fields entity by entity, then the options of those that have a partner."""

    def our_group(item: CustomField) -> Hashable:
        return Ref(Kind.FIELD_GROUP, item.group_key)

    def their_group(item: CustomField) -> Hashable:
        return matched.names.get((Kind.FIELD_GROUP, item.group_key), "unknown")

    for entity in ENTITIES:
        ours, theirs = fields_of(desired, entity, our_group), fields_of(existing, entity, their_group)
        _ListMatcher(Kind.CUSTOM_FIELD, known, matched).run(ours, theirs)
    by_key = {field_key(item.entity, item.id): item for item in existing.fields or ()}
    for item in desired.fields or ():
        key = matched.keys.get(Ref(Kind.CUSTOM_FIELD, field_key(item.entity, item.id)))
        if key is not None:
            _ListMatcher(Kind.ENUM, known, matched).run(options_of(item, item.name), options_of(by_key[key], item.name))


class _ListMatcher:
    """Pairs the children of one parent."""

    def __init__(self, kind: Kind, known: Mapping[Ref, str], matched: Match) -> None:
        self.kind, self.known, self.matched = kind, known, matched

    def run(self, ours: Sequence[Candidate], theirs: Sequence[Candidate]) -> None:
        ours, theirs = self._pair_mapped(ours, theirs)
        for key, pair in (
            (match_keys.by_system_stage, self._pair_namesakes),
            (match_keys.by_predefined_id, self._pair_namesakes),
            (match_keys.by_code, self._pair_namesakes),
            (match_keys.by_name_type_and_tie, self._pair_if_as_many),
            (match_keys.by_name_and_type, self._pair_namesakes),
            (match_keys.by_name, self._refuse_other_type),
            (match_keys.by_folded_name_and_type, self._pair_only_one),
            (match_keys.by_folded_name, self._refuse_other_type),
        ):
            if not ours or not theirs:
                return
            ours, theirs = self._pair_buckets(ours, theirs, key, pair)
        self._contest_unnamed(ours, theirs)

    def _ref(self, candidate: Candidate) -> Ref:
        return Ref(self.kind, candidate.key)

    def _add_conflict(self, our: Candidate, theirs: Iterable[Candidate], message: str) -> None:
        if our.held is None:
            self.matched.conflicts.append(Conflict(self._ref(our), our.name, our.parent, message))
        self.matched.contested.update((self.kind, their.key) for their in theirs)

    def _pair(self, our: Candidate, their: Candidate, *, adopted: bool = True) -> None:
        if their.held is not None:
            self._add_conflict(our, [their], UNREADABLE % {"place": their.held.place})
        elif our.held is not None:
            self.matched.contested.add((self.kind, their.key))
        elif our.type != their.type:
            self._add_conflict(our, [their], _type_message(our, their))
        else:
            self.matched.pair(self._ref(our), their.key, adopted=adopted)

    def _pair_mapped(
        self, ours: Sequence[Candidate], theirs: Sequence[Candidate]
    ) -> tuple[list[Candidate], list[Candidate]]:
        """Pairs by id mapping; an item held back without an id may be any mapped one that is not seen now."""
        present = {candidate.key: candidate for candidate in theirs}
        nameless = [their for their in theirs if their.held is not None and not their.held.key]
        rest = []
        for our in ours:
            key = self.known.get(self._ref(our))
            if key in present:
                self._pair(our, present.pop(key), adopted=False)
            elif key is not None and nameless:
                self._add_conflict(our, nameless, MAY_BE % {"place": _places(nameless)})
            else:
                rest.append(our)
                if key is not None and our.held is None:
                    self.matched.stale.add(self._ref(our))
        if any(our.held is not None and not our.held.key for our in ours):
            visible = {self._ref(our) for our in ours}
            for ref, key in self.known.items():
                if ref.kind is self.kind and ref not in visible and key in present:
                    del present[key]
                    self.matched.contested.add((self.kind, key))
        return rest, [candidate for candidate in theirs if candidate.key in present]

    def _contest_unnamed(self, ours: Sequence[Candidate], theirs: Sequence[Candidate]) -> None:
        """Takes an item held back without a name for any that has no partner and is not unlike it."""
        mapped = {key for ref, key in self.known.items() if ref.kind is self.kind} if ours and theirs else set()
        for our in ours:
            odd = [
                their
                for their in theirs
                if their.is_unnamed and their.key not in mapped and our.held is None and could_be(their, our)
            ]
            if odd:
                self._add_conflict(our, odd, MAY_BE % {"place": _places(odd)})
            if our.is_unnamed and self._ref(our) not in self.known:
                alike = [their for their in theirs if their.held is None and could_be(our, their)]
                self.matched.contested.update((self.kind, their.key) for their in alike)

    def _pair_buckets(
        self,
        ours: Sequence[Candidate],
        theirs: Sequence[Candidate],
        key_of: match_keys.KeyOf,
        pair: Callable[[list[Candidate], list[Candidate]], int],
    ) -> tuple[list[Candidate], list[Candidate]]:
        """Groups both sides by key and lets `pair` deal with each bucket; what it settled is taken out."""
        buckets, wanted = match_keys.grouped(theirs, key_of), match_keys.grouped(ours, key_of)
        gone: set[str] = set()
        used: set[str] = set()
        for key in (key for key in wanted if key in buckets):
            mine, others = wanted[key], buckets[key]
            if self.kind is Kind.CUSTOM_FIELD:  # two codes are two fields, whatever their names; options are not so
                codes = {match_keys.by_code(our) for our in mine} - {None}
                others = [
                    their
                    for their in others
                    if match_keys.by_code(their) is None or codes <= {match_keys.by_code(their)}
                ]
            settled = pair(mine, others)
            gone.update(our.key for our in mine[:settled])
            # A conflict takes all of the others.
            used.update(their.key for their in (others if settled and len(others) > len(mine) else others[:settled]))
        return [our for our in ours if our.key not in gone], [their for their in theirs if their.key not in used]

    def _pair_in_order(self, ours: list[Candidate], theirs: list[Candidate]) -> int:
        for our, their in zip(ours, theirs, strict=False):
            self._pair(our, their)
        return min(len(ours), len(theirs))

    def _pair_if_as_many(self, ours: list[Candidate], theirs: list[Candidate]) -> int:
        return self._pair_in_order(ours, theirs) if len(ours) == len(theirs) else 0

    def _pair_namesakes(self, ours: list[Candidate], theirs: list[Candidate]) -> int:
        """Pairs by order; more of them in the slave than in the master is ambiguous."""
        if len(theirs) <= len(ours):
            return self._pair_in_order(ours, theirs)
        message = NAMESAKES % {"theirs": len(theirs), "ours": len(ours)}
        for our in ours:
            self._add_conflict(our, theirs, message)
        return len(ours)

    def _pair_only_one(self, ours: list[Candidate], theirs: list[Candidate]) -> int:
        """Pairs names that are equal only after folding one to one; else nobody knows which one is meant."""
        if not theirs:
            return 0
        if len(ours) == len(theirs) == 1:
            return self._pair_in_order(ours, theirs)
        message = LIKENESS % {"theirs": len(theirs), "ours": len(ours)}
        for our in ours:
            self._add_conflict(our, theirs, message)
        return len(ours)

    def _refuse_other_type(self, ours: list[Candidate], theirs: list[Candidate]) -> int:
        """Makes a conflict of fields with the same name: not paired by now, they have another type."""
        if not theirs or self.kind is not Kind.CUSTOM_FIELD:
            return 0
        held = next((their.held for their in theirs if their.held is not None), None)
        for our in ours:
            message = _type_message(our, theirs[0]) if held is None else UNREADABLE % {"place": held.place}
            self._add_conflict(our, theirs, message)
        return len(ours)


def _places(candidates: Iterable[Candidate]) -> str:
    return "; ".join(candidate.held.place for candidate in candidates if candidate.held is not None)


def _type_message(our: Candidate, their: Candidate) -> str:
    return OTHER_TYPE % {"ours": our.type, "theirs": their.type}
