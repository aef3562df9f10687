"""The shapes of answers about groups: their status, policy, schedules, windows, pauses and channels."""

from datetime import datetime
from typing import Literal

from ninja import Schema
from pydantic import Field

from accounts.models import Account, WatchMode
from syncing.api.shapes.runs import RunRowShape
from syncing.models import AccountState, Event, ScheduleKind, TellWhen, WatchState, WindowKind


class WorkersShape(Schema):
    alive: int


class OverdueShape(Schema):
    code: Literal["workers", "watcher", "schedule"]
    group: str | None
    since: datetime | None
    message: str
    remedy: str


class WatchShape(Schema):
    mode: WatchMode
    state: WatchState
    last_look: datetime | None
    last_change: datetime | None
    next_look: datetime | None
    overdue: bool


class AccountStatusShape(Schema):
    subdomain: str
    name: str
    role: Account.Role
    paused: bool
    health: Account.Health
    health_reason: str | None
    checked_at: datetime | None
    token_expires_at: datetime | None
    state: AccountState | None = Field(description="in its last run")
    reason: str | None


class GroupStatusShape(Schema):
    name: str
    last_run: RunRowShape | None
    paused_until: datetime | None = Field(description="null also for a pause without an end")
    frozen_until: datetime | None = Field(description="windows forbid to write until then; the year 9999: without end")
    watch: WatchShape
    accounts: list[AccountStatusShape]


class StatusShape(Schema):
    workers: WorkersShape
    overdue: list[OverdueShape]
    groups: list[GroupStatusShape]


class PolicyShape(Schema):
    group: str
    policy: dict[str, bool | int | str]


class ScheduleShape(Schema):
    id: int
    group: str
    kind: ScheduleKind
    cron: str
    time_zone: str
    grace: int = Field(description="minutes")
    enabled: bool
    next: list[datetime]


class ListedScheduleShape(ScheduleShape):
    problem: str


class SchedulesShape(Schema):
    schedules: list[ListedScheduleShape]
    next: str | None


class WindowShape(Schema):
    id: int
    group: str
    kind: WindowKind
    cron: str
    time_zone: str
    minutes: int
    next: list[datetime]


class WindowsShape(Schema):
    windows: list[WindowShape]
    next: str | None


class PausedAccountShape(Schema):
    account: str
    until: datetime | None
    reason: str


class PausedGroupShape(Schema):
    group: str
    until: datetime | None
    reason: str


class PausedShape(Schema):
    paused: list[PausedAccountShape | PausedGroupShape]


class ResumedAccountShape(Schema):
    account: str


class ResumedGroupShape(Schema):
    group: str


class ResumedShape(Schema):
    resumed: list[ResumedAccountShape | ResumedGroupShape]


class ChannelShape(Schema):
    name: str
    group: str | None = Field(description="null: it is told of all groups")
    kind: str
    events: list[Event]
    when: TellWhen
    language: str
    enabled: bool
    last_sent_at: datetime | None
    failure: str


class ChannelsShape(Schema):
    channels: list[ChannelShape]
    next: str | None


class ChannelTestShape(Schema):
    sent: str = Field(description="name of the channel")
