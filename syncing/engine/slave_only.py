"""Slave only: items that only the slave has, named so that equal ones of several accounts are called alike."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from syncing.engine.match import Match
from syncing.engine.refs import Kind, Ref, Scope, enum_key, field_key, group_key, pipeline_key, stage_key
from syncing.engine.snapshot import Snapshot

NUMBER = re.compile(r"(?<!#)((?:##)*)#\d+$")  # of a namesake: the last of an odd run of #


@dataclass(frozen=True)
class SlaveOnly:
    """An item of the slave that no item of the master stands behind.

    `ref` is made of names as they are, as there is no id of the master: `=Old pipeline`, `7/=Old stage`,
    `leads/=text:Notes`, `leads/12/=Value`; of namesakes the second is `...#2` (a # of the name itself is doubled).
    `key` is the slave's own.
    """

    ref: Ref
    key: str
    name: str
    parent: str


def without_number(ref: Ref) -> Ref:
    """Returns one ref for all such items of a name; others stand for themselves."""
    return Ref(ref.kind, NUMBER.sub(r"\1", ref.key))


def find_slave_only(existing: Snapshot, matched: Match, scope: Scope) -> tuple[SlaveOnly, ...]:
    """Returns these items without system and predefined ones, and without what is inside of another of them."""
    finder = _SlaveOnlyFinder(existing, matched)
    rows: list[SlaveOnly] = []
    if scope.writes_pipelines:
        rows += finder.pipelines()
    if scope.writes_fields:
        rows += [*finder.groups(), *finder.fields()]
    return tuple(rows)


class _SlaveOnlyFinder:
    """Goes through the slave's items; counts equal names, as the second gets a number."""

    def __init__(self, existing: Snapshot, matched: Match) -> None:
        self.existing, self.matched = existing, matched
        self.counts: Counter[tuple[Kind, str]] = Counter()

    def _item(self, kind: Kind, key: str, inside: str, name: str, parent: str, type_: str = "") -> Iterator[SlaveOnly]:
        """Yields nothing when the item is the master's as well, or takes part in a conflict."""
        if (kind, key) in self.matched.names or (kind, key) in self.matched.contested:
            return
        ref_key = f"{inside}={type_}{name.replace('#', '##')}"
        self.counts[kind, ref_key] += 1
        number = self.counts[kind, ref_key]
        yield SlaveOnly(Ref(kind, ref_key if number == 1 else f"{ref_key}#{number}"), key, name, parent)

    def pipelines(self) -> Iterator[SlaveOnly]:
        for pipeline in self.existing.pipelines:
            key = pipeline_key(pipeline.id)
            ref = self.matched.names.get((Kind.PIPELINE, key))
            if ref is None:
                yield from self._item(Kind.PIPELINE, key, "", pipeline.name, "")
                continue
            for stage in pipeline.stages:
                if not stage.is_system:
                    inner = stage_key(pipeline.id, stage.id)
                    yield from self._item(Kind.STAGE, inner, f"{ref.key}/", stage.name, pipeline.name)

    def groups(self) -> Iterator[SlaveOnly]:
        for group in self.existing.groups or ():
            if not group.is_predefined:
                key = group_key(group.entity, group.id)
                yield from self._item(Kind.FIELD_GROUP, key, f"{group.entity}/", group.name, group.entity)

    def fields(self) -> Iterator[SlaveOnly]:
        names = {group_key(group.entity, group.id): group.name for group in self.existing.groups or ()}
        for item in self.existing.fields or ():
            if item.is_predefined:
                continue
            key = field_key(item.entity, item.id)
            ref = self.matched.names.get((Kind.CUSTOM_FIELD, key))
            if ref is None:
                group = names.get(item.group_key)
                parent = f"{item.entity}/{group}" if group else item.entity
                yield from self._item(Kind.CUSTOM_FIELD, key, f"{item.entity}/", item.name, parent, f"{item.type}:")
                continue
            for enum in item.enums:
                if enum.value is not None:  # else it is a manual item of its own, and nothing is done about it
                    inner = enum_key(item.entity, item.id, enum.id)
                    yield from self._item(Kind.ENUM, inner, f"{ref.key}/", enum.value, item.name)
