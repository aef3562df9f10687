"""One simulated account: its things, raw edits as its users make them by hand, and what an edit does to its leads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from accounts.simulator import defaults, tokens
from accounts.simulator.knobs import Knobs
from accounts.simulator.model import (
    DEFAULT_SORT,
    ENTITIES,
    INCOMING_TYPE,
    MAIN_GROUP,
    PALETTE,
    Description,
    Enum,
    Field,
    Group,
    Lead,
    Pipeline,
    Stage,
    StatusKey,
)
from accounts.simulator.oauth.grants import Grants
from accounts.simulator.oauth.integrations import SimIntegration

if TYPE_CHECKING:
    from accounts.simulator.messages import Answer

StageSpec = str | tuple[str, str]
Named = TypeVar("Named", Pipeline, Group, Field)


class SimAccount:
    """One account; `lock` guards everything in it, and every id in it belongs to it alone (except 142 and 143)."""

    def __init__(
        self, *, index: int, subdomain: str, account_id: int, knobs: Knobs, clock: Callable[[], float], **facts: Any
    ) -> None:
        self.index = index
        self.subdomain = subdomain
        self.account_id = account_id
        self.user_id = 7_000_001 + index
        self.knobs = knobs
        self.clock = clock
        self.name: str = facts.get("name") or subdomain
        self.language: str = facts.get("language", "en")
        self.paid: bool = facts.get("paid", True)
        self.admin: bool = facts.get("admin", True)
        self.super_fields: bool = facts.get("super_fields", True)
        self.created_at = int(clock())
        self.lock = threading.RLock()
        self.last_id = 100_000_000 + index * 1_000_000
        self.pipelines: dict[int, Pipeline] = {}
        self.groups: dict[str, dict[str, Group]] = {entity: {} for entity in ENTITIES}
        self.fields: dict[str, dict[int, Field]] = {entity: {} for entity in ENTITIES}
        self.leads: dict[int, Lead] = {}
        self.catalogs: set[int] = set()
        self.tokens: dict[str, tokens.Token] = {}
        self.grants = Grants(self)
        self.kept_reads: dict[tuple[str, str, str, bool], Answer] = {}
        self.lost_values = 0
        self.moved_leads = 0
        self.blanked_names = 0

    def __repr__(self) -> str:
        return f"SimAccount({self.subdomain!r})"

    def next_id(self) -> int:
        self.last_id += 1
        return self.last_id

    # -- tokens ------------------------------------------------------------------------------------------------
    @property
    def token(self) -> str:
        """The newest long-lived token that is still good; made when there is none."""
        for token in reversed(self.tokens.values()):
            if token.kind == tokens.LONG_LIVED and self.accepts(token.value):
                return token.value
        return self.issue_token()

    def issue_token(self, *, expires_in: float = tokens.YEAR, value: str | None = None) -> str:
        """A further long-lived token, valid for so many seconds (negative: expired); `value` fixes its text."""
        value = self._make_jwt(expires_in) if value is None else value
        self.tokens[value] = tokens.Token(value, self.clock() + expires_in)
        return value

    def issue_access_token(self, client_id: str, expires_in: float) -> str:
        """The access token of a pair; `grants` knows which."""
        value = self._make_jwt(expires_in, client_id)
        self.tokens[value] = tokens.Token(value, self.clock() + expires_in, kind=tokens.OAUTH)
        return value

    def _make_jwt(self, expires_in: float, client_id: str | None = None) -> str:
        now = self.clock()
        return tokens.make_jwt(
            account_id=self.account_id,
            user_id=self.user_id,
            issued_at=min(now, now + expires_in - 1),
            expires_at=now + expires_in,
            serial=len(self.tokens),
            client_id=client_id,
            api_domain=self.knobs.api_domain,
        )

    def uninstall(self, integration: SimIntegration) -> str:
        """An administrator removes an integration: all it was granted ends; gives the query of the disable hook.

        kommo-api.md 1.8. Nobody is called here: whoever uninstalls plays Kommo's part with the query.
        """
        self.grants.revoke(integration.client_id)
        return integration.hook_query(self.account_id)

    def revoke_token(self, value: str | None = None) -> None:
        """Revokes one long-lived or access token, or all of the account; refresh tokens stay."""
        for token in self.tokens.values():
            if value in (None, token.value):
                token.revoked = True

    def accepts(self, value: str) -> bool:
        token = self.tokens.get(value)
        return token is not None and not token.revoked and token.expires_at > self.clock()

    # -- finding -----------------------------------------------------------------------------------------------
    @property
    def ordered_pipelines(self) -> list[Pipeline]:
        main_first = self.knobs.main_pipeline_first
        return sorted(self.pipelines.values(), key=lambda each: (main_first and not each.is_main, each.sort, each.id))

    def pipeline(self, key: int | str) -> Pipeline:
        """The pipeline of this id or (first) of this name; raises KeyError."""
        return _find(self.ordered_pipelines, key)

    def stage(self, pipeline: int | str, stage: int | str) -> Stage:
        return self.pipeline(pipeline).stage(stage)

    def group(self, entity: str, key: str) -> Group:
        """The group of this id or (first) of this name; raises KeyError."""
        return _find(self.groups[entity].values(), key)

    def field(self, entity: str, key: int | str) -> Field:
        """The field of this id, code or (first) name; raises KeyError."""
        for field in self.fields[entity].values():
            if key in (field.id, field.code):
                return field
        return _find(self.fields[entity].values(), key)

    def members(self, entity: str, group_id: str) -> list[Field]:
        """The fields of one group in the order of the card."""
        inside = [each for each in self.fields[entity].values() if each.group_id == group_id]
        return sorted(inside, key=lambda each: (each.sort, each.id))

    def has_status(self, key: StatusKey) -> bool:
        pipeline = self.pipelines.get(key[0])
        return pipeline is not None and any(stage.id == key[1] for stage in pipeline.stages)

    # -- raw edits: what a user can do in the interface, without the rules of the API ---------------------------
    def add_pipeline(
        self,
        name: str,
        *,
        stages: Sequence[StageSpec] = (),
        sort: int | None = None,
        is_main: bool = False,
        is_unsorted_on: bool = True,
        is_archive: bool = False,
    ) -> Pipeline:
        """A pipeline with its system stages; a stage is a name or (name, colour)."""
        if sort is None:
            sort = 1 + max((each.sort for each in self.pipelines.values()), default=0)
        pipeline = Pipeline(self.next_id(), name, sort, is_unsorted_on=is_unsorted_on, is_archive=is_archive)
        pipeline.stages = defaults.system_stages(self)
        self.pipelines[pipeline.id] = pipeline
        for spec in stages:
            stage_name, color = (spec, None) if isinstance(spec, str) else spec
            self.add_stage(pipeline, stage_name, color=color)
        if is_main or len(self.pipelines) == 1:
            self.set_main(pipeline)
        self.arrange(pipeline)
        return pipeline

    def add_stage(
        self, pipeline: Pipeline, name: str, *, color: str | None = None, sort: int | None = None, **descriptions: str
    ) -> Stage:
        """A stage at its sort (else behind the last); further keywords are descriptions by level."""
        ordinary = pipeline.ordinary
        if sort is None:
            sort = max((each.sort for each in ordinary), default=defaults.INCOMING_SORT) + 10
        stage = Stage(self.next_id(), name, sort, color or PALETTE[len(ordinary) % len(PALETTE)])
        for level, text in descriptions.items():
            self.describe(stage, level, text)
        pipeline.stages.append(stage)
        self.arrange(pipeline)
        return stage

    def describe(self, stage: Stage, level: str, text: str) -> None:
        """Writes or overwrites one level of a stage's descriptions."""
        now = int(self.clock())
        old = stage.descriptions.get(level)
        if old is None:
            stage.descriptions[level] = Description(self.next_id(), level, text, now, now)
        else:
            old.description, old.updated_at = text, now

    def add_group(self, entity: str, name: str, *, sort: int | None = None, type: str = "custom_field_group") -> Group:
        if sort is None:
            sort = 1 + max((each.sort for each in self.groups[entity].values()), default=0)
        group = Group(f"{entity}_{10_000_000_000_000 + self.next_id()}", name, sort, type=type)
        self.groups[entity][group.id] = group
        return group

    def add_field(
        self, entity: str, name: str, type: str = "text", *, enums: Iterable[Any] = (), **facts: Any
    ) -> Field:
        """A field; an enum is its value, or (value, code); `group` may be a Group; other facts as in Field."""
        group = facts.pop("group", None)
        if group is not None:
            facts["group_id"] = group.id
        field = Field(self.next_id(), entity, name, type, **facts)
        for enum in enums:
            value, code = (enum, None) if isinstance(enum, str) else enum
            self.add_enum(field, value, code=code)
        self.fields[entity][field.id] = field
        return field

    def add_enum(self, field: Field, value: str, *, sort: int | None = None, code: str | None = None) -> Enum:
        enum = Enum(self.next_id(), value, DEFAULT_SORT + len(field.enums) if sort is None else sort, code)
        field.enums.append(enum)
        return enum

    def add_lead(self, pipeline_id: int, status_id: int, values: dict[int, Any] | None = None, **facts: Any) -> Lead:
        """A lead in a stage; values by field id: an enum id, a list of them, or a scalar."""
        if not self.has_status((pipeline_id, status_id)):
            raise KeyError((pipeline_id, status_id))
        number = self.next_id()
        lead = Lead(number, facts.pop("name", f"Lead {number}"), pipeline_id, status_id, dict(values or {}), **facts)
        self.leads[number] = lead
        return lead

    def set_main(self, pipeline: Pipeline) -> None:
        """Moves the main flag; the sort of the main pipeline is automatic (kommo-api.md 4.1)."""
        for each in self.pipelines.values():
            each.is_main = each is pipeline
        self.arrange_pipelines()

    def arrange_pipelines(self) -> None:
        """Gives the main pipeline the first number, where the knob says so."""
        if self.knobs.main_pipeline_first:
            for each in self.pipelines.values():
                each.sort = 1 if each.is_main else each.sort

    def arrange(self, pipeline: Pipeline) -> None:
        """Puts the stages into order and numbers the ordinary ones anew (kommo-api.md 4.5)."""
        first = [stage for stage in pipeline.stages if stage.type == INCOMING_TYPE]
        last = [stage for stage in pipeline.stages if stage.is_system and stage.type != INCOMING_TYPE]
        ordinary = sorted(pipeline.ordinary, key=lambda stage: (stage.sort, stage.id))
        if self.knobs.renumber:
            start = 20 if pipeline.is_unsorted_on else 10
            for at, stage in enumerate(ordinary):
                stage.sort = start + 10 * at
        pipeline.stages = first + ordinary + sorted(last, key=lambda stage: stage.id)

    # -- deletions and what they do to leads ---------------------------------------------------------------------
    def delete_stage(self, pipeline: Pipeline, stage: Stage) -> None:
        """The stage goes; its leads move to the first stage of the pipeline (kommo-api.md 4.6)."""
        pipeline.stages.remove(stage)
        self.arrange(pipeline)
        first = (pipeline.ordinary or pipeline.listed)[0]
        for lead in self.leads.values():
            if (lead.pipeline_id, lead.status_id) == (pipeline.id, stage.id):
                lead.status_id = first.id
                self.moved_leads += 1
        self._forget_statuses(lambda key: key == (pipeline.id, stage.id))

    def delete_pipeline(self, pipeline: Pipeline) -> None:
        del self.pipelines[pipeline.id]
        self._forget_statuses(lambda key: key[0] == pipeline.id)
        if pipeline.is_main and self.pipelines:
            self.set_main(self.ordered_pipelines[0])

    def delete_group(self, entity: str, group: Group) -> None:
        """The group goes; its fields go to the main group."""
        for field in self.members(entity, group.id):
            field.group_id = MAIN_GROUP
        del self.groups[entity][group.id]

    def delete_field(self, field: Field) -> None:
        """The field goes, with every value that a lead holds in it."""
        del self.fields[field.entity][field.id]
        for lead in self.leads.values():
            if field.id in lead.values:
                del lead.values[field.id]
                self.lost_values += 1

    def delete_enum(self, field: Field, enum: Enum) -> None:
        """The option goes, with every value that a lead holds of it."""
        field.enums.remove(enum)
        for lead in self.leads.values():
            value = lead.values.get(field.id)
            if isinstance(value, list) and enum.id in value:
                lead.values[field.id] = [each for each in value if each != enum.id]
                self.lost_values += 1
            elif value == enum.id:
                del lead.values[field.id]
                self.lost_values += 1

    def _forget_statuses(self, gone: Callable[[StatusKey], bool]) -> None:
        for fields in self.fields.values():
            for field in fields.values():
                field.required_statuses = [key for key in field.required_statuses if not gone(key)]
                field.hidden_statuses = [key for key in field.hidden_statuses if not gone(key)]


def _find(things: Iterable[Named], key: int | str) -> Named:
    for thing in things:
        if key in (thing.id, thing.name):
            return thing
    raise KeyError(key)
