"""Exclusions: what of the master an account is not to be given, by exclusion or as an accepted difference."""

from collections.abc import Collection, Iterable, Iterator
from typing import TypeVar

from syncing.engine.candidates import normal_name
from syncing.engine.refs import Kind, Ref, field_key, group_key, pipeline_key, stage_key
from syncing.engine.resources.custom_fields import CustomField
from syncing.engine.resources.field_groups import FieldGroup
from syncing.engine.rules import WHOLE, ExclusionRule, Rules
from syncing.engine.snapshot import Snapshot

T = TypeVar("T", FieldGroup, CustomField)


def excluded_names(exclusions: Iterable[ExclusionRule], kind: Kind, names: Collection[str]) -> set[str]:
    """Returns those of `names`, the names of one list, that are excluded: exactly so, else equal but for case.

    An exclusion that a person typed as "status" still means "Status", but not where both are there.
    """
    excluded: set[str] = set()
    for each in exclusions:
        if each.kind is kind and not each.name:
            return set(names)
        if each.kind is kind:
            folded = normal_name(each.name)
            excluded |= {each.name} if each.name in names else {name for name in names if normal_name(name) == folded}
    return excluded


def excluded_refs(desired: Snapshot, rules: Rules) -> frozenset[Ref]:
    """Returns the master's items kept out of the account's plans; with a pipeline its stages, with a group its fields.

    An accepted group leaves out only itself: fields that are there already go on being kept in step.
    """
    if not rules.exclusions and not rules.accepted:
        return frozenset()
    finder = _ExclusionFinder(desired, rules)
    return frozenset([*finder.pipelines(), *finder.groups(), *finder.fields()])


class _ExclusionFinder:
    def __init__(self, desired: Snapshot, rules: Rules) -> None:
        self.desired, self.rules = desired, rules
        self.groups_out: set[str] = set()

    def _excluded(self, kind: Kind, names: Collection[str]) -> set[str]:
        return excluded_names(self.rules.exclusions, kind, names)

    def _is_accepted(self, ref: Ref) -> bool:
        return (ref, WHOLE) in self.rules.accepted

    def pipelines(self) -> Iterator[Ref]:
        out = self._excluded(Kind.PIPELINE, {pipeline.name for pipeline in self.desired.pipelines})
        for pipeline in self.desired.pipelines:
            ref = Ref(Kind.PIPELINE, pipeline_key(pipeline.id))
            whole = pipeline.name in out or self._is_accepted(ref)
            if whole:
                yield ref
            inside = self._excluded(Kind.STAGE, {stage.name for stage in pipeline.stages if not stage.is_system})
            for stage in pipeline.stages:
                inner = Ref(Kind.STAGE, stage_key(pipeline.id, stage.id))
                if whole or (not stage.is_system and (stage.name in inside or self._is_accepted(inner))):
                    yield inner

    def groups(self) -> Iterator[Ref]:
        """Excludes Kommo's own groups only by their name: the main one holds what has no group."""
        named = [each for each in self.rules.exclusions if each.name]
        for entity, groups in _by_entity(self.desired.groups or ()).items():
            every = {group.name for group in groups}
            out, out_by_name = self._excluded(Kind.FIELD_GROUP, every), excluded_names(named, Kind.FIELD_GROUP, every)
            for group in groups:
                ref = Ref(Kind.FIELD_GROUP, group_key(entity, group.id))
                if group.name in (out_by_name if group.is_predefined else out):
                    self.groups_out.add(ref.key)
                    yield ref
                elif self._is_accepted(ref):
                    yield ref

    def fields(self) -> Iterator[Ref]:
        for entity, fields in _by_entity(self.desired.fields or ()).items():
            out = self._excluded(Kind.CUSTOM_FIELD, {item.name for item in fields})
            for item in fields:
                ref = Ref(Kind.CUSTOM_FIELD, field_key(entity, item.id))
                if item.name in out or self._is_accepted(ref) or item.group_key in self.groups_out:
                    yield ref


def _by_entity(items: Iterable[T]) -> dict[str, list[T]]:
    lists: dict[str, list[T]] = {}
    for item in items:
        lists.setdefault(item.entity, []).append(item)
    return lists
