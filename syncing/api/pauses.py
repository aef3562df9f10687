"""`POST /api/sync/pause` and `/api/sync/resume`: a group or accounts, all of them or none."""

from typing import Annotated, Any

from ninja import Router
from pydantic import Field

from accounts.models import Account
from syncing.api.http import ApiRequest
from syncing.api.operations import operation
from syncing.api.request_bodies import (
    GroupName,
    Reason,
    RequestBody,
    Subdomains,
    Text,
    example,
    group_or_accounts,
    read_body,
)
from syncing.api.shapes.groups import PausedShape, ResumedShape
from syncing.models import KeyScope
from syncing.services import pauses

router = Router(tags=["pauses"])
MAY_CHANGE = (KeyScope.TRIGGER, None)
HOURS = pauses.LONGEST.total_seconds() / 3600


class ResumeBody(RequestBody):
    model_config = example(accounts=["north"])

    group: GroupName = None
    accounts: Subdomains = None
    reason: Reason = ""


class PauseBody(ResumeBody):
    model_config = example(accounts=["north"], hours=4, reason="Moving to another plan")

    reason: Annotated[Reason, Field(min_length=1, pattern=r"\S")]
    hours: float | None = Field(None, gt=0, le=HOURS, description="a number, a year at most; left out: 24, or until")
    until: Text | None = Field(None, description="a time (ISO); without a zone in that of the group")


@operation(router.post, "/sync/pause", "api_pause", MAY_CHANGE, PausedShape, body=PauseBody, errors=(409,))
def pause(request: ApiRequest) -> dict[str, Any]:
    """Pauses a group, or accounts, all or none, for a reason. The maker of the key needs the right to change them."""
    body = read_body(request, PauseBody)
    things = group_or_accounts(body.group, body.accounts)
    paused = pauses.pause(things, reason=body.reason, hours=body.hours, until=body.until, by=request.by)
    return {"paused": [_document(thing) for thing in paused]}


@operation(router.post, "/sync/resume", "api_resume", MAY_CHANGE, ResumedShape, body=ResumeBody, errors=(409,))
def resume(request: ApiRequest) -> dict[str, Any]:
    """Ends pauses; `resumed` has those that were paused. The maker of the key needs the right to change them."""
    body = read_body(request, ResumeBody)
    ended = pauses.resume(group_or_accounts(body.group, body.accounts), reason=body.reason, by=request.by)
    return {"resumed": [_name(thing) for thing in ended]}


def _name(thing: pauses.PausedThing) -> dict[str, Any]:
    return {"account": thing.subdomain} if isinstance(thing, Account) else {"group": thing.name}


def _document(thing: pauses.PausedThing) -> dict[str, Any]:
    until = thing.paused_until.isoformat() if thing.paused_until else None
    return {**_name(thing), "until": until, "reason": thing.pause_reason}
