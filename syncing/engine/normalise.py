"""Normalise: a snapshot as items named by refs, with nothing left in them that is not a difference."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from syncing.engine.refs import Kind, Ref, enum_key, field_key, group_key, pipeline_key, stage_key
from syncing.engine.resources.custom_fields import CREATABLE_TYPES, ENUM_TYPES, TRACKING_TYPE, CustomField, StageId
from syncing.engine.resources.field_groups import FieldGroup
from syncing.engine.resources.pipelines import Pipeline, display_order
from syncing.engine.resources.stages import has_default_name, palette_color
from syncing.engine.snapshot import Snapshot

Attributes = Mapping[str, Any]
Named = Callable[[Kind, str], Ref | None]  # the account's own key -> the ref, None for an item of its own


@dataclass(frozen=True)
class Item:
    """One item: `parent` is the name to show, `siblings` names the list it is ordered in (None: not ordered by us)."""

    ref: Ref
    name: str
    parent: str
    attributes: Attributes
    siblings: str | None = None
    system: bool = False  # made by Kommo itself: never created or deleted, its name not ours to set


@dataclass(frozen=True)
class NormalisedSnapshot:
    """A snapshot in refs. `sequences`: list name -> refs in their order; `labels`: how a ref is shown to people."""

    items: Mapping[Ref, Item]
    sequences: Mapping[str, tuple[Ref, ...]]
    labels: Mapping[Ref, str] = field(default_factory=dict)


def own_names(kind: Kind, key: str) -> Ref:
    """Names the master's own items: its keys are the refs."""
    return Ref(kind, key)


def normalise(snapshot: Snapshot, named: Named, shared_stages: Collection[Ref]) -> NormalisedSnapshot:
    """Returns the items that `named` knows, ids replaced by refs.

    Required and hidden statuses are kept only where they speak of `shared_stages`, the stages that both accounts
    have (or will have): in the slave's own stages the slave's are kept.
    """
    builder = _Builder(named, frozenset(shared_stages))
    for pipeline in sorted(snapshot.pipelines, key=display_order):
        builder.add_pipeline(pipeline)
    for group in sorted(snapshot.groups or (), key=lambda item: (item.sort, item.id)):
        builder.add_group(group)
    for item in sorted(snapshot.fields or (), key=lambda item: (item.sort, item.id)):
        builder.add_field(item)
    return NormalisedSnapshot(
        builder.items, {name: tuple(refs) for name, refs in builder.sequences.items()}, builder.labels
    )


class _Builder:
    def __init__(self, named: Named, shared_stages: Collection[Ref]) -> None:
        self.named, self.shared_stages = named, shared_stages
        self.items: dict[Ref, Item] = {}
        self.sequences: dict[str, list[Ref]] = {}
        self.labels: dict[Ref, str] = {}

    def _add(self, item: Item, label: str) -> None:
        self.items[item.ref] = item
        self.labels[item.ref] = label
        if item.siblings is not None:
            self.sequences.setdefault(item.siblings, []).append(item.ref)

    def add_pipeline(self, pipeline: Pipeline) -> None:
        ref = self.named(Kind.PIPELINE, pipeline_key(pipeline.id))
        if ref is None:
            return
        attributes = {"name": pipeline.name, "is_unsorted_on": pipeline.is_unsorted_on}
        if pipeline.is_main:  # exactly one is: that the others are not needs no saying
            attributes["is_main"] = True
        siblings = None if pipeline.is_archive else "pipelines"
        self._add(Item(ref, pipeline.name, "", attributes, siblings), pipeline.name)
        for stage in sorted(pipeline.stages, key=lambda item: (item.sort, item.id)):
            inner = self.named(Kind.STAGE, stage_key(pipeline.id, stage.id))
            if inner is None:
                continue
            written: dict[str, Any] = {} if has_default_name(stage) else {"name": stage.name}
            if not stage.is_system and stage.color:  # null is not known, and no colour to paint others with
                written["color"] = palette_color(stage.color)
            if stage.descriptions:
                written["descriptions"] = {text.level: text.text for text in stage.descriptions}
            siblings = None if stage.is_system else f"stages of {ref.key}"
            item = Item(inner, stage.name, pipeline.name, written, siblings, stage.is_system)
            self._add(item, f"{pipeline.name} / {stage.name}")

    def add_group(self, group: FieldGroup) -> None:
        ref = self.named(Kind.FIELD_GROUP, group_key(group.entity, group.id))
        if ref is None:
            return
        system = group.is_predefined
        siblings = None if system else f"groups of {group.entity}"
        attributes = {} if system else {"name": group.name}  # predefined ones are named in the account's language
        self._add(Item(ref, group.name, group.entity, attributes, siblings, system), group.name)

    def add_field(self, item: CustomField) -> None:
        ref = self.named(Kind.CUSTOM_FIELD, field_key(item.entity, item.id))
        if ref is None:
            return
        group = self.named(Kind.FIELD_GROUP, item.group_key)
        parent = item.entity if group is None else f"{item.entity}/{self.labels.get(group, group.key)}"
        system = item.is_predefined or item.type not in CREATABLE_TYPES[item.entity]
        attributes = self._statuses(item) if system else {**self._attributes(item), **self._statuses(item)}
        siblings = None
        if item.type != TRACKING_TYPE:  # the group of tracking fields is left to Kommo
            siblings = None if group is None else f"fields of {group.key}"
            if not system:
                attributes["group"] = group
        self._add(Item(ref, item.name, parent, attributes, siblings, system), item.name)

    def _attributes(self, item: CustomField) -> dict[str, Any]:
        """Returns those that can be written; absent and default are the same value.

        The account's own extra options are not among them, nor values that are not known.
        """
        attributes: dict[str, Any] = {"name": item.name, "is_api_only": item.is_api_only}
        if item.type in ENUM_TYPES:
            values = attributes["enums"] = {}
            codes: dict[Ref, str] = {}
            for enum in sorted(item.enums, key=lambda enum: enum.sort):  # stable: equal numbers keep their position
                ref = self.named(Kind.ENUM, enum_key(item.entity, item.id, enum.id))
                if ref is not None and enum.value is not None:
                    values[ref] = self.labels[ref] = enum.value
                if ref is not None and enum.code:
                    codes[ref] = enum.code
            attributes["enum_codes"] = dict(sorted(codes.items(), key=str))
        if item.type == "monetary" and item.currency:
            attributes["currency"] = item.currency
        if item.type == "birthday":
            attributes["remind"] = item.remind or "never"
        if item.type == TRACKING_TYPE:
            attributes["tracking_callback"] = item.tracking_callback or ""
        return attributes

    def _statuses(self, item: CustomField) -> dict[str, Any]:
        attributes: dict[str, Any] = {"required_statuses": self._shared(item.required_statuses)}
        if item.hidden_statuses is not None:
            attributes["hidden_statuses"] = self._shared(item.hidden_statuses)
        return attributes

    def _shared(self, statuses: Iterable[StageId]) -> frozenset[Ref]:
        refs = (self.named(Kind.STAGE, stage_key(pipeline, stage)) for pipeline, stage in statuses)
        return frozenset(ref for ref in refs if ref is not None and ref in self.shared_stages)
