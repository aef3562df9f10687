"""What only the slave has: found, and named so that equal ones of several accounts are called alike."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from syncing.engine.match import Match
from syncing.engine.refs import Kind, Ref, Scope, enum_key, field_key, group_key, pipeline_key, stage_key
from syncing.engine.resources.custom_fields import CustomField
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
    """One ref for all own items of a name; others stand for themselves."""
    return Ref(ref.kind, NUMBER.sub(r"\1", ref.key))


def find_slave_only(existing: Snapshot, found: Match, scope: Scope) -> tuple[SlaveOnly, ...]:
    """Without system and predefined items, and without what is inside of an own item."""
    finder = _Finder(existing, found)
    rows: list[SlaveOnly] = []
    if scope.writes_pipelines:
        rows += finder.pipelines()
    if scope.writes_fields:
        rows += [*finder.groups(), *finder.fields()]
    return tuple(rows)


class _Finder:
    def __init__(self, existing: Snapshot, found: Match) -> None:
        self.existing, self.found = existing, found
        self.seen: Counter[tuple[Kind, str]] = Counter()

    def _own(self, kind: Kind, key: str, inside: str, name: str, parent: str, type_: str = "") -> Iterator[SlaveOnly]:
        """Nothing when the item is the master's as well, or takes part in a conflict."""
        if (kind, key) in self.found.names or (kind, key) in self.found.contested:
            return
        called = f"{inside}={type_}{name.replace('#', '##')}"
        self.seen[kind, called] += 1
        number = self.seen[kind, called]
        yield SlaveOnly(Ref(kind, called if number == 1 else f"{called}#{number}"), key, name, parent)

    def pipelines(self) -> Iterator[SlaveOnly]:
        for pipeline in self.existing.pipelines:
            key = pipeline_key(pipeline.id)
            ref = self.found.names.get((Kind.PIPELINE, key))
            if ref is None:
                yield from self._own(Kind.PIPELINE, key, "", pipeline.name, "")
                continue
            for stage in pipeline.stages:
                if not stage.is_system:
                    inner = stage_key(pipeline.id, stage.id)
                    yield from self._own(Kind.STAGE, inner, f"{ref.key}/", stage.name, pipeline.name)

    def groups(self) -> Iterator[SlaveOnly]:
        for group in self.existing.groups or ():
            if not group.is_predefined:
                key = group_key(group.entity, group.id)
                yield from self._own(Kind.FIELD_GROUP, key, f"{group.entity}/", group.name, group.entity)

    def fields(self) -> Iterator[SlaveOnly]:
        names = {group_key(group.entity, group.id): group.name for group in self.existing.groups or ()}
        for item in self.existing.fields or ():
            if item.is_predefined:
                continue
            key = field_key(item.entity, item.id)
            ref = self.found.names.get((Kind.CUSTOM_FIELD, key))
            if ref is not None:
                yield from self._enums(item, ref)
                continue
            group = names.get(item.group_key)
            parent = f"{item.entity}/{group}" if group else item.entity
            yield from self._own(Kind.CUSTOM_FIELD, key, f"{item.entity}/", item.name, parent, f"{item.type}:")

    def _enums(self, item: CustomField, ref: Ref) -> Iterator[SlaveOnly]:
        for enum in item.enums:
            if enum.value is None:  # it is told by itself, and nothing is done about it
                continue
            key = enum_key(item.entity, item.id, enum.id)
            yield from self._own(Kind.ENUM, key, f"{ref.key}/", enum.value, item.name)
