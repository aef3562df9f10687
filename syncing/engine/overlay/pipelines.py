"""Pipelines and stages of a slave, laid over the master's."""

from collections.abc import Iterable
from dataclasses import replace

from syncing.engine.overlay.result import PREDEFINED, UNKNOWN, OverlayResult
from syncing.engine.refs import Kind, Ref, pipeline_key, stage_key
from syncing.engine.resources.custom_fields import StageId
from syncing.engine.resources.pipelines import Pipeline
from syncing.engine.resources.stages import LOST, WON, Description, Stage
from syncing.engine.sequences import STEP
from syncing.engine.snapshot import Snapshot

ARCHIVED = "it is archived; the API cannot make such a one."


class PipelineOverlay:
    """What is new gets a negative id: no account has such a one, so it is never taken for an item of the master's."""

    def __init__(self, book: OverlayResult, source: Snapshot, master: Snapshot) -> None:
        self.book = book
        self.ours = {pipeline.id: pipeline for pipeline in master.pipelines}
        self.parents = {stage_key(pipeline.id, stage.id): pipeline for pipeline, stage in source.stages()}

    # -- pipelines --

    def bring(self, item: Pipeline, attributes: Iterable[str]) -> str:
        """`attributes` of a pipeline that the master has, or a new one with all its stages; why not, or ""."""
        if item.is_archive:
            return ARCHIVED
        key = self.book.found.keys.get(Ref(Kind.PIPELINE, pipeline_key(item.id)))
        if key is None:
            self._add(item)
            return ""
        for name in attributes:
            if name not in ("name", "is_unsorted_on", "is_main"):
                return UNKNOWN
            self._change(int(key), item, name)
        self.book.is_changed(Ref(Kind.PIPELINE, key), attributes)
        return ""

    def _change(self, number: int, item: Pipeline, name: str) -> None:
        if name == "is_main":
            if not item.is_main:
                return  # another one has to become the main one
            self.ours = {each: replace(other, is_main=False) for each, other in self.ours.items()}
        self.ours[number] = replace(self.ours[number], **{name: getattr(item, name)})

    def _add(self, item: Pipeline) -> None:
        """As the last one; the main pipeline of the master stays the main one."""
        if -item.id in self.ours:
            return
        sort = max((other.sort for other in self.ours.values()), default=0) + STEP
        stages = tuple(replace(stage, id=_new_id(stage)) for stage in item.stages)
        made = replace(item, id=-item.id, sort=sort, is_main=False, stages=stages)
        self.ours[made.id] = made
        self.book.is_new(Ref(Kind.PIPELINE, pipeline_key(made.id)), pipeline_key(item.id))
        for stage, own in zip(made.stages, item.stages, strict=True):
            self.book.is_new(Ref(Kind.STAGE, stage_key(made.id, stage.id)), stage_key(item.id, own.id))

    # -- stages --

    def bring_stage(self, item: Stage, own: Ref, attributes: Iterable[str]) -> str:
        """`attributes` of a stage that the master has, or a new one; in a pipeline it lacks, the whole pipeline."""
        parent = self.parents[own.key]
        home = self.book.found.keys.get(Ref(Kind.PIPELINE, pipeline_key(parent.id)))
        if home is None:
            return self.bring(parent, ())
        if item.is_system:
            return PREDEFINED
        if not set(attributes) <= {"name", "color", "descriptions"}:
            return UNKNOWN
        key = self.book.found.keys.get(own)
        if key is None:
            self._add_stage(int(home), item, own)
            return ""
        pipeline = self.ours[int(home)]
        stages = tuple(
            _changed(stage, item, attributes) if stage_key(pipeline.id, stage.id) == key else stage
            for stage in pipeline.stages
        )
        self.ours[pipeline.id] = replace(pipeline, stages=stages)
        self.book.is_changed(Ref(Kind.STAGE, key), attributes)
        return ""

    def _add_stage(self, home: int, item: Stage, own: Ref) -> None:
        pipeline = self.ours[home]
        sort = max((stage.sort for stage in pipeline.stages if not stage.is_system), default=0) + STEP
        made = replace(item, id=-item.id, sort=sort)
        self.ours[home] = replace(pipeline, stages=(*pipeline.stages, made))
        self.book.is_new(Ref(Kind.STAGE, stage_key(home, made.id)), own.key)

    def stage_of(self, status: StageId) -> StageId | None:
        """The slave's stage as it is called here; None: the master has it neither now nor after the promotion."""
        own = stage_key(*status)
        key = self.book.found.keys.get(Ref(Kind.STAGE, own))
        if key is None:
            new = (ref.key for ref, other in self.book.origins.items() if ref.kind is Kind.STAGE and other == own)
            key = next(new, None)
        if key is None:
            return None
        pipeline, _, stage = key.partition("/")
        return int(pipeline), int(stage)


def _new_id(stage: Stage) -> int:
    """Won and lost have the same ids everywhere."""
    return stage.id if stage.id in (WON, LOST) else -stage.id


def _changed(ours: Stage, theirs: Stage, attributes: Iterable[str]) -> Stage:
    for name in attributes:
        if name == "descriptions":
            levels: dict[str, Description] = {text.level: text for text in ours.descriptions or ()}
            levels |= {text.level: replace(text, id=None) for text in theirs.descriptions or ()}
            ours = replace(ours, descriptions=tuple(levels.values()))
        else:
            ours = replace(ours, **{name: getattr(theirs, name)})
    return ours
