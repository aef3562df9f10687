"""Write pipelines: new ones with their stages in one request, then names, flags and order."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from accounts.kommo.errors import KommoError, Validation
from syncing.adapters import batches, endpoints
from syncing.adapters.api import Json
from syncing.adapters.batch_writer import Answered, Entry
from syncing.adapters.bodies import pipeline_body, stage_body
from syncing.adapters.context import WriteContext
from syncing.adapters.outcomes import Outcome
from syncing.adapters.parsing import parse_pipeline
from syncing.adapters.repairs import (
    OPTIONAL_OF_PIPELINE,
    BodyPath,
    OptionalParts,
    halves_and_quarters,
    located_complaints,
)
from syncing.adapters.sorting import RefOrKey, in_order
from syncing.adapters.writers.list_writer import ListWriter
from syncing.adapters.writers.single_patch import patch_one
from syncing.engine.changes import Action, Change
from syncing.engine.name_pairing import pair_names, pair_rest
from syncing.engine.refs import Kind, Ref, pipeline_key, stage_key
from syncing.engine.resources.pipelines import Pipeline, display_order
from syncing.engine.resources.stages import LOST, WON, Stage
from syncing.engine.sentences import gettext_noop

HIGHEST_SORT = 10_000  # docs/kommo.md 4.5
STATUSES = ("_embedded", "statuses")


def write(context: WriteContext) -> None:
    creates = context.changes(Kind.PIPELINE, Action.CREATE)
    updates = context.changes(Kind.PIPELINE, Action.UPDATE)
    present = [(pipeline_key(each.id), each.sort) for each in sorted(context.existing.pipelines, key=display_order)]
    wished = {Ref(Kind.PIPELINE, pipeline_key(each.id)): each.sort for each in context.desired.pipelines}
    sorts = context.sorts(Kind.PIPELINE, "pipelines", present, wished, creates, updates, HIGHEST_SORT)
    writer = _NewPipelines(context, sorts)
    batches.create([Entry(change, writer.body(change.ref)) for change in creates], writer)
    for change in in_order(context.with_renumbered(updates, sorts), sorts):
        wanted, key = context.item(change.ref).attributes, context.ids[change.ref]
        body: Json = {"name": wanted["name"]}
        if "is_unsorted_on" in change.fields:
            body["is_unsorted_on"] = wanted["is_unsorted_on"]
        if "is_main" in change.fields:
            body["is_main"] = True
        if change.ref in sorts:
            body["sort"] = sorts[change.ref]
        theirs = next(each for each in context.existing.pipelines if pipeline_key(each.id) == key)
        optional = OptionalParts(OPTIONAL_OF_PIPELINE, frozenset({"name"}), {"name": theirs.name, "sort": theirs.sort})
        patch_one(context, change, endpoints.pipeline(key), body, optional)


class _NewPipelines(ListWriter):
    """New pipelines with their stages. What Kommo refuses of a pipeline's stages costs only itself."""

    kind, list_name = Kind.PIPELINE, "pipelines"

    def __init__(self, context: WriteContext, sorts: Mapping[RefOrKey, int]) -> None:
        existing = {pipeline_key(item.id) for item in context.existing.pipelines}
        super().__init__(context, endpoints.PIPELINES, existing)
        self.sorts = sorts
        self.originals = {Ref(Kind.PIPELINE, pipeline_key(item.id)): item for item in context.desired.pipelines}
        self.stages = {change.ref: change for change in context.changes(Kind.STAGE, Action.CREATE)}
        self.dropped: set[Ref] = set()
        self.plain: set[Ref] = set()  # stages whose descriptions were refused
        self.colourless: set[Ref] = set()
        self.not_main: set[Ref] = set()  # pipelines that were refused as the main one
        self.unnamed: set[Ref] = set()  # pipelines whose names of system stages were refused
        self.later: set[Ref] = set()  # stages that are made when their pipeline is there

    def _wanted_stages(self, pipeline: Ref) -> list[Ref]:
        original = self.originals[pipeline]
        refs = [Ref(Kind.STAGE, stage_key(original.id, stage.id)) for stage in _ordinary(original)]
        return [ref for ref in refs if ref in self.stages and ref not in self.dropped]

    def _new_stages(self, pipeline: Ref) -> list[Ref]:
        return [ref for ref in self._wanted_stages(pipeline) if ref not in self.later]

    def body(self, pipeline: Ref) -> Json:
        """Returns the body of a new pipeline, without what was refused of it so far.

        Won and lost can only be named at creation (docs/kommo.md 4.3); default names are left to the account.
        """
        original = self.originals[pipeline]
        stages: list[Json] = []
        for stage in original.stages if pipeline not in self.unnamed else ():
            name = self.context.item(Ref(Kind.STAGE, stage_key(original.id, stage.id))).attributes.get("name")
            if stage.id in (WON, LOST) and name:
                stages.append({"id": stage.id, "name": name})
        for number, ref in enumerate(self._new_stages(pipeline), start=1):
            described, coloured = ref not in self.plain, ref not in self.colourless
            stages.append(stage_body(self.context.item(ref), 10 * number, described=described, coloured=coloured))
        body = pipeline_body(self.context.item(pipeline), self.sorts[pipeline], stages)
        return {**body, "is_main": body["is_main"] and pipeline not in self.not_main}

    def parse(self, item: Json) -> Pipeline:
        return parse_pipeline(item)

    def key_of(self, item: Json) -> str:
        return pipeline_key(item["id"])

    def keys(self, entry: Entry[Change], answer: Json) -> dict[Ref, str]:
        """Returns the new pipeline's key and those of its stages: system ones by nature, others by name and order."""
        original, created = self.originals[entry.subject.ref], parse_pipeline(answer)
        keys = {entry.subject.ref: pipeline_key(created.id)}
        system = {stage.natural_id: stage for stage in created.stages if stage.is_system}
        for stage in original.stages:
            twin = system.get(stage.natural_id) if stage.is_system else None
            if twin is not None:
                keys[Ref(Kind.STAGE, stage_key(original.id, stage.id))] = stage_key(created.id, twin.id)
        sent = self._new_stages(entry.subject.ref)
        wanted = [stage for stage in _ordinary(original) if Ref(Kind.STAGE, stage_key(original.id, stage.id)) in sent]
        present = _ordinary(created)
        pairs = pair_names([stage.name for stage in wanted], [stage.name for stage in present])
        for at, other in pair_rest(pairs, len(wanted), len(present)).items():
            keys[Ref(Kind.STAGE, stage_key(original.id, wanted[at].id))] = stage_key(created.id, present[other].id)
        return keys  # stages that could not be told apart here are adopted at the re-reading

    def done(self, answered: Sequence[Answered[Change]]) -> None:
        outcomes: list[Outcome] = []
        for entry, answer in answered:
            sent = self._new_stages(entry.subject.ref)
            keys = self.keys(entry, answer)
            own = {ref: key for ref, key in keys.items() if ref not in sent}
            outcomes.append(self.context.succeeded(entry.subject, own))
            for ref in sent:
                outcomes.append(self.context.succeeded(self.stages[ref], {ref: keys[ref]} if ref in keys else {}))
        self.context.report(outcomes)

    def failed(self, entry: Entry[Change], error: KommoError) -> None:
        children = [self.stages[ref] for ref in self._wanted_stages(entry.subject.ref)]
        super().failed(entry, error)
        self.context.skip(children, gettext_noop("Its pipeline was not created."))

    # -- what was refused --

    def repair(self, entry: Entry[Change], error: Validation) -> Entry[Change] | None:
        """Returns the pipeline without what was refused in it; where nothing says what, without what can follow."""
        located = located_complaints(entry.body, error)
        if not located:
            return self._guess(entry) if self.context.may_guess else None
        stages = self._new_stages(entry.subject.ref)
        if not all(self._leave_out(entry, stages, at, error) for at, _ in located):
            return None
        return self._changed(entry)

    def _guess(self, entry: Entry[Change]) -> Entry[Change] | None:
        """Tries it without colours, descriptions and being the main one; then without names of system stages, too.

        Then with half of the stages, whole, and a quarter, bare. Stages that are left out are made in the next round.
        """
        ref = entry.subject.ref
        stages = self._wanted_stages(ref)
        guesses: list[tuple[Sequence[Ref], bool, bool]] = [(stages, True, False), (stages, True, True)]
        guesses += [(some, at >= 2, at >= 2) for at, some in enumerate(halves_and_quarters(stages))]
        for number, (some, bare, unnamed) in enumerate(guesses[entry.guesses :], start=entry.guesses + 1):
            self.later = self.later.union(stages).difference(some)
            _mark(self.plain, stages, bare)
            _mark(self.colourless, stages, bare)
            _mark(self.not_main, [ref], bare)
            _mark(self.unnamed, [ref], unnamed)
            if repaired := self._changed(entry):
                return replace(repaired, guesses=number)
        return None

    def _changed(self, entry: Entry[Change]) -> Entry[Change] | None:
        body = self.body(entry.subject.ref)
        return replace(entry, body=body) if body != entry.body else None

    def _leave_out(self, entry: Entry[Change], stages: Sequence[Ref], at: BodyPath, error: Validation) -> bool:
        """Leaves out what is at this place of the body; False if the pipeline cannot do without it."""
        ref = entry.subject.ref
        if at == ("is_main",):
            self.not_main.add(ref)
            return True
        if at[:2] != STATUSES or len(at) < 3:
            return False
        names = len(entry.body["_embedded"]["statuses"]) - len(stages)  # of system stages; they come first
        index = int(at[2]) - names
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


def _mark(marked: set[Ref], refs: Sequence[Ref], is_marked: bool) -> None:
    (marked.update if is_marked else marked.difference_update)(refs)


def _ordinary(pipeline: Pipeline) -> list[Stage]:
    return [stage for stage in sorted(pipeline.stages, key=lambda s: (s.sort, s.id)) if not stage.is_system]
