"""Choice: items of a plan that a new plan may be about alone, and what has to come along with them."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from syncing.engine.changes import Action
from syncing.engine.grouping import DocumentRow
from syncing.engine.refs import Kind, Ref, field_key, group_key, pipeline_key, stage_key
from syncing.engine.snapshot import Snapshot

Named = tuple[str, str, str]  # kind, name, parent, as documents name items


@dataclass(frozen=True)
class ChoosableItem:
    """An item that is created or updated; `along`: the new items without which it cannot be, or makes no sense."""

    ref: Ref
    row: DocumentRow
    along: tuple[Ref, ...] = ()

    @property
    def value(self) -> str:
        """Returns it as forms name it."""
        return f"{self.ref.kind}:{self.ref.key}"

    @property
    def refs(self) -> tuple[Ref, ...]:
        return self.ref, *self.along


def named(row: DocumentRow) -> Named:
    return str(row["kind"]), row["name"], row.get("parent") or ""


def refs_by_name(master: Snapshot) -> Mapping[Named, list[Ref]]:
    """Returns the master's items as documents name them; several where it has namesakes."""
    refs: dict[Named, list[Ref]] = defaultdict(list)
    for pipeline in master.pipelines:
        refs[Kind.PIPELINE, pipeline.name, ""].append(Ref(Kind.PIPELINE, pipeline_key(pipeline.id)))
        for stage in pipeline.stages:
            refs[Kind.STAGE, stage.name, pipeline.name].append(Ref(Kind.STAGE, stage_key(pipeline.id, stage.id)))
    names = {}
    for group in master.groups or ():
        key = group_key(group.entity, group.id)
        names[key] = group.name
        refs[Kind.FIELD_GROUP, group.name, group.entity].append(Ref(Kind.FIELD_GROUP, key))
    for item in master.fields or ():
        parent = f"{item.entity}/{names[item.group_key]}" if item.group_key in names else item.entity
        refs[Kind.CUSTOM_FIELD, item.name, parent].append(Ref(Kind.CUSTOM_FIELD, field_key(item.entity, item.id)))
    return refs


def choosable_items(changes: Sequence[DocumentRow], master: Snapshot) -> list[ChoosableItem]:
    """Returns the items of a plan that can be chosen, in its order.

    Nothing that is deleted, and nothing that has a namesake, as nobody could tell which is meant. A new pipeline comes
    with all its stages, a field with its new group.
    """
    refs = refs_by_name(master)
    known = [(row, refs[named(row)][0]) for row in changes if len(refs[named(row)]) == 1]
    created = {ref for row, ref in known if row["action"] == Action.CREATE}
    items = []
    for row, ref in known:
        if row["action"] == Action.DELETE or _is_inside_of_one(ref, created):
            continue
        items.append(ChoosableItem(ref, row, tuple(_along(ref, master, created))))
    return items


def _is_inside_of_one(ref: Ref, created: Collection[Ref]) -> bool:
    """Tells whether it is a stage of a new pipeline: it comes with that."""
    return ref.kind is Kind.STAGE and Ref(Kind.PIPELINE, ref.key.partition("/")[0]) in created


def _along(ref: Ref, master: Snapshot, created: Collection[Ref]) -> Iterator[Ref]:
    """Yields all stages of a new pipeline, those with namesakes too, and the new group of a field."""
    if ref.kind is Kind.PIPELINE and ref in created:
        for pipeline in master.pipelines:
            if pipeline_key(pipeline.id) == ref.key:
                stages = (stage for stage in pipeline.stages if not stage.is_system)
                yield from (Ref(Kind.STAGE, stage_key(pipeline.id, stage.id)) for stage in stages)
    if ref.kind is Kind.CUSTOM_FIELD:
        groups = (item.group_key for item in master.fields or () if field_key(item.entity, item.id) == ref.key)
        yield from (Ref(Kind.FIELD_GROUP, key) for key in groups if Ref(Kind.FIELD_GROUP, key) in created)
