"""A plan as a drawing: each funnel and each field that it changes, as it is and as it will be; values for templates."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from syncing.engine.changes import Action
from syncing.engine.choice import Named, named, refs_by_name
from syncing.engine.refs import Kind, Ref, pipeline_key, stage_key
from syncing.engine.resources.pipelines import display_order
from syncing.engine.snapshot import Snapshot
from syncing.presentation.drawing import Chip, Drawing, DrawnEdit, DrawnField, DrawnGroup, DrawnPipeline, Mark, Side
from syncing.presentation.painting import draw
from syncing.presentation.stage_matrix import BETWEEN, StageMatrix, StageNames, matrices

Row = Mapping[str, Any]
# What an item that is deleted lies in; a group is named by the account itself.
PARENT_KINDS = {Kind.STAGE: Kind.PIPELINE, Kind.ENUM: Kind.CUSTOM_FIELD}
# What the pictures themselves show, so that no line beside them has to say it.
DRAWN = frozenset({"name", "color", "enums", "required_statuses", "hidden_statuses", "group"})


@dataclass(frozen=True)
class PipelinePair:
    """A funnel before and after the run; None: it is not there."""

    before: DrawnPipeline | None
    after: DrawnPipeline | None

    @property
    def shown(self) -> DrawnPipeline:
        """Returns the side that its title is taken of."""
        side = self.after or self.before
        assert side is not None
        return side

    @property
    def details(self) -> list[DrawnEdit]:
        edits = (edit for edit in self.shown.edits if edit.attribute and edit.attribute not in DRAWN)
        return [edit for edit in edits if edit.attribute != "position" or edit.kind == Kind.PIPELINE]


@dataclass(frozen=True)
class FieldPair:
    """A field before and after the run; None: it is not there. `moved_from`: the group that it leaves."""

    before: DrawnField | None
    after: DrawnField | None
    moved_from: str = ""

    @property
    def shown(self) -> DrawnField:
        side = self.after or self.before
        assert side is not None
        return side

    @property
    def draws_options(self) -> bool:
        """Tells whether its options differ, or come with it, or go with it."""
        sides = [side for side in (self.before, self.after) if side is not None]
        return len(sides) == 1 or any(option.mark for side in sides for option in side.options)

    @property
    def details(self) -> list[DrawnEdit]:
        edits = (edit for edit in self.shown.title.edits if edit.attribute and edit.attribute not in DRAWN)
        return [edit for edit in edits if edit.theirs != edit.ours]  # a place counts what moves beside it, too


@dataclass(frozen=True)
class GroupOfPairs:
    """A group of fields, with those of its fields that change; `same`: how many of them stay as they are."""

    title: Chip
    entity: str
    fields: tuple[FieldPair, ...]
    same: int


@dataclass(frozen=True)
class DrawnPlan:
    """`undrawn`: the changes that no picture shows, as nobody can tell where they belong."""

    pipelines: tuple[PipelinePair, ...]
    groups: tuple[GroupOfPairs, ...]
    matrices: tuple[StageMatrix, ...]
    undrawn: tuple[Row, ...]
    same_pipelines: tuple[DrawnPipeline, ...] = ()
    same_groups: tuple[DrawnGroup, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.pipelines or self.groups or self.matrices)


def draw_plan(changes: Sequence[Row], master: Snapshot | None) -> DrawnPlan:
    """Draws the changes of a document; without the master as it was read nothing is drawn.

    What an account has for itself and keeps is in neither picture, nor what it is not to be given.
    """
    if master is None:
        return DrawnPlan((), (), (), tuple(changes))
    refs = refs_by_name(master)
    placed = [row for row in changes if row["action"] == Action.DELETE or len(refs[named(row)]) == 1]
    edits = list(_edits(placed, refs))
    before, after = draw(master, edits, Side.ACCOUNT), draw(master, edits, Side.MASTER)
    drawn = [*before.pipelines, *after.pipelines], [*before.groups, *after.groups]
    drawn_rows = {id(edit.row) for pipeline in drawn[0] for edit in pipeline.edits}
    drawn_rows |= {id(edit.row) for group in drawn[1] for edit in group.edits}
    pipelines, groups = tuple(_pipelines(before, after)), tuple(_groups(before, after))
    changing = {id(pair.after) for pair in pipelines} | {id(group.title) for group in groups}
    return DrawnPlan(
        pipelines=pipelines,
        groups=groups,
        matrices=tuple(matrices(placed, _stage_names(master, edits))),
        undrawn=tuple(row for row in changes if id(row) not in drawn_rows),
        same_pipelines=tuple(each for each in after.pipelines if id(each) not in changing),
        same_groups=tuple(each for each in after.groups if id(each.title) not in changing and each.fields),
    )


def _edits(rows: Iterable[Row], refs: Mapping[Named, Sequence[Ref]]) -> Iterator[DrawnEdit]:
    """Yields the edits that the rows are, with the keys of the master's items.

    What is deleted stands where its account has it, which may call the funnel or the field otherwise until then.
    """
    rows = list(rows)
    today = {
        (str(row["kind"]), row["fields"]["name"][0]): row["name"] for row in rows if "name" in (row.get("fields") or {})
    }
    for row in rows:
        for edit in DrawnEdit.of_change(row):
            if row["action"] != Action.DELETE:
                yield replace(edit, key=refs[named(row)][0].key)
            else:
                place = (str(PARENT_KINDS.get(Kind(edit.kind), "")), edit.parent)
                yield replace(edit, parent=today.get(place, edit.parent))


def _stage_names(master: Snapshot, edits: Sequence[DrawnEdit]) -> StageNames:
    """Returns the stages as the master labels them, and as the account does: some are renamed by the plan."""
    old = {(edit.kind, edit.key): str(edit.theirs) for edit in edits if edit.attribute == "name"}
    names, here = {}, {}
    for pipeline in sorted(master.pipelines, key=display_order):
        for stage in sorted(pipeline.stages, key=lambda stage: (stage.sort, stage.id)):
            place = pipeline.name, stage.name
            names[BETWEEN.join(place)] = place
            its_pipeline = old.get((Kind.PIPELINE, pipeline_key(pipeline.id)), pipeline.name)
            its_stage = old.get((Kind.STAGE, stage_key(pipeline.id, stage.id)), stage.name)
            here[BETWEEN.join((its_pipeline, its_stage))] = place
    return StageNames(names, here)


def _pipelines(before: Drawing, after: Drawing) -> Iterator[PipelinePair]:
    """Yields the funnels that change, in the order in which they will stand; what goes comes last."""
    sides = {each.title.key: each for each in before.pipelines}
    for each in after.pipelines:
        other = sides[each.title.key]
        if each.edits or other.edits:
            stages = tuple(stage for stage in other.stages if stage.mark is not Mark.MISSING)
            yield PipelinePair(None if each.title.mark is Mark.ADDED else replace(other, stages=stages), each)
    for each in before.pipelines:
        if each.title.mark is Mark.REMOVED:
            yield PipelinePair(replace(each, stages=tuple(_gone(each.title, "stages", Kind.STAGE))), None)


def _gone(title: Chip, attribute: str, kind: Kind) -> Iterator[Chip]:
    """Yields what goes with an item that is deleted, as its row says."""
    for edit in title.edits:
        names, _none = (edit.row.get("fields") or {}).get(attribute, ((), None))
        yield from (Chip(kind, "", name, title.name, mark=Mark.REMOVED) for name in names)


def _groups(before: Drawing, after: Drawing) -> Iterator[GroupOfPairs]:
    """Yields the groups that change, or in which a field does."""
    fields = {each.title.key: each for group in before.groups for each in group.fields if each.title.key}
    going: dict[tuple[str, str], list[DrawnField]] = defaultdict(list)
    for group in before.groups:
        going[group.entity, group.title.name].extend(each for each in group.fields if each.title.mark is Mark.REMOVED)
    for group in after.groups:
        pairs = [_pair(each, fields.get(each.title.key)) for each in group.fields]
        # A group that is renamed stands under its old name in what is before.
        gone = chain.from_iterable(
            going.pop((group.entity, name), ()) for name in {group.title.name, group.title.old_name}
        )
        changed = [each for each in pairs if each.shown.edits or (each.before and each.before.edits)]
        lost = [FieldPair(_with_its_options(each), None) for each in gone]
        if changed or lost or group.title.edits:
            yield GroupOfPairs(group.title, group.entity, (*changed, *lost), len(pairs) - len(changed))
    for group in before.groups:
        lost = [FieldPair(_with_its_options(each), None) for each in going.pop((group.entity, group.title.name), [])]
        if lost or group.title.mark is Mark.REMOVED:
            yield GroupOfPairs(group.title, group.entity, tuple(lost), 0)


def _pair(after: DrawnField, before: DrawnField | None) -> FieldPair:
    """Returns a field on both sides; `before` is what is drawn of one that is new, too, as it is missing there."""
    edit = next((each for each in after.title.edits if each.attribute == "group"), None)
    is_new = after.title.mark is Mark.ADDED
    return FieldPair(None if is_new else before, after, str(edit.theirs) if edit else "")


def _with_its_options(field: DrawnField) -> DrawnField:
    row = field.title.edits[0].row
    type_, _none = (row.get("fields") or {}).get("type", ("", None))
    return replace(field, type=type_, options=tuple(_gone(field.title, "enums", Kind.ENUM)))
