"""Read an account: Kommo's JSON to engine values; what is incomplete raises, it never looks like "nothing there".

One item of an odd shape is held back, and the rest goes on; the account's lists themselves have to be whole.
"""

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from accounts.kommo.errors import BadAnswer
from syncing.adapters import endpoints
from syncing.adapters.api import Api, Json
from syncing.adapters.held_items import held_field, held_group, held_pipeline, held_stage
from syncing.adapters.parsing import (
    MALFORMED,
    is_unsorted_on,
    ordinary_groups,
    parse_descriptions,
    parse_field,
    parse_group,
    parse_pipeline,
    parse_stage,
    raw_stages,
)
from syncing.adapters.shapes import OddShape, fields_of, number
from syncing.engine.held_items import HeldItem
from syncing.engine.refs import Kind
from syncing.engine.resources.custom_fields import ENTITIES, CustomField
from syncing.engine.resources.field_groups import FieldGroup
from syncing.engine.resources.pipelines import Pipeline
from syncing.engine.resources.stages import Description
from syncing.engine.sentences import gettext_noop
from syncing.engine.snapshot import Snapshot

T = TypeVar("T")

ODD_ITEMS = 4  # so many, and more than half of a list, are no odd items but a list that nobody can read


class EveryPipeline:
    """Contains every pipeline: the master's descriptions are read for all."""

    def __contains__(self, item: object) -> bool:
        return True


ALL_PIPELINES: Container[int] = EveryPipeline()
NO_PIPELINES: Container[int] = ()


class Reader:
    """Reads one account through `client`; every method raises KommoError.

    `held`: what could not be read of the lists that were, each as it was read last.
    """

    def __init__(self, client: Api) -> None:
        self.client = client
        self._held: dict[tuple[Kind, str], list[HeldItem]] = {}  # by kind and entity, or pipeline

    @property
    def held(self) -> tuple[HeldItem, ...]:
        in_order = (self._held[key] for key in sorted(self._held))  # not as they were read: a second reading is equal
        return tuple(item for held in in_order for item in held)

    def read(self, *, with_fields: bool, described: Container[int] = ALL_PIPELINES) -> Snapshot:
        """Reads the whole configuration; `described`: the pipelines whose descriptions are read, a request each."""
        pipelines = self.with_descriptions(self.pipelines(), described)
        if not with_fields:
            return Snapshot(pipelines, held=self.held)
        groups, fields = self.groups_and_fields(ENTITIES)
        return Snapshot(pipelines, groups, fields, self.held)

    def pipelines(self) -> tuple[Pipeline, ...]:
        items = self.client.get_all(endpoints.PIPELINES, "pipelines", page_size=None)
        self._held = {key: held for key, held in self._held.items() if key[0] not in (Kind.PIPELINE, Kind.STAGE)}
        return self._each(Kind.PIPELINE, "", items, self._parse_pipeline, held_pipeline)

    def _parse_pipeline(self, item: Json) -> Pipeline:
        """Parses a pipeline with those of its stages that can be read."""
        raw = raw_stages(item)
        bare = parse_pipeline({**item, "_embedded": {"statuses": []}})

        def hold(stage: Any, error: OddShape, at: int) -> HeldItem:
            return held_stage(bare, stage, error.inside(f"_embedded.statuses.{at}"))

        stages = self._each(Kind.STAGE, str(bare.id), raw, parse_stage, hold)
        return replace(bare, stages=stages, is_unsorted_on=is_unsorted_on(item, stages))

    def with_descriptions(self, pipelines: Iterable[Pipeline], described: Container[int]) -> tuple[Pipeline, ...]:
        return tuple(self.described(item) if item.id in described else item for item in pipelines)

    def groups_and_fields(self, entities: Iterable[str]) -> tuple[tuple[FieldGroup, ...], tuple[CustomField, ...]]:
        groups: list[FieldGroup] = []
        fields: list[CustomField] = []
        for entity in entities:
            groups += self.groups(entity)
            fields += self.fields(entity)
        return tuple(groups), with_membership(tuple(fields), tuple(groups))

    def groups(self, entity: str) -> tuple[FieldGroup, ...]:
        items = self.client.get_all(endpoints.field_groups(entity), "custom_field_groups", page_size=None)
        parse, hold = partial(parse_group, entity), partial(held_group, entity)
        return self._each(Kind.FIELD_GROUP, entity, ordinary_groups(items), parse, hold)

    def fields(self, entity: str) -> tuple[CustomField, ...]:
        items = self.client.get_all(endpoints.custom_fields(entity), "custom_fields")
        parse, hold = partial(parse_field, entity), partial(held_field, entity)
        return self._each(Kind.CUSTOM_FIELD, entity, items, parse, hold)

    def field(self, entity: str, field_id: str) -> CustomField:
        """Reads one field by itself; one of an odd shape is a bad answer."""
        answer = self.client.get(endpoints.custom_field(entity, field_id))
        try:
            return parse_field(entity, answer or {})
        except MALFORMED as error:
            raise BadAnswer(gettext_noop("the field has an unexpected shape"), account=self.client.account) from error

    def described(self, pipeline: Pipeline) -> Pipeline:
        """Adds the descriptions of a pipeline's stages; a stage with odd ones is held back.

        An archived pipeline is not copied, so nothing more is asked about it.
        """
        if pipeline.is_archive:
            return pipeline
        texts = self.descriptions(pipeline.id)
        stages = []
        for stage in pipeline.stages:
            descriptions = texts.get(stage.id, texts.get(None, ()))
            if isinstance(descriptions, OddShape):
                raw = {"id": stage.id, "name": stage.name, "color": stage.color, "type": stage.type}
                self._held[Kind.STAGE, str(pipeline.id)].append(held_stage(pipeline, raw, descriptions))
            else:
                stages.append(replace(stage, descriptions=descriptions))
        return replace(pipeline, stages=tuple(stages))

    def descriptions(self, pipeline_id: int) -> dict[int | None, tuple[Description, ...] | OddShape]:
        """Returns the descriptions by stage, which come with the list of stages only (docs/kommo.md 4).

        Under None: what is odd of a stage whose id could not be read.
        """
        path, descriptions = endpoints.statuses(pipeline_id), {"with": "descriptions"}
        texts: dict[int | None, tuple[Description, ...] | OddShape] = {}
        for item in self.client.get_all(path, "statuses", descriptions, page_size=None):
            stage_id = None
            try:
                stage_id = number(fields_of(item), "id")
                texts[stage_id] = parse_descriptions(item)
            except OddShape as error:
                texts[stage_id] = error
        return texts

    def _each(
        self,
        kind: Kind,
        within: str,
        items: Sequence[Any],
        parse: Callable[[Json], T],
        hold: Callable[[Any, OddShape, int], HeldItem],
    ) -> tuple[T, ...]:
        """Returns the items that can be read; holds back the others."""
        parsed, held = [], []
        for at, item in enumerate(items):
            try:
                parsed.append(parse(fields_of(item)))
            except OddShape as error:
                held.append(hold(item, error, at))
        if kind is not Kind.STAGE and len(held) >= ODD_ITEMS and len(held) > len(parsed):
            message = gettext_noop("%(odd)s of %(total)s items have an unexpected shape, one with %(place)s") % {
                "odd": len(held),
                "total": len(items),
                "place": held[0].place,
            }
            raise BadAnswer(message, account=self.client.account)
        self._held[kind, within] = held
        return tuple(parsed)


def with_membership(fields: tuple[CustomField, ...], groups: tuple[FieldGroup, ...]) -> tuple[CustomField, ...]:
    """Adds the group to fields without a group id: a group may still list them (`group_id` null: docs/kommo.md 5.2)."""
    member = {(group.entity, field_id): group.id for group in groups for field_id in group.fields}
    return tuple(
        item if item.group_id else replace(item, group_id=member.get((item.entity, item.id))) for item in fields
    )
