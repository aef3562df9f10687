"""Match keys: what two candidates that are the same item have in common, from the surest to the weakest."""

from collections.abc import Callable, Hashable, Iterable

from syncing.engine.candidates import Candidate, normal_name

KeyOf = Callable[[Candidate], Hashable]  # None: it has no such key


def _natural(*sorts: str) -> KeyOf:
    def key_of(candidate: Candidate) -> Hashable:
        for key in candidate.natural:
            if key[0] in sorts:
                return key
        return None

    return key_of


def _with_type(key_of: KeyOf) -> KeyOf:
    def typed_key_of(candidate: Candidate) -> Hashable:
        key = key_of(candidate)
        return None if key is None else (key, candidate.type)

    return typed_key_of


by_system_stage, by_predefined_id, by_code = _natural("system"), _natural("id"), _natural("code")
by_name = _natural("name", "value")  # exactly as it is
by_name_and_type = _with_type(by_name)


def by_name_type_and_tie(candidate: Candidate) -> Hashable:
    """Tells namesakes in different groups apart."""
    key = by_name_and_type(candidate)
    return None if key is None or candidate.tie is None else (key, candidate.tie)


def by_folded_name(candidate: Candidate) -> Hashable:
    name = by_name(candidate)
    return (name[0], normal_name(name[1]), *name[2:]) if isinstance(name, tuple) else None


by_folded_name_and_type = _with_type(by_folded_name)


def grouped(candidates: Iterable[Candidate], key_of: KeyOf) -> dict[Hashable, list[Candidate]]:
    """Puts candidates of the same key together; those without one are left out."""
    groups: dict[Hashable, list[Candidate]] = {}
    for candidate in candidates:
        key = key_of(candidate)
        if key is not None:
            groups.setdefault(key, []).append(candidate)
    return groups
