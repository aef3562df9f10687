"""The endpoint that approves a plan."""

from django.http import JsonResponse

from syncing.api.endpoints import accepted, run_or_404
from syncing.api.http import ApiRequest, endpoint, json_body
from syncing.api.request_bodies import accounts_of_run, reason_of
from syncing.models import KeyScope
from syncing.purposes import APPROVE
from syncing.services.approvals import approve as approve_plan

KEYS = ("accounts", "reason")


@endpoint("POST", KeyScope.APPROVE, APPROVE)
def approve(request: ApiRequest, run_id: int) -> JsonResponse:
    plan = run_or_404(run_id)
    body = json_body(request, KEYS)
    accounts, reason = accounts_of_run(plan, body), reason_of(body)
    started = approve_plan(plan, by=request.by, accounts=accounts, reason=reason)
    return accepted(request, started)
