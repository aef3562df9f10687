"""The shapes of answers about runs and plans."""

from datetime import datetime
from typing import Any, Literal

from ninja import Schema
from pydantic import Field

from syncing.models import AccountState, RunMode, RunPurpose, RunState, RunType, Trigger


class ErrorShape(Schema):
    code: str
    message: str
    remedy: str


class StartedShape(Schema):
    run: int
    status_url: str


class CommentShape(Schema):
    at: datetime
    by: str
    comment: str


class SentBackShape(Schema):
    run: int
    sent_back: CommentShape


class ContinuedShape(StartedShape):
    wave: int = Field(description="number of the wave that was started, from 1")


class PeopleShape(Schema):
    """What people said about a run."""

    name: str | None
    why: str | None = Field(description="what the run is for, as its start gave it")
    requested_by: str | None = Field(description="the person or API key by its name at that time")
    first_attempt: int | None = Field(description="the run that this one tries again; of all attempts the first")
    sent_back: CommentShape | None = Field(description="who sent the plan back, when and why")


class ItemShape(Schema):
    kind: Literal["pipeline", "stage", "field_group", "custom_field", "enum"]
    name: str
    parent: str


class ExtraShape(ItemShape):
    message: str = Field("", description="left out where there is nothing to say")


class RemarkShape(ItemShape):
    message: str


class ChangeShape(ItemShape):
    action: Literal["create", "update", "delete"]
    outcome: Literal["planned", "done", "failed", "unverified", "skipped"]
    fields: dict[str, list[Any]] = Field(description="by attribute: [old, new]")
    message: str = Field("", description="left out where there is nothing to say")


class PlanListsShape(Schema):
    changes: list[ChangeShape]
    extras: list[ExtraShape]
    conflicts: list[RemarkShape]
    manual: list[RemarkShape]


class AccountRunShape(PlanListsShape):
    subdomain: str
    wave: int
    state: AccountState
    reason: str | None
    requests: int
    delta: bool
    created: int
    updated: int
    deleted: int
    adopted: int
    plan: str | None
    note: str | None
    error: ErrorShape | None


class RunMasterShape(Schema):
    subdomain: str | None
    requests: int


class PlanCountsShape(Schema):
    plan: str
    accounts: list[str]
    created: int
    updated: int
    deleted: int
    extras: int
    conflicts: int
    manual: int


class WavesShape(Schema):
    wave: int
    waves: int
    waits_for: Literal["continue", "time"] | None
    due_at: datetime | None


class RunShape(PeopleShape):
    run: int
    type: RunType
    mode: RunMode
    trigger: Trigger
    state: RunState
    reason: str | None
    error: ErrorShape | None
    duration_s: float
    master: RunMasterShape
    totals: dict[str, int]
    accounts: list[AccountRunShape]
    plans: list[PlanCountsShape]
    waves: WavesShape | None


class DistinctPlanShape(Schema):
    """A plan once; `changes` and the other lists are those of the account `example`."""

    plan: str
    accounts: list[str]
    example: str
    created: int
    updated: int
    deleted: int
    extras: list[ExtraShape]
    conflicts: list[RemarkShape]
    manual: list[RemarkShape]
    changes: list[ChangeShape]


class UnplannedShape(Schema):
    subdomain: str
    state: AccountState
    reason: str | None
    error: ErrorShape | None


class RunPlansShape(Schema):
    run: int
    type: RunType
    mode: RunMode
    state: RunState
    plans: list[DistinctPlanShape]
    without_plan: list[UnplannedShape]


class RunRowShape(PeopleShape):
    run: int
    type: RunType
    mode: RunMode
    state: RunState
    reason: str | None
    error: ErrorShape | None
    trigger: Trigger
    purpose: RunPurpose
    group: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    done: int = Field(description="accounts that have ended")
    total: int
    totals: dict[str, int] = Field(description="number of accounts by state; states without any are left out")


class RunsShape(Schema):
    runs: list[RunRowShape]
    next: str | None
