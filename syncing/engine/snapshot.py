"""Snapshot: one account's configuration as read, and its form as JSON."""

import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from syncing.engine.held_items import HeldItem
from syncing.engine.refs import Kind, Ref, enum_key, field_key, group_key, parent_of, pipeline_key, stage_key
from syncing.engine.resources.custom_fields import CustomField, Enum
from syncing.engine.resources.field_groups import FieldGroup
from syncing.engine.resources.pipelines import Pipeline
from syncing.engine.resources.stages import Description, Stage

Resource = Pipeline | Stage | FieldGroup | CustomField | Enum


@dataclass(frozen=True)
class Snapshot:
    """`groups` and `fields` are None when the run did not read them (type `pipelines`).

    `held`: what is there as well, but could not be read.
    """

    pipelines: tuple[Pipeline, ...]
    groups: tuple[FieldGroup, ...] | None = None
    fields: tuple[CustomField, ...] | None = None
    held: tuple[HeldItem, ...] = ()

    def stages(self) -> Iterator[tuple[Pipeline, Stage]]:
        for pipeline in self.pipelines:
            for stage in pipeline.stages:
                yield pipeline, stage

    def hides(self, ref: Ref) -> bool:
        """Returns True if an item that it does not show may be there all the same; `ref` is the account's own key.

        It is held back, inside of something that is, or one of those whose id could not be read.
        """
        parent = parent_of(ref)
        return any(each.may_be(ref) or (parent is not None and each.may_be(parent)) for each in self.held)


def refs_in(snapshot: Snapshot) -> Iterator[Ref]:
    """Yields everything that could be read, under the account's own keys."""
    for pipeline in snapshot.pipelines:
        yield Ref(Kind.PIPELINE, pipeline_key(pipeline.id))
        for stage in pipeline.stages:
            yield Ref(Kind.STAGE, stage_key(pipeline.id, stage.id))
    for group in snapshot.groups or ():
        yield Ref(Kind.FIELD_GROUP, group_key(group.entity, group.id))
    for item in snapshot.fields or ():
        yield Ref(Kind.CUSTOM_FIELD, field_key(item.entity, item.id))
        for enum in item.enums:
            yield Ref(Kind.ENUM, enum_key(item.entity, item.id, enum.id))


def resources_of(snapshot: Snapshot) -> dict[Ref, Resource]:
    """Returns what could be read by the account's own keys, each list in the order in which people see it."""
    resources: dict[Ref, Resource] = {}
    for pipeline in sorted(snapshot.pipelines, key=lambda item: (item.sort, item.id)):
        resources[Ref(Kind.PIPELINE, pipeline_key(pipeline.id))] = pipeline
        for stage in sorted(pipeline.stages, key=lambda item: (item.sort, item.id)):
            resources[Ref(Kind.STAGE, stage_key(pipeline.id, stage.id))] = stage
    for group in sorted(snapshot.groups or (), key=lambda item: (item.sort, item.id)):
        resources[Ref(Kind.FIELD_GROUP, group_key(group.entity, group.id))] = group
    for field in sorted(snapshot.fields or (), key=lambda item: (item.sort, item.id)):
        resources[Ref(Kind.CUSTOM_FIELD, field_key(field.entity, field.id))] = field
        for enum in sorted(field.enums, key=lambda item: item.sort):
            resources[Ref(Kind.ENUM, enum_key(field.entity, field.id, enum.id))] = enum
    return resources


def to_document(snapshot: Snapshot) -> dict[str, Any]:
    """Returns the snapshot as plain JSON types; `from_document` is its inverse."""
    document: dict[str, Any] = json.loads(json.dumps(asdict(snapshot)))
    if not snapshot.held:  # as it was before there was such a thing: an equal account keeps its fingerprint
        del document["held"]
    return document


def from_document(document: dict[str, Any]) -> Snapshot:
    groups, fields = document["groups"], document["fields"]
    held = []
    for item in document.get("held", ()):
        natural = None if item["natural"] is None else tuple(item["natural"])
        held.append(HeldItem(**{**item, "kind": Kind(item["kind"]), "natural": natural, "signs": tuple(item["signs"])}))
    return Snapshot(
        pipelines=tuple(_pipeline(item) for item in document["pipelines"]),
        groups=None if groups is None else tuple(FieldGroup(**{**g, "fields": tuple(g["fields"])}) for g in groups),
        fields=None if fields is None else tuple(_field(item) for item in fields),
        held=tuple(held),
    )


def packed(snapshot: Snapshot) -> bytes:
    """Returns the snapshot as it is stored of slaves: compressed to a tenth of its JSON."""
    return zlib.compress(json.dumps(to_document(snapshot), separators=(",", ":")).encode())


def unpacked(document: bytes) -> Snapshot:
    """Returns the snapshot that `packed` has compressed."""
    return from_document(json.loads(zlib.decompress(document)))


def fingerprint(snapshot: Snapshot) -> str:
    """Returns 64 hex characters, equal for equal configurations."""
    text = json.dumps(to_document(snapshot), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _pipeline(item: dict[str, Any]) -> Pipeline:
    stages = []
    for stage in item["stages"]:
        texts = stage["descriptions"]
        descriptions = None if texts is None else tuple(Description(**text) for text in texts)
        stages.append(Stage(**{**stage, "descriptions": descriptions}))
    return Pipeline(**{**item, "stages": tuple(stages)})


def _field(item: dict[str, Any]) -> CustomField:
    hidden = item["hidden_statuses"]
    known = {
        "enums": tuple(Enum(**enum) for enum in item["enums"]),
        "required_statuses": tuple((pipeline, stage) for pipeline, stage in item["required_statuses"]),
        "hidden_statuses": None if hidden is None else tuple((pipeline, stage) for pipeline, stage in hidden),
    }
    return CustomField(**{**item, **known})
