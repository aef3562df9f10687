"""The shapes of answers about accounts: what is known of them, their ids, drift and exceptions; and of the audit."""

from datetime import datetime
from typing import Any, Literal

from ninja import Schema
from pydantic import Field

from syncing.api.shapes.groups import AccountStatusShape
from syncing.models import AuditAction


class AccountShape(AccountStatusShape):
    group: str
    kommo_id: int | None
    pilot: bool
    paused_until: datetime | None


class AccountsShape(Schema):
    accounts: list[AccountShape]
    next: str | None


class IdShape(Schema):
    kind: Literal["pipeline", "stage", "field_group", "custom_field", "enum"]
    entity: str
    name: str
    parent: str
    master_id: int | str
    slave_id: int | str


class ExceptionShape(Schema):
    id: int
    kind: str
    key: str
    attribute: str
    name: str
    parent: str
    reason: str
    accepted_by: str | None
    accepted_at: datetime
    withdrawn_at: datetime | None


class DifferenceShape(Schema):
    action: Literal["create", "update", "delete", "extra"]
    kind: str
    key: str
    slave_key: str
    name: str
    parent: str
    attribute: str
    ours: Any
    theirs: Any
    cause: str
    first_seen: datetime


class ExclusionShape(Schema):
    kind: str
    name: str


class CausesShape(Schema):
    master: int
    slave: int
    both: int
    unknown: int


class DriftShape(Schema):
    subdomain: str
    group: str
    state: Literal["in_sync", "drifted", "conflict", "unknown"]
    count: int | None
    causes: CausesShape | None
    extras: int | None
    since: datetime | None
    checked_at: datetime | None
    converged_at: datetime | None
    run: int | None
    differences: list[DifferenceShape]
    accepted: list[ExceptionShape]
    exclusions: list[ExclusionShape]


class DriftsShape(Schema):
    accounts: list[DriftShape]
    next: str | None


class AuditEntryShape(Schema):
    id: int
    at: datetime
    actor: str
    via: str = Field(description="the door that it came by")
    action: AuditAction
    group: str | None
    account: str | None
    run: int | None
    reason: str | None
    details: dict[str, Any]


class AuditShape(Schema):
    entries: list[AuditEntryShape]
    next: int | None = Field(description="`before` of the next page")
    next_url: str | None
