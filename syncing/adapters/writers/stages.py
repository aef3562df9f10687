"""Write the stages of pipelines that exist: names and colours, then new ones, then the order."""

from collections.abc import Mapping, Sequence
from functools import partial

from syncing.adapters import batches, endpoints
from syncing.adapters.answers import adopt, aligned, new_items
from syncing.adapters.api import Json
from syncing.adapters.batches import Entry
from syncing.adapters.bodies import stage_body
from syncing.adapters.context import WriteContext
from syncing.adapters.parsing import parse_stage
from syncing.adapters.repairs import OPTIONAL_OF_STAGE, OptionalParts
from syncing.adapters.sorting import RefOrKey, in_order, sort_numbers
from syncing.engine.changes import Action, Change
from syncing.engine.refs import Kind, Ref, local_id, pipeline_key, stage_key
from syncing.engine.resources.pipelines import Pipeline
from syncing.engine.resources.stages import INCOMING_TYPE
from syncing.engine.sequences import STEP

HIGHEST_SORT = 9_999  # won stands at 10000, docs/kommo.md 4.5


def write(context: WriteContext) -> None:
    theirs = {pipeline_key(pipeline.id): pipeline for pipeline in context.existing.pipelines}
    names = {key: ref for ref, key in context.plan.match.keys.items() if ref.kind is Kind.STAGE}
    for ref, key in context.plan.match.keys.items():
        if ref.kind is Kind.PIPELINE and key in theirs:
            _Stages(context, ref, theirs[key], names).write()


class _Stages:
    """The stages of one pipeline. `row` is their order with sort numbers, kept up to date as answers come in.

    Kommo renumbers all stages at every write (docs/kommo.md 4.5). Where an answer shows something else than we
    reckon, the rest of the moves is left to the next round, after a re-reading.
    """

    def __init__(self, context: WriteContext, parent: Ref, pipeline: Pipeline, names: Mapping[str, Ref]) -> None:
        self.context, self.parent, self.pipeline = context, parent, pipeline
        self.stages = {stage_key(pipeline.id, stage.id): stage for stage in pipeline.stages}
        ordinary = sorted((s for s in pipeline.stages if not s.is_system), key=lambda s: (s.sort, s.id))
        keys = [stage_key(pipeline.id, stage.id) for stage in ordinary]
        self.row: list[tuple[RefOrKey, int]] = [
            (names.get(key, key), stage.sort) for key, stage in zip(keys, ordinary, strict=True)
        ]
        incoming = any(stage.type == INCOMING_TYPE for stage in pipeline.stages)
        self.first_number = STEP * (2 if incoming else 1)
        self.known = True

    def write(self) -> None:
        creates = self._mine(Action.CREATE)
        updates = self._mine(Action.UPDATE)
        moving = [change for change in updates if "position" in change.fields]
        numbers = dict(self.row)
        for change in updates:
            if change not in moving:
                self._patch(change, numbers[change.ref])
        self._create(creates, {change.ref for change in moving})
        self._move(moving)

    def _mine(self, action: Action) -> list[Change]:
        prefix = self.parent.key + "/"
        return [change for change in self.context.changes(Kind.STAGE, action) if change.ref.key.startswith(prefix)]

    def _target(self, but: set[Ref]) -> list[Ref]:
        """The master's order of the stages that are here (or are being made), without `but`."""
        here = {token for token, _ in self.row}
        order = self.context.plan.orders.get(f"stages of {self.parent.key}", ())
        return [ref for ref in order if ref in here and ref not in but]

    def _patch(self, change: Change, sort: int) -> int | None:
        key = self.context.ids[change.ref]
        theirs = self.stages.get(key)
        body = stage_body(self.context.item(change.ref), sort, theirs)
        present = {"name": theirs.name, "sort": theirs.sort, "color": theirs.color} if theirs and theirs.name else {}
        optional = OptionalParts(OPTIONAL_OF_STAGE, frozenset({"name", "sort"}), present)
        path = endpoints.status(self.pipeline.id, local_id(key))
        answer = self.context.patch_one(change, path, body, optional, partial(self._still_to_say, change, sort))
        return answer.get("sort")

    def _still_to_say(self, change: Change, sort: int) -> Json | None:
        """After a lost answer: the body under the ids of the descriptions that are there now; None if all is there."""
        key = self.context.ids[change.ref]
        pipeline = next(
            (each for each in self.context.reader.pipelines() if each.id == self.pipeline.id), self.pipeline
        )
        described = self.context.reader.with_descriptions((pipeline,), {pipeline.id})[0]
        theirs = {stage_key(pipeline.id, stage.id): stage for stage in described.stages}.get(key)
        if theirs is None:
            return None  # the re-reading tells
        self.stages[key] = theirs
        body = stage_body(self.context.item(change.ref), sort, theirs)
        same = (body["name"], body.get("color")) == (theirs.name, theirs.color) and "descriptions" not in body
        return None if same else body

    # -- create --

    def _create(self, changes: Sequence[Change], moving: set[Ref]) -> None:
        if not changes:
            return
        new = [change.ref for change in changes]
        before = list(self.row)
        order = self.context.plan.orders.get(f"stages of {self.parent.key}", ())
        here = {token for token, _ in before} | set(new)
        target = [ref for ref in order if ref in here and ref not in moving]
        sorts = sort_numbers(before, target, new, {}, HIGHEST_SORT)
        entries = [Entry(change, stage_body(self.context.item(change.ref), sorts[change.ref])) for change in changes]
        batches.create(
            entries, self._send, self._find, self._done, self.context.fail_entry, self.context.settle,
            self.context.creation_repair(OPTIONAL_OF_STAGE),
        )  # fmt: skip

    def _send(self, bodies: list[Json]) -> list[Json]:
        answer = self.context.api.post(endpoints.statuses(self.pipeline.id), bodies)
        return aligned(answer, "statuses", bodies, parse_stage)

    def _find(self, chunk: Sequence[Entry[Change]]) -> dict[int, Json | None]:
        items = self.context.api.get_all(endpoints.statuses(self.pipeline.id), "statuses", page_size=None)
        before = set(self.stages) | self.context.present_keys(Kind.STAGE, f"{self.pipeline.id}/")
        return adopt(chunk, new_items(items, before, lambda s: stage_key(self.pipeline.id, s["id"]), parse_stage))

    def _done(self, answered: Sequence[tuple[Entry[Change], Json]]) -> None:
        rows, asked, got = [], {}, {}
        for entry, item in answered:
            stage = parse_stage(item)
            ref = entry.subject.ref
            rows.append(self.context.succeeded(entry.subject, {ref: stage_key(self.pipeline.id, stage.id)}))
            asked[ref], got[ref] = entry.body["sort"], stage.sort
        self.context.report(rows)
        self._placed(asked, got)

    # -- order --

    def _move(self, changes: Sequence[Change]) -> None:
        """One PATCH each, in the master's order: behind the one it follows."""
        rank = {ref: position for position, ref in enumerate(self._target(set()))}
        waiting = sorted(changes, key=lambda change: rank[change.ref])
        if self.context.rewrite_order and waiting:
            self._rewrite(waiting)
            return
        while waiting and self.known:
            change = waiting.pop(0)
            target = self._target({other.ref for other in waiting})
            sort = sort_numbers(self.row, target, [change.ref], {}, HIGHEST_SORT)[change.ref]
            self._placed({change.ref: sort}, {change.ref: self._patch(change, sort)})

    def _rewrite(self, changes: Sequence[Change]) -> None:
        """The last resort: every stage behind all others, one after the other."""
        target = self._target(set())
        sorts = sort_numbers(self.row, target, target, {}, HIGHEST_SORT, rewrite=True)
        for change in in_order([*changes, *self.context.renumbered(sorts, [c.ref for c in changes])], sorts):
            self._patch(change, sorts[change.ref])

    def _placed(self, asked: Mapping[Ref, int], got: Mapping[Ref, int | None]) -> None:
        """Reckon where everything stands now; compare with what the answer says."""
        row = sorted([(t, n) for t, n in self.row if t not in asked] + list(asked.items()), key=lambda pair: pair[1])
        if any(got[ref] != number for ref, number in asked.items()):
            row = [(token, self.first_number + STEP * place) for place, (token, _) in enumerate(row)]
        self.row = row
        numbers = dict(row)
        self.known = self.known and all(numbers[ref] == got[ref] for ref in asked)
