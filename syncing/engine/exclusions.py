"""Exclusions: what of the master an account is not to be given, by exclusion or as an accepted difference."""

from collections.abc import Iterator

from syncing.engine.match import normal_name
from syncing.engine.refs import Kind, Ref, field_key, group_key, pipeline_key, stage_key
from syncing.engine.resources.custom_fields import CustomField
from syncing.engine.resources.field_groups import DEFAULT_GROUP, FieldGroup
from syncing.engine.rules import WHOLE, Exclusion, Rules
from syncing.engine.snapshot import Snapshot


def excludes(exclusion: Exclusion, kind: Kind, name: str) -> bool:
    """Whether an item of this kind and name is meant; names as they are matched (case and spaces do not count)."""
    if exclusion.kind is not kind:
        return False
    return not exclusion.name or normal_name(exclusion.name) == normal_name(name)


def left_out(desired: Snapshot, rules: Rules) -> frozenset[Ref]:
    """The master's items that are kept out of the account's plans; with a pipeline its stages, with a group its fields.

    An accepted group leaves out only itself: fields that are there already go on being kept in step.
    """
    if not rules.exclusions and not rules.accepted:
        return frozenset()
    finder = _Finder(desired, rules)
    return frozenset([*finder.pipelines(), *finder.groups(), *finder.fields()])


class _Finder:
    def __init__(self, desired: Snapshot, rules: Rules) -> None:
        self.desired, self.rules = desired, rules
        self.groups_out: set[str] = set()

    def _excluded(self, kind: Kind, name: str) -> bool:
        return any(excludes(exclusion, kind, name) for exclusion in self.rules.exclusions)

    def _is_out(self, ref: Ref, name: str) -> bool:
        return (ref, WHOLE) in self.rules.accepted or self._excluded(ref.kind, name)

    def pipelines(self) -> Iterator[Ref]:
        for pipeline in self.desired.pipelines:
            ref = Ref(Kind.PIPELINE, pipeline_key(pipeline.id))
            whole = self._is_out(ref, pipeline.name)
            if whole:
                yield ref
            for stage in pipeline.stages:
                inner = Ref(Kind.STAGE, stage_key(pipeline.id, stage.id))
                if whole or (not stage.is_system and self._is_out(inner, stage.name)):
                    yield inner

    def groups(self) -> Iterator[Ref]:
        for group in self.desired.groups or ():
            ref = Ref(Kind.FIELD_GROUP, group_key(group.entity, group.id))
            if self._is_group_excluded(group):
                self.groups_out.add(ref.key)
                yield ref
            elif (ref, WHOLE) in self.rules.accepted:
                yield ref

    def _is_group_excluded(self, group: FieldGroup) -> bool:
        """Kommo's own groups only by their name: the main one holds what has no group, and that was not meant."""
        meant = (each for each in self.rules.exclusions if each.name or not group.is_predefined)
        return any(excludes(each, Kind.FIELD_GROUP, group.name) for each in meant)

    def fields(self) -> Iterator[Ref]:
        for item in self.desired.fields or ():
            ref = Ref(Kind.CUSTOM_FIELD, field_key(item.entity, item.id))
            if self._is_out(ref, item.name) or self._group(item) in self.groups_out:
                yield ref

    @staticmethod
    def _group(item: CustomField) -> str:
        return group_key(item.entity, item.group_id or DEFAULT_GROUP)
