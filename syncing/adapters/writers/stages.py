"""Write the stages of pipelines that exist: names and colours, then new ones, then the order."""

from collections.abc import Mapping, Sequence
from functools import partial

from syncing.adapters import batches, endpoints
from syncing.adapters.api import Json
from syncing.adapters.batch_writer import Answered, Entry
from syncing.adapters.bodies import stage_body
from syncing.adapters.context import WriteContext
from syncing.adapters.parsing import parse_stage
from syncing.adapters.repairs import OPTIONAL_OF_STAGE, OptionalParts
from syncing.adapters.sorting import RefOrKey, in_order, sort_numbers
from syncing.adapters.writers.list_writer import ListWriter
from syncing.adapters.writers.single_patch import patch_one
from syncing.engine.changes import Action, Change
from syncing.engine.refs import Kind, Ref, local_id, pipeline_key, stage_key
from syncing.engine.resources.pipelines import Pipeline
from syncing.engine.resources.stages import INCOMING_TYPE, Stage
from syncing.engine.sequences import STEP

HIGHEST_SORT = 9_999  # won stands at 10000, docs/kommo.md 4.5


def write(context: WriteContext) -> None:
    theirs = {pipeline_key(pipeline.id): pipeline for pipeline in context.existing.pipelines}
    for ref, key in context.plan.match.keys.items():
        if ref.kind is Kind.PIPELINE and key in theirs:
            _Stages(context, ref, theirs[key]).write()


class _Stages(ListWriter):
    """The stages of one pipeline. `row` is their order with sort numbers, kept up to date as answers come in.

    Kommo renumbers all stages at every write (docs/kommo.md 4.5). Where an answer shows something else than we
    reckon, the rest of the moves is left to the next round, after a re-reading.
    """

    kind, list_name, optional = Kind.STAGE, "statuses", OPTIONAL_OF_STAGE

    def __init__(self, context: WriteContext, parent: Ref, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.stages = {stage_key(pipeline.id, stage.id): stage for stage in pipeline.stages}
        super().__init__(context, endpoints.statuses(pipeline.id), self.stages, f"{pipeline.id}/")
        self.parent = f"{parent.key}/"
        self.order = context.plan.orders.get(f"stages of {parent.key}", ())
        refs = context.refs_by_key(self.kind)
        ordinary = sorted((s for s in pipeline.stages if not s.is_system), key=lambda s: (s.sort, s.id))
        keys = [stage_key(pipeline.id, stage.id) for stage in ordinary]
        self.row: list[tuple[RefOrKey, int]] = [
            (refs.get(key, key), stage.sort) for key, stage in zip(keys, ordinary, strict=True)
        ]
        incoming = any(stage.type == INCOMING_TYPE for stage in pipeline.stages)
        self.first_number = STEP * (2 if incoming else 1)
        self.known = True

    def write(self) -> None:
        creates = self.context.changes(self.kind, Action.CREATE, self.parent)
        updates = self.context.changes(self.kind, Action.UPDATE, self.parent)
        moving = [change for change in updates if "position" in change.fields]
        numbers = dict(self.row)
        for change in updates:
            if change not in moving:
                self._patch(change, numbers[change.ref])
        if creates:
            new = [change.ref for change in creates]
            target = self._target({change.ref for change in moving}, new)
            sorts = sort_numbers(self.row, target, new, {}, HIGHEST_SORT)
            bodies = [stage_body(self.context.item(ref), sorts[ref]) for ref in new]
            batches.create(list(map(Entry, creates, bodies)), self)
        self._move(moving)

    def _target(self, but: set[Ref], new: Sequence[Ref] = ()) -> list[Ref]:
        """Returns the master's order of the stages that are here and of `new` ones, without `but`."""
        here = {item for item, _ in self.row}.union(new)
        return [ref for ref in self.order if ref in here and ref not in but]

    def _patch(self, change: Change, sort: int) -> int | None:
        key = self.context.ids[change.ref]
        theirs = self.stages.get(key)
        body = stage_body(self.context.item(change.ref), sort, theirs)
        present = {"name": theirs.name, "sort": theirs.sort, "color": theirs.color} if theirs and theirs.name else {}
        optional = OptionalParts(OPTIONAL_OF_STAGE, frozenset({"name", "sort"}), present)
        path = endpoints.status(self.pipeline.id, local_id(key))
        answer = patch_one(self.context, change, path, body, optional, partial(self._still_to_send, change, sort))
        return answer.get("sort")

    def _still_to_send(self, change: Change, sort: int) -> Json | None:
        """Returns the body under the ids of the descriptions that are there now; None if a lost answer left it all."""
        key = self.context.ids[change.ref]
        reader = self.context.reader
        pipeline = next((each for each in reader.pipelines() if each.id == self.pipeline.id), self.pipeline)
        stages = reader.described(pipeline).stages
        theirs = {stage_key(pipeline.id, stage.id): stage for stage in stages}.get(key)
        if theirs is None:
            return None  # the re-reading tells
        self.stages[key] = theirs
        body = stage_body(self.context.item(change.ref), sort, theirs)
        same = (body["name"], body.get("color")) == (theirs.name, theirs.color) and "descriptions" not in body
        return None if same else body

    # -- create --

    def parse(self, item: Json) -> Stage:
        return parse_stage(item)

    def key_of(self, item: Json) -> str:
        return stage_key(self.pipeline.id, item["id"])

    def keys(self, entry: Entry[Change], answer: Json) -> dict[Ref, str]:
        return {entry.subject.ref: stage_key(self.pipeline.id, parse_stage(answer).id)}

    def done(self, answered: Sequence[Answered[Change]]) -> None:
        super().done(answered)
        asked = {entry.subject.ref: entry.body["sort"] for entry, _ in answered}
        self._placed(asked, {entry.subject.ref: parse_stage(answer).sort for entry, answer in answered})

    # -- order --

    def _move(self, changes: Sequence[Change]) -> None:
        """Sends one PATCH each, in the master's order: behind the one it follows.

        The last resort is every stage behind all others, one after the other.
        """
        order = self._target(set())
        if self.context.rewrite_order and changes:
            sorts = sort_numbers(self.row, order, order, {}, HIGHEST_SORT, rewrite=True)
            for change in in_order(self.context.with_renumbered(changes, sorts), sorts):
                self._patch(change, sorts[change.ref])
            return
        waiting = sorted(changes, key=lambda change: order.index(change.ref))
        while waiting and self.known:
            change = waiting.pop(0)
            target = self._target({other.ref for other in waiting})
            sort = sort_numbers(self.row, target, [change.ref], {}, HIGHEST_SORT)[change.ref]
            self._placed({change.ref: sort}, {change.ref: self._patch(change, sort)})

    def _placed(self, asked: Mapping[Ref, int], got: Mapping[Ref, int | None]) -> None:
        """Reckons where everything stands now; compares with what the answer says."""
        row = sorted([(t, n) for t, n in self.row if t not in asked] + list(asked.items()), key=lambda pair: pair[1])
        if any(got[ref] != number for ref, number in asked.items()):
            row = [(item, self.first_number + STEP * place) for place, (item, _) in enumerate(row)]
        self.row = row
        numbers = dict(row)
        self.known = self.known and all(numbers[ref] == got[ref] for ref in asked)
