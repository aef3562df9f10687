"""Pipelines and stages of a slave, laid over the master's."""

from collections.abc import Iterable
from dataclasses import replace

from syncing.engine.overlay.result import PREDEFINED, UNKNOWN, OverlayResult
from syncing.engine.refs import Kind, Ref, pipeline_key, stage_key
from syncing.engine.resources.custom_fields import StageId
from syncing.engine.resources.pipelines import Pipeline
from syncing.engine.resources.stages import LOST, WON, Description, Stage
from syncing.engine.sentences import gettext_noop
from syncing.engine.sequences import STEP
from syncing.engine.snapshot import Snapshot

ARCHIVED = gettext_noop("it is archived; the API cannot create an archived pipeline.")


class PipelineOverlay:
    """The master's pipelines with those of the slave.

    A new one gets a negative id: no account has such a one, so it is never taken for an item of the master's.
    """

    def __init__(self, result: OverlayResult, source: Snapshot, master: Snapshot) -> None:
        self.result = result
        self.ours = {pipeline.id: pipeline for pipeline in master.pipelines}
        self.parents = {stage_key(pipeline.id, stage.id): pipeline for pipeline, stage in source.stages()}

    def bring(self, item: Pipeline, attributes: Iterable[str]) -> str:
        """Brings `attributes` of a pipeline that the master has, or a new one with stages; returns why not, or ""."""
        if item.is_archive:
            return ARCHIVED
        key = self.result.matched.keys.get(Ref(Kind.PIPELINE, pipeline_key(item.id)))
        if key is None:
            self._add(item)
            return ""
        number = int(key)
        for name in attributes:
            if name not in ("name", "is_unsorted_on", "is_main"):
                return UNKNOWN
            if name == "is_main" and item.is_main:
                self.ours = {each: replace(other, is_main=False) for each, other in self.ours.items()}
            if name != "is_main" or item.is_main:  # for another to become the main one, that one has to be picked
                self.ours[number] = replace(self.ours[number], **{name: getattr(item, name)})
        self.result.add_changed(Ref(Kind.PIPELINE, key), attributes)
        return ""

    def _add(self, item: Pipeline) -> None:
        """Adds it as the last one; the main pipeline of the master stays the main one."""
        if -item.id in self.ours:
            return
        sort = max((other.sort for other in self.ours.values()), default=0) + STEP
        # Won and lost have the same ids everywhere.
        stages = tuple(stage if stage.id in (WON, LOST) else replace(stage, id=-stage.id) for stage in item.stages)
        new = replace(item, id=-item.id, sort=sort, is_main=False, stages=stages)
        self.ours[new.id] = new
        self.result.add_new(Ref(Kind.PIPELINE, pipeline_key(new.id)), pipeline_key(item.id))
        for stage, own in zip(new.stages, item.stages, strict=True):
            self.result.add_new(Ref(Kind.STAGE, stage_key(new.id, stage.id)), stage_key(item.id, own.id))

    def bring_stage(self, item: Stage, own: Ref, attributes: Iterable[str]) -> str:
        """Brings `attributes` of a stage that the master has, or a new one; returns why not, or "".

        If the master lacks its pipeline, the whole pipeline comes.
        """
        parent = self.parents[own.key]
        parent_key = self.result.matched.keys.get(Ref(Kind.PIPELINE, pipeline_key(parent.id)))
        if parent_key is None:
            return self.bring(parent, ())
        if item.is_system:
            return PREDEFINED
        if not set(attributes) <= {"name", "color", "descriptions"}:
            return UNKNOWN
        pipeline = self.ours[int(parent_key)]
        key = self.result.matched.keys.get(own)
        if key is None:
            sort = max((stage.sort for stage in pipeline.stages if not stage.is_system), default=0) + STEP
            new = replace(item, id=-item.id, sort=sort)
            stages = (*pipeline.stages, new)
            self.result.add_new(Ref(Kind.STAGE, stage_key(pipeline.id, new.id)), own.key)
        else:
            stages = tuple(
                _with_attributes(stage, item, attributes) if stage_key(pipeline.id, stage.id) == key else stage
                for stage in pipeline.stages
            )
            self.result.add_changed(Ref(Kind.STAGE, key), attributes)
        self.ours[pipeline.id] = replace(pipeline, stages=stages)
        return ""

    def stage_of(self, status: StageId) -> StageId | None:
        """Returns the slave's stage under its id here; None: the master has it neither now nor after the promotion."""
        own = stage_key(*status)
        key = self.result.matched.keys.get(Ref(Kind.STAGE, own))
        if key is None:
            new = (ref.key for ref, other in self.result.origins.items() if ref.kind is Kind.STAGE and other == own)
            key = next(new, None)
        if key is None:
            return None
        pipeline, _, stage = key.partition("/")
        return int(pipeline), int(stage)


def _with_attributes(ours: Stage, theirs: Stage, attributes: Iterable[str]) -> Stage:
    for name in attributes:
        if name == "descriptions":
            levels: dict[str, Description] = {text.level: text for text in ours.descriptions or ()}
            levels |= {text.level: replace(text, id=None) for text in theirs.descriptions or ()}
            ours = replace(ours, descriptions=tuple(levels.values()))
        else:
            ours = replace(ours, **{name: getattr(theirs, name)})
    return ours
