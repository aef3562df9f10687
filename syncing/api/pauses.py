"""`POST /api/sync/pause` and `/api/sync/resume`: a group or accounts, all of them or none."""

from typing import Any

from django.http import JsonResponse

from accounts.models import Account
from syncing.api.endpoints import TRIGGER
from syncing.api.http import ApiRequest, bad_request, endpoint, json_body
from syncing.api.request_bodies import group_or_accounts_of, reason_of, text_of
from syncing.services import pauses
from syncing.services.audit import LONGEST_REASON

RESUME_KEYS = ("group", "accounts", "reason")
PAUSE_KEYS = (*RESUME_KEYS, "hours", "until")


@endpoint("POST", TRIGGER, None)
def pause(request: ApiRequest) -> JsonResponse:
    """Pauses for so many `hours`, or `until` a time (ISO; without a zone in that of the group), else for 24 hours."""
    body = json_body(request, PAUSE_KEYS)
    things, reason, hours = group_or_accounts_of(body), reason_of(body), body.get("hours")
    if not reason.strip():
        raise bad_request("bad_reason", "A pause needs a reason.", [f"up to {LONGEST_REASON} characters"])
    if hours is not None and (not isinstance(hours, int | float) or isinstance(hours, bool)):
        raise bad_request("bad_hours", "hours is no number.", ["a number"])
    until = text_of(body, "until") if body.get("until") is not None else None
    paused = pauses.pause(things, reason=reason, hours=hours, until=until, by=request.by)
    return JsonResponse({"paused": [_document(thing) for thing in paused]})


@endpoint("POST", TRIGGER, None)
def resume(request: ApiRequest) -> JsonResponse:
    """Ends pauses; `resumed` has those that were paused."""
    body = json_body(request, RESUME_KEYS)
    ended = pauses.resume(group_or_accounts_of(body), reason=reason_of(body), by=request.by)
    return JsonResponse({"resumed": [_name(thing) for thing in ended]})


def _name(thing: pauses.PausedThing) -> dict[str, Any]:
    return {"account": thing.subdomain} if isinstance(thing, Account) else {"group": thing.name}


def _document(thing: pauses.PausedThing) -> dict[str, Any]:
    until = thing.paused_until.isoformat() if thing.paused_until else None
    return {**_name(thing), "until": until, "reason": thing.pause_reason}
