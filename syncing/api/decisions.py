"""The endpoints of what people decide: approving a plan, and the audit of all decisions."""

from typing import Any

from django.http import HttpRequest, JsonResponse

from accounts.kommo.answers import storable_id
from accounts.models import SECRETS, Account
from syncing.api.endpoints import READ, accepted, found_run
from syncing.api.http import ApiError, endpoint, json_body
from syncing.api.order import wrong
from syncing.models import ApiKey, SyncRun
from syncing.selectors import audit as reads
from syncing.services.approvals import approve as approve_plan
from syncing.services.audit import LONGEST_REASON, Actor
from syncing.services.runs import CannotStart

KEYS = ("accounts", "reason")
USUAL, MOST = 100, 1000  # entries of one answer


@endpoint("POST", ApiKey.Scope.APPROVE)
def approve(request: HttpRequest, run_id: int) -> JsonResponse:
    body, plan = json_body(request), found_run(run_id)
    key: ApiKey = request.api_key  # type: ignore[attr-defined]
    unknown = [name for name in body if name not in KEYS]
    if unknown:
        raise wrong("unknown_key", "The body holds a key that is not known.", KEYS)
    accounts, reason = _accounts(plan, body.get("accounts")), _reason(body.get("reason", ""))
    try:
        started = approve_plan(plan, by=key, actor=Actor.of_key(key), accounts=accounts, reason=reason)
    except CannotStart as error:
        status = 403 if error.code == "not_allowed" else 409
        raise ApiError(status, error.code, error.message, error.remedy) from error
    return accepted(request, started)


def _accounts(plan: SyncRun, subdomains: Any) -> list[Account] | None:
    """Those of the plan run that the body names; None: all that have something to approve."""
    if subdomains is None:
        return None
    planned = Account.objects.filter(account_runs__run=plan).defer(*SECRETS)
    known = {account.subdomain: account for account in planned}
    if not isinstance(subdomains, list) or not subdomains:
        raise wrong("bad_accounts", "accounts must be a list of subdomains, or left out.", known)
    if any(not isinstance(name, str) or name not in known for name in subdomains):
        raise wrong("unknown_account", f"Not all of these accounts are in run {plan.pk}.", known)
    return [known[name] for name in dict.fromkeys(subdomains)]


def _reason(text: Any) -> str:
    if not isinstance(text, str) or len(text) > LONGEST_REASON:
        raise wrong("bad_reason", "The reason is no text, or too long.", [f"up to {LONGEST_REASON} characters"])
    return text


@endpoint("GET", READ)
def audit(request: HttpRequest) -> JsonResponse:
    """A page of entries, the newest first; `next` is the `before` of the next page."""
    before, limit = _number(request, "before"), _number(request, "limit") or USUAL
    if limit > MOST:
        raise wrong("bad_limit", "limit is too large.", [f"1 to {MOST}"])
    page = [reads.document(entry) for entry in reads.entries(before=before)[: limit + 1]]
    more = len(page) > limit
    return JsonResponse({"entries": page[:limit], "next": page[limit - 1]["id"] if more else None})


def _number(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name)
    if text is None:
        return None
    number = storable_id(text)
    if not number or number < 1:
        raise wrong(f"bad_{name}", f"{name} is no number.", ["a whole number from 1 on"])
    return number
