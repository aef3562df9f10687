"""Painting: makes the drawing of one side of what two accounts differ in."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from syncing.engine.refs import Kind, enum_key, field_key, group_key, pipeline_key, stage_key
from syncing.engine.resources.custom_fields import ENTITIES, CustomField
from syncing.engine.resources.field_groups import FieldGroup
from syncing.engine.resources.pipelines import Pipeline, display_order
from syncing.engine.resources.stages import LOST, WON, Stage
from syncing.engine.sequences import moves
from syncing.engine.snapshot import Snapshot
from syncing.presentation.drawing import (
    AttributeChange,
    Chip,
    Drawing,
    DrawnEdit,
    DrawnField,
    DrawnGroup,
    DrawnPipeline,
    ItemName,
    Mark,
    Side,
)


def draw(
    master: Snapshot, edits: Iterable[DrawnEdit], side: Side, aside: Mapping[ItemName, Mark] | None = None
) -> Drawing:
    """Draws one side of the edits of the master's configuration; what they do not name is the same on both.

    `aside`: marks of items that no edit speaks of, as they are excluded or accepted.
    """
    painter = _Painter(master, edits, side, aside or {})
    return Drawing(tuple(painter.pipelines()), tuple(painter.groups()))


@dataclass
class _Found:
    """The edits by item, and those of items that the master does not have, by the place where they are drawn."""

    by_key: dict[ItemName, list[DrawnEdit]] = field(default_factory=lambda: defaultdict(list))
    by_name: dict[tuple[str, str, str], list[DrawnEdit]] = field(default_factory=lambda: defaultdict(list))
    only_there: dict[tuple[str, str], list[DrawnEdit]] = field(default_factory=lambda: defaultdict(list))


class _Painter:
    def __init__(
        self, master: Snapshot, edits: Iterable[DrawnEdit], side: Side, aside: Mapping[ItemName, Mark]
    ) -> None:
        self.master, self.side, self.aside = master, side, aside
        self.found = _Found()
        for edit in edits:
            if edit.action in ("delete", "extra"):
                self.found.only_there[edit.kind, edit.parent].append(edit)
            elif edit.key:
                self.found.by_key[edit.kind, edit.key].append(edit)
            else:
                self.found.by_name[edit.kind, edit.name, edit.parent].append(edit)
        self.stage_names = {(p.id, s.id): f"{p.name} / {s.name}" for p, s in master.stages()}

    # -- funnels --

    def pipelines(self) -> Iterator[DrawnPipeline]:
        """Yields the funnels of this side, each with its stages; what only the account has comes last."""
        drawn = []
        for pipeline in sorted(self.master.pipelines, key=display_order):
            title = self._chip(Kind.PIPELINE, pipeline_key(pipeline.id), pipeline.name, "")
            stages = sorted(pipeline.stages, key=lambda stage: (stage.sort, stage.id))
            chips = [self._stage(pipeline, stage) for stage in stages if stage.id not in (WON, LOST)]
            ends = [self._stage(pipeline, stage) for stage in stages if stage.id in (WON, LOST)]
            all_stages = (*self._in_order(chips), *self._only_there(Kind.STAGE, pipeline.name), *ends)
            drawn.append(DrawnPipeline(title, all_stages, pipeline.is_main, pipeline.is_archive))
        yield from self._in_order(drawn)
        yield from (DrawnPipeline(chip, ()) for chip in self._only_there(Kind.PIPELINE, ""))

    def _stage(self, pipeline: Pipeline, stage: Stage) -> Chip:
        key = stage_key(pipeline.id, stage.id)
        chip = self._chip(Kind.STAGE, key, stage.name, pipeline.name, is_system=stage.is_system)
        return replace(chip, color=str(self._shown(chip, "color", stage.color) or ""))

    # -- fields --

    def groups(self) -> Iterator[DrawnGroup]:
        """Yields the groups of fields of this side by entity; fields in no known group are in one without a name."""
        for entity in ENTITIES:
            groups = [each for each in self.master.groups or () if each.entity == entity]
            titles = [(group, self._group_title(group)) for group in sorted(groups, key=lambda each: each.sort)]
            fields = self._fields_by_group(entity, titles)
            yield from self._in_order([
                DrawnGroup(title, entity, (*self._in_order(fields[title.key]), *self._other_fields(entity, title.name)))
                for _, title in titles
            ])  # fmt: skip
            for chip in self._only_there(Kind.FIELD_GROUP, entity):
                yield DrawnGroup(chip, entity, (*fields[chip.key], *self._other_fields(entity, chip.name)))
            loose = self._other_fields(entity)
            if loose:
                yield DrawnGroup(Chip(Kind.FIELD_GROUP, "", "", entity), entity, loose)

    def _group_title(self, group: FieldGroup) -> Chip:
        key = group_key(group.entity, group.id)
        return self._chip(Kind.FIELD_GROUP, key, group.name, group.entity, is_system=group.is_predefined)

    def _fields_by_group(
        self, entity: str, titles: Sequence[tuple[FieldGroup, Chip]]
    ) -> Mapping[str, list[DrawnField]]:
        """Returns the fields by the key of the group that they are in on this side."""
        parents = {title.key: f"{entity}/{group.name}" for group, title in titles}
        chips = (*(title for _, title in titles), *self._only_there(Kind.FIELD_GROUP, entity))
        named = {chip.name: chip.key for chip in chips}
        fields: dict[str, list[DrawnField]] = defaultdict(list)
        members = (each for each in self.master.fields or () if each.entity == entity)
        for item in sorted(members, key=lambda each: (each.sort, each.id)):
            drawn = self._field(item, parents.get(item.group_key, entity))
            elsewhere = self._shown(drawn.title, "group", None)
            here = self.side is Side.ACCOUNT and elsewhere in named
            fields[named[elsewhere] if here else item.group_key].append(drawn)
        return fields

    def _other_fields(self, entity: str, group: str = "") -> tuple[DrawnField, ...]:
        parent = f"{entity}/{group}" if group else entity
        return tuple(DrawnField(chip) for chip in self._only_there(Kind.CUSTOM_FIELD, parent))

    def _field(self, item: CustomField, parent: str) -> DrawnField:
        key = field_key(item.entity, item.id)
        title = self._chip(Kind.CUSTOM_FIELD, key, item.name, parent, is_system=item.is_predefined)
        required = sorted(self.stage_names[each] for each in item.required_statuses if each in self.stage_names)
        hidden = sorted(self.stage_names[each] for each in item.hidden_statuses or () if each in self.stage_names)
        return DrawnField(
            title,
            item.type,
            self._options(item, title),
            tuple(self._shown(title, "required_statuses", required) or ()),
            tuple(self._shown(title, "hidden_statuses", hidden) or ()),
        )

    def _options(self, item: CustomField, title: Chip) -> tuple[Chip, ...]:
        """Draws the options of one side, and those of the account beside them that the master does not have."""
        edit = next((each for each in title.edits if each.attribute == "enums"), None)
        keys = {each.value: enum_key(item.entity, item.id, each.id) for each in item.enums}
        values = [each.value or "" for each in sorted(item.enums, key=lambda each: each.sort)]
        chips = [Chip(Kind.ENUM, "", value) for value in values] if edit is None else draw_options(edit, self.side)
        named = (replace(chip, key=keys.get(chip.name, ""), parent=item.name) for chip in chips)
        return (*named, *self._only_there(Kind.ENUM, item.name))

    # -- of every kind --

    def _chip(self, kind: Kind, key: str, name: str, parent: str, *, is_system: bool = False) -> Chip:
        edits = tuple(self.found.by_key.get((kind, key)) or self.found.by_name.get((kind, name, parent)) or ())
        chip = Chip(
            kind=kind,
            key=key,
            name=name,
            parent=parent,
            mark=self._mark(edits) or self.aside.get((str(kind), key), Mark.NONE),
            changes=tuple(_change(edit, self.side) for edit in edits if edit.attribute),
            is_system=is_system,
            edits=edits,
        )
        return replace(chip, name=str(self._shown(chip, "name", name)))

    def _mark(self, edits: Sequence[DrawnEdit]) -> Mark:
        """Returns the mark of an item by the edits of it."""
        attributes = {edit.attribute for edit in edits}
        if not edits:
            return Mark.NONE
        if "" in attributes:
            return Mark.ADDED if self.side is Side.MASTER else Mark.MISSING
        if "name" in attributes:
            return Mark.RENAMED
        return Mark.MOVED if attributes <= {"position", "group"} else Mark.CHANGED

    def _shown(self, chip: Chip, attribute: str, value: Any) -> Any:
        """Returns the value that this side has of an attribute; `value` is the master's."""
        edit = next((each for each in chip.edits if each.attribute == attribute), None)
        return value if edit is None or self.side is Side.MASTER else edit.theirs

    def _only_there(self, kind: Kind, parent: str) -> tuple[Chip, ...]:
        """Returns what only the account has in this place; nothing on the side of the master."""
        if self.side is Side.MASTER:
            return ()
        return tuple(
            Chip(
                kind=kind,
                key=edit.key,
                name=edit.name,
                parent=parent,
                mark=Mark.REMOVED if edit.action == "delete" else Mark.EXTRA,
                edits=(edit,),
            )
            for edit in self.found.only_there.get((str(kind), parent), ())
        )

    def _in_order(self, drawn: "Sequence[Any]") -> "list[Any]":
        """Puts what stands elsewhere on this side there: the places count only what both have."""
        if self.side is Side.MASTER:
            return list(drawn)
        places = {
            id(each): edit.theirs for each in drawn for edit in _title(each).edits if edit.attribute == "position"
        }
        rest = [each for each in drawn if id(each) not in places]
        for each in sorted((each for each in drawn if id(each) in places), key=lambda each: places[id(each)]):
            both = [at for at, other in enumerate(rest) if _has_place(_title(other))]
            place = int(places[id(each)]) - 1
            rest.insert(both[place] if place < len(both) else len(rest), each)
        return rest


def _title(drawn: Any) -> Chip:
    return drawn if isinstance(drawn, Chip) else drawn.title


def _has_place(chip: Chip) -> bool:
    """Tells if an item takes part in the order of its list (`engine.normalise`) on the account's side."""
    is_fixed = chip.is_system and chip.kind in (Kind.STAGE, Kind.FIELD_GROUP)
    return chip.mark is not Mark.MISSING and not is_fixed


def _change(edit: DrawnEdit, side: Side) -> AttributeChange:
    before, now = (edit.theirs, edit.ours) if side is Side.MASTER else (edit.ours, edit.theirs)
    return AttributeChange(edit.attribute, before, now)


def draw_options(edit: DrawnEdit, side: Side) -> list[Chip]:
    """Draws the options of one side of an edit of a list of options, each with what is special about it there."""
    ours, theirs = list(edit.ours or ()), list(edit.theirs or ())
    values, others = (ours, theirs) if side is Side.MASTER else (theirs, ours)
    marks, renamed = _list_marks(ours, theirs, side), _renamed(values, others)
    chips = []
    for place, value in enumerate(values, start=1):
        changes: tuple[AttributeChange, ...] = ()
        if value in renamed:
            changes = (AttributeChange("name", renamed[value], value),)
        elif marks.get(value) is Mark.MOVED:
            changes = (AttributeChange("position", others.index(value) + 1, place),)
        chips.append(Chip(Kind.ENUM, "", value, mark=marks.get(value, Mark.NONE), changes=changes))
    return chips


def _list_marks(ours: Sequence[str], theirs: Sequence[str], side: Side) -> dict[str, Mark]:
    """Marks the options of one side: those that the other does not have by this value, and those that move.

    An option of the account that the master has under no value is in neither list: what only the account's list has is
    called otherwise in the master. Which of several the new one is nobody knows.
    """
    common = [value for value in dict.fromkeys(ours) if value in theirs]
    moved = moves([value for value in dict.fromkeys(theirs) if value in common], common)
    values, others = (ours, theirs) if side is Side.MASTER else (theirs, ours)
    renamed = _renamed(values, others)
    is_certain = all(value in _renamed(theirs, ours) for value in theirs if value not in common)
    new = Mark.ADDED if side is Side.MASTER and is_certain else Mark.CHANGED
    unlike = {value: Mark.RENAMED if value in renamed else new for value in values if value not in common}
    return unlike | dict.fromkeys(moved, Mark.MOVED)


def _renamed(values: Sequence[str], others: Sequence[str]) -> dict[str, str]:
    """Returns the options that stand alone between the same two neighbours on both sides, with the other side's value.

    Where each side has one value only that the other does not have, these are the same option wherever they stand.
    """
    common = set(values) & set(others)
    only = [[value for value in side if value not in common] for side in (values, others)]
    if len(only[0]) == len(only[1]) == 1:
        return {only[0][0]: only[1][0]}
    here, there = _between(values, common), _between(others, common)
    alone = (place for place, between in here.items() if len(between) == len(there.get(place, ())) == 1)
    return {here[place][0]: there[place][0] for place in alone}


def _between(values: Sequence[str], common: Collection[str]) -> dict[tuple[str, str], list[str]]:
    """Returns the values that only one side has, by the two common values that they stand between; "" at an end."""
    by_neighbours: dict[tuple[str, str], list[str]] = {}
    before, waiting = "", list[str]()
    for value in (*values, ""):
        if value and value not in common:
            waiting.append(value)
            continue
        if waiting:
            by_neighbours[before, value] = waiting
        before, waiting = value, []
    return by_neighbours
