"""The things of a simulated account: plain mutable values, without any rule of the API."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

WON_ID = 142
LOST_ID = 143
INCOMING_TYPE = 1
ENTITIES = ("leads", "contacts", "companies")
ENUM_TYPES = frozenset({"select", "multiselect", "radiobutton"})
LEVELS = ("newbie", "candidate", "master")
MAIN_GROUP = "default"
STATISTIC_GROUP = "statistic"
DEFAULT_SORT = 500

# docs/kommo.md 4.4: the complete palette that writes accept.
PALETTE = (
    "#fffeb2", "#fffd7f", "#fff000", "#ffeab2", "#ffdc7f", "#ffce5a", "#ffdbdb",
    "#ffc8c8", "#ff8f92", "#d6eaff", "#c1e0ff", "#98cbff", "#ebffb1", "#deff81",
    "#87f2c0", "#f9deff", "#f3beff", "#ccc8f9", "#eb93ff", "#f2f3f4", "#e6e8ea",
)  # fmt: skip

StatusKey = tuple[int, int]
"""A stage as a required or hidden status names it: (pipeline id, status id), as 142 and 143 repeat."""


@dataclass(slots=True)
class SimDescription:
    """One hint of a stage, for one level of experience (docs/kommo.md 4.7)."""

    id: int
    level: str
    description: str
    created_at: int = 0
    updated_at: int = 0


@dataclass(slots=True)
class SimStage:
    """A stage (Kommo's "status") of one pipeline."""

    id: int
    name: str
    sort: int
    color: str
    type: int = 0
    descriptions: dict[str, SimDescription] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Self:
        """Builds a stage from what `asdict` made of one."""
        descriptions = {level: SimDescription(**each) for level, each in saved["descriptions"].items()}
        return cls(**{**saved, "descriptions": descriptions})

    @property
    def is_system(self) -> bool:
        return self.id in (WON_ID, LOST_ID) or self.type == INCOMING_TYPE


@dataclass(slots=True)
class SimPipeline:
    """A pipeline with all its stages; the incoming stage stays here while it is hidden."""

    id: int
    name: str
    sort: int
    is_main: bool = False
    is_unsorted_on: bool = True
    is_archive: bool = False
    stages: list[SimStage] = field(default_factory=list)

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Self:
        """Builds a pipeline from what `asdict` made of one."""
        return cls(**{**saved, "stages": [SimStage.from_dict(each) for each in saved["stages"]]})

    @property
    def listed(self) -> list[SimStage]:
        """Returns the stages that the API shows, in their order."""
        return [stage for stage in self.stages if stage.type != INCOMING_TYPE or self.is_unsorted_on]

    @property
    def incoming(self) -> SimStage:
        """Returns the stage of the leads that nobody has accepted yet, hidden or not."""
        return next(stage for stage in self.stages if stage.type == INCOMING_TYPE)

    @property
    def ordinary(self) -> list[SimStage]:
        return [stage for stage in self.stages if not stage.is_system]

    def stage(self, key: int | str) -> SimStage:
        """Returns the stage of this id or (first) of this name; raises KeyError."""
        for stage in self.stages:
            if key in (stage.id, stage.name):
                return stage
        raise KeyError(key)


@dataclass(slots=True)
class SimEnum:
    """One option of a select, multiselect, radiobutton or multitext field."""

    id: int
    value: str
    sort: int = DEFAULT_SORT
    code: str | None = None


@dataclass(slots=True)
class SimGroup:
    """A field group (a tab of the card)."""

    id: str
    name: str
    sort: int
    is_predefined: bool = False
    type: str = "custom_field_group"


@dataclass(slots=True)
class SimField:
    """A custom field; `group_id` is never None here, how the main group reads is a variant."""

    id: int
    entity: str
    name: str
    type: str
    code: str | None = None
    sort: int = DEFAULT_SORT
    group_id: str = MAIN_GROUP
    is_api_only: bool = False
    required_statuses: list[StatusKey] = field(default_factory=list)
    hidden_statuses: list[StatusKey] = field(default_factory=list)
    enums: list[SimEnum] = field(default_factory=list)
    remind: str | None = None
    currency: str | None = None
    chained_lists: list[dict[str, Any]] | None = None
    tracking_callback: str | None = None
    is_predefined: bool = False

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Self:
        """Builds a field from what `asdict` made of one, be it by way of JSON."""
        enums = [SimEnum(**each) for each in saved["enums"]]
        required, hidden = ([tuple(each) for each in saved[key]] for key in ("required_statuses", "hidden_statuses"))
        return cls(**{**saved, "enums": enums, "required_statuses": required, "hidden_statuses": hidden})

    @property
    def ordered_enums(self) -> list[SimEnum]:
        return sorted(self.enums, key=lambda enum: enum.sort)

    def enum(self, key: int | str) -> SimEnum:
        """Returns the option of this id or (first) of this value; raises KeyError."""
        for enum in self.enums:
            if key in (enum.id, enum.value):
                return enum
        raise KeyError(key)


@dataclass(slots=True)
class SimLead:
    """A lead, only as far as configuration can hurt it: where it stands and which values it holds."""

    id: int
    name: str
    pipeline_id: int
    status_id: int
    values: dict[int, Any] = field(default_factory=dict)
    is_deleted: bool = False


@dataclass(slots=True)
class SimContact:
    """A contact or company, only as far as configuration can hurt it; unsorted: it came with an incoming lead."""

    id: int
    name: str
    values: dict[int, Any] = field(default_factory=dict)
    is_deleted: bool = False
    is_unsorted: bool = False
