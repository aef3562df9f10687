"""Write pipelines: new ones with their stages in one request, then names, flags and order."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from accounts.kommo.errors import KommoError, Validation
from syncing.adapters import batches, endpoints
from syncing.adapters.answers import adopt, aligned, new_items
from syncing.adapters.api import Json
from syncing.adapters.batches import Entry
from syncing.adapters.bodies import pipeline_body, stage_body
from syncing.adapters.context import WriteContext, Written
from syncing.adapters.parsing import parse_pipeline
from syncing.adapters.repairs import (
    OPTIONAL_OF_PIPELINE,
    BodyPath,
    OptionalParts,
    halves_and_quarters,
    located_complaints,
)
from syncing.adapters.sorting import RefOrKey, in_order, sort_numbers
from syncing.engine.changes import Action, Change
from syncing.engine.name_pairing import pair_names, pair_rest
from syncing.engine.refs import Kind, Ref, pipeline_key, stage_key
from syncing.engine.resources.pipelines import Pipeline, display_order
from syncing.engine.resources.stages import LOST, WON, Stage

HIGHEST_SORT = 10_000  # docs/kommo.md 4.5
STATUSES = ("_embedded", "statuses")


def write(context: WriteContext) -> None:
    creates = context.changes(Kind.PIPELINE, Action.CREATE)
    updates = context.changes(Kind.PIPELINE, Action.UPDATE)
    sorts = _sorts(context, creates, updates)
    _Create(context, creates, sorts).write()
    for change in in_order([*updates, *context.renumbered(sorts, [change.ref for change in updates])], sorts):
        _update(context, change, sorts)


def _sorts(context: WriteContext, creates: Sequence[Change], updates: Sequence[Change]) -> dict[RefOrKey, int]:
    names = {key: ref for ref, key in context.plan.match.keys.items() if ref.kind is Kind.PIPELINE}
    ordered = sorted(context.existing.pipelines, key=display_order)
    current: list[tuple[RefOrKey, int]] = [
        (names.get(pipeline_key(pipeline.id), pipeline_key(pipeline.id)), pipeline.sort) for pipeline in ordered
    ]
    moving = [change.ref for change in updates if "position" in change.fields]
    placing = [change.ref for change in creates] + moving
    here = {token for token, _ in current} | set(placing)
    target = [ref for ref in context.plan.orders.get("pipelines", ()) if ref in here]
    wished = {Ref(Kind.PIPELINE, pipeline_key(pipeline.id)): pipeline.sort for pipeline in context.desired.pipelines}
    rewrite = context.rewrite_order and bool(moving)
    return sort_numbers(current, target, placing, wished, HIGHEST_SORT, rewrite=rewrite)


# -- create --


class _Create:
    """New pipelines with their stages. What Kommo refuses of a pipeline's stages costs only itself."""

    def __init__(self, context: WriteContext, changes: Sequence[Change], sorts: Mapping[RefOrKey, int]) -> None:
        self.context, self.changes, self.sorts = context, changes, sorts
        self.originals = {Ref(Kind.PIPELINE, pipeline_key(item.id)): item for item in context.desired.pipelines}
        self.stages = {change.ref: change for change in context.changes(Kind.STAGE, Action.CREATE)}
        self.dropped: set[Ref] = set()
        self.plain: set[Ref] = set()  # stages whose descriptions were refused
        self.colourless: set[Ref] = set()
        self.not_main: set[Ref] = set()  # pipelines that were refused as the main one
        self.unnamed: set[Ref] = set()  # pipelines whose names of system stages were refused
        self.later: set[Ref] = set()  # stages that are made when their pipeline is there

    def write(self) -> None:
        entries = [self._entry(change) for change in self.changes]
        batches.create(entries, self._send, self._find, self._done, self._failed, self.context.settle, self._repair)

    def _wanted_stages(self, pipeline: Ref) -> list[Ref]:
        original = self.originals[pipeline]
        refs = [Ref(Kind.STAGE, stage_key(original.id, stage.id)) for stage in _ordinary(original)]
        return [ref for ref in refs if ref in self.stages and ref not in self.dropped]

    def _new_stages(self, pipeline: Ref) -> list[Ref]:
        return [ref for ref in self._wanted_stages(pipeline) if ref not in self.later]

    def _entry(self, change: Change) -> Entry[Change]:
        stages = [
            stage_body(
                self.context.item(ref),
                10 * number,
                described=ref not in self.plain,
                coloured=ref not in self.colourless,
            )
            for number, ref in enumerate(self._new_stages(change.ref), start=1)
        ]
        names = [] if change.ref in self.unnamed else _system_names(self.context, self.originals[change.ref])
        bodies = names + stages
        body = pipeline_body(self.context.item(change.ref), self.sorts[change.ref], bodies)
        return Entry(change, {**body, "is_main": body["is_main"] and change.ref not in self.not_main})

    def _send(self, bodies: list[Json]) -> list[Json]:
        return aligned(self.context.api.post(endpoints.PIPELINES, bodies), "pipelines", bodies, parse_pipeline)

    def _find(self, chunk: Sequence[Entry[Change]]) -> dict[int, Json | None]:
        before = {pipeline_key(item.id) for item in self.context.existing.pipelines} | self.context.present_keys(
            Kind.PIPELINE
        )
        items = self.context.api.get_all(endpoints.PIPELINES, "pipelines", page_size=None)
        return adopt(chunk, new_items(items, before, lambda item: pipeline_key(item["id"]), parse_pipeline))

    def _done(self, answered: Sequence[tuple[Entry[Change], Json]]) -> None:
        rows: list[Written] = []
        for entry, item in answered:
            ref = entry.subject.ref
            sent = self._new_stages(ref)
            keys = _keys(self.originals[ref], item, sent)
            own = {other: key for other, key in keys.items() if other not in sent}
            rows.append(self.context.succeeded(entry.subject, own))
            for stage in sent:
                rows.append(self.context.succeeded(self.stages[stage], {stage: keys[stage]} if stage in keys else {}))
        self.context.report(rows)

    def _repair(self, failing: Entry[Change], error: Validation) -> Entry[Change] | None:
        """The pipeline without what was refused in it; where nothing says what, without what can follow."""
        ref = failing.subject.ref
        stages = self._new_stages(ref)
        found = located_complaints(failing.body, error)
        if not found:
            return self._guess(failing) if self.context.may_guess else None
        if not all(self._leave_out(ref, stages, at, error, failing.body) for at, _ in found):
            return None
        return self._changed(failing)

    def _guess(self, failing: Entry[Change]) -> Entry[Change] | None:
        """Bare: without colours, descriptions and being the main one; then without names of system stages, too; then
        with half of the stages, whole, and a quarter, bare. Stages that are left out are made in the next round."""
        ref = failing.subject.ref
        stages = self._wanted_stages(ref)
        guesses: list[tuple[Sequence[Ref], bool, bool]] = [(stages, True, False), (stages, True, True)]
        guesses += [(some, at >= 2, at >= 2) for at, some in enumerate(halves_and_quarters(stages))]
        for number, (some, bare, unnamed) in enumerate(guesses[failing.guesses :], start=failing.guesses + 1):
            self.later = self.later.union(stages).difference(some)
            _mark(self.plain, stages, bare)
            _mark(self.colourless, stages, bare)
            _mark(self.not_main, [ref], bare)
            _mark(self.unnamed, [ref], unnamed)
            if repaired := self._changed(failing):
                return replace(repaired, guesses=number)
        return None

    def _changed(self, failing: Entry[Change]) -> Entry[Change] | None:
        body = self._entry(failing.subject).body
        return replace(failing, body=body) if body != failing.body else None

    def _leave_out(self, ref: Ref, stages: Sequence[Ref], at: BodyPath, error: Validation, body: Json) -> bool:
        """Whether the pipeline can do without what is at this place of its body."""
        if at == ("is_main",):
            self.not_main.add(ref)
            return True
        if at[:2] != STATUSES or len(at) < 3:
            return False
        index = int(at[2]) - (len(body["_embedded"]["statuses"]) - len(stages))  # the names of system stages come first
        if index < 0:
            self.unnamed.add(ref)
        elif at[3:4] == ("descriptions",):
            self.plain.add(stages[index])
        elif at[3:4] == ("color",):
            self.colourless.add(stages[index])
        elif stages[index] not in self.dropped:
            self.dropped.add(stages[index])
            self.context.fail(self.stages[stages[index]], error)
        return True

    def _failed(self, failing: Entry[Change], error: KommoError) -> None:
        children = [self.stages[ref] for ref in self._wanted_stages(failing.subject.ref)]
        self.context.fail_entry(failing, error)
        self.context.skip(children, "Its pipeline was not made.")


def _mark(marked: set[Ref], refs: Sequence[Ref], is_marked: bool) -> None:
    (marked.update if is_marked else marked.difference_update)(refs)


def _ordinary(pipeline: Pipeline) -> list[Stage]:
    return [stage for stage in sorted(pipeline.stages, key=lambda s: (s.sort, s.id)) if not stage.is_system]


def _system_names(context: WriteContext, pipeline: Pipeline) -> list[Json]:
    """Won and lost can only be named at creation (docs/kommo.md 4.3); default names are left to the account."""
    named = []
    for stage in pipeline.stages:
        name = context.item(Ref(Kind.STAGE, stage_key(pipeline.id, stage.id))).attributes.get("name")
        if stage.id in (WON, LOST) and name:
            named.append({"id": stage.id, "name": name})
    return named


def _keys(original: Pipeline, item: Json, sent: Sequence[Ref]) -> dict[Ref, str]:
    """The new pipeline's key and those of its stages: system stages by nature, the others by name and order."""
    made = parse_pipeline(item)
    keys = {Ref(Kind.PIPELINE, pipeline_key(original.id)): pipeline_key(made.id)}
    system = {stage.natural_id: stage for stage in made.stages if stage.is_system}
    for stage in original.stages:
        twin = system.get(stage.natural_id) if stage.is_system else None
        if twin is not None:
            keys[Ref(Kind.STAGE, stage_key(original.id, stage.id))] = stage_key(made.id, twin.id)
    wanted = [stage for stage in _ordinary(original) if Ref(Kind.STAGE, stage_key(original.id, stage.id)) in sent]
    present = _ordinary(made)
    pairs = pair_names([stage.name for stage in wanted], [stage.name for stage in present])
    for at, other in pair_rest(pairs, len(wanted), len(present)).items():
        keys[Ref(Kind.STAGE, stage_key(original.id, wanted[at].id))] = stage_key(made.id, present[other].id)
    return keys  # stages that could not be told apart here are adopted at the re-reading


# -- update --


def _update(context: WriteContext, change: Change, sorts: Mapping[RefOrKey, int]) -> None:
    wanted = context.item(change.ref).attributes
    body: Json = {"name": wanted["name"]}
    if "is_unsorted_on" in change.fields:
        body["is_unsorted_on"] = wanted["is_unsorted_on"]
    if "is_main" in change.fields:
        body["is_main"] = True
    if change.ref in sorts:
        body["sort"] = sorts[change.ref]
    theirs = next(each for each in context.existing.pipelines if pipeline_key(each.id) == context.ids[change.ref])
    optional = OptionalParts(OPTIONAL_OF_PIPELINE, frozenset({"name"}), {"name": theirs.name, "sort": theirs.sort})
    context.patch_one(change, endpoints.pipeline(context.ids[change.ref]), body, optional)
