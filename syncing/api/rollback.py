"""`POST /api/sync/runs/<id>/rollback`: plans or does the way back of a run."""

from django.http import JsonResponse

from accounts.refusals import Refusal
from syncing.api.endpoints import TRIGGER, accepted, found_run
from syncing.api.http import ApiError, ApiRequest, endpoint, json_body
from syncing.api.order import accounts_of_run, reason_of, wrong
from syncing.models import RunMode
from syncing.services import rollback as services

KEYS = ("accounts", "mode", "reason")


@endpoint("POST", TRIGGER, "syncing.roll_back")
def rollback(request: ApiRequest, run_id: int) -> JsonResponse:
    """The body may name `accounts` (else all that can be), `mode` (plan, else apply) and a `reason`."""
    body, run = json_body(request), found_run(run_id)
    if any(name not in KEYS for name in body):
        raise wrong("unknown_key", "The body holds a key that is not known.", KEYS)
    mode = body.get("mode", RunMode.APPLY)
    if not isinstance(mode, str) or mode not in RunMode.values:
        raise wrong("bad_mode", "mode is not one of the possible values.", RunMode.values)
    try:
        started = services.start(
            run,
            accounts=accounts_of_run(run, body.get("accounts")),
            mode=mode,
            by=request.by,
            reason=reason_of(body),
        )
    except Refusal as error:
        raise ApiError(409, error.code, error.message, error.remedy) from error
    return accepted(request, started)
