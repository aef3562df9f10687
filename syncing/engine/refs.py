"""Refs: names of items that mean the same in every account."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    PIPELINE = "pipeline"
    STAGE = "stage"
    FIELD_GROUP = "field_group"
    CUSTOM_FIELD = "custom_field"
    ENUM = "enum"

    __hash__ = str.__hash__  # Enum's own is Python code; refs are looked up a million times a run


class Scope(StrEnum):
    """The kinds that a run covers (the run type)."""

    FULL = "full"
    PIPELINES = "pipelines"
    CUSTOM_FIELDS = "custom_fields"

    @property
    def writes_pipelines(self) -> bool:
        return self is not Scope.CUSTOM_FIELDS

    @property
    def writes_fields(self) -> bool:
        return self is not Scope.PIPELINES


@dataclass(frozen=True, order=True)
class Ref:
    """`key` is built from the master's ids; `str(ref)` is for logs.

    Keys: pipeline `7`; stage `7/142` (142 and 143 repeat in every pipeline); field group `leads/default`;
    custom field `leads/12`; enum `leads/12/34`. The same form with a slave's ids is that slave's local key.
    """

    kind: Kind
    key: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.kind, self.key)))

    def __hash__(self) -> int:
        return self._hash  # type: ignore[attr-defined, no-any-return]

    def __reduce__(self) -> tuple[object, ...]:
        return Ref, (self.kind, self.key)  # a hash means nothing to another process

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


CHILD_KIND = {Kind.PIPELINE: Kind.STAGE, Kind.CUSTOM_FIELD: Kind.ENUM}  # the kind of what is inside, by kind


def parent_of(ref: Ref) -> Ref | None:
    """Returns the pipeline of a stage, the field of an option; None for what stands by itself.

    Read from the front: what only a slave has is called by its name, which may have slashes (`engine.slave_only`).
    """
    if ref.kind is Kind.STAGE:
        return Ref(Kind.PIPELINE, ref.key.partition("/")[0])
    if ref.kind is Kind.ENUM:
        return Ref(Kind.CUSTOM_FIELD, "/".join(ref.key.split("/", 2)[:2]))
    return None


def local_id(key: str) -> str:
    """Returns the account's own id inside a key: its last part."""
    return key.rpartition("/")[2]


def pipeline_key(pipeline_id: int) -> str:
    return str(pipeline_id)


def stage_key(pipeline_id: int, stage_id: int) -> str:
    return f"{pipeline_id}/{stage_id}"


def group_key(entity: str, group_id: str) -> str:
    return f"{entity}/{group_id}"


def field_key(entity: str, field_id: int) -> str:
    return f"{entity}/{field_id}"


def enum_key(entity: str, field_id: int, enum_id: int) -> str:
    return f"{entity}/{field_id}/{enum_id}"
