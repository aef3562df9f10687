"""The endpoints of the REST API (docs/interface.md); each asks a service or a selector."""

from django.db.models import QuerySet
from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt

from accounts.kommo.texts import storable
from accounts.models import SECRETS, Account
from syncing.api.http import ApiError, ApiRequest, endpoint, error_response, json_body, require
from syncing.api.request_bodies import TRIGGER_KEYS, read_trigger
from syncing.leases.processes import workers_alive
from syncing.models import KeyScope, RunMode, SyncRun
from syncing.selectors.documents import plan_document, run_document
from syncing.selectors.ids import id_map
from syncing.selectors.status import status as status_document
from syncing.services.keys import sign
from syncing.services.runs.start import PERMISSION, Started, start_run

READ, TRIGGER = KeyScope.READ, KeyScope.TRIGGER


@endpoint("POST", TRIGGER, None)
def trigger(request: ApiRequest) -> JsonResponse:
    body = read_trigger(json_body(request, TRIGGER_KEYS, name_unknown=True))
    require(request, PERMISSION[RunMode(body.mode)])
    started = start_run(group=body.group, type=body.type, mode=body.mode, accounts=body.accounts, by=request.by)
    return accepted(request, started)


def accepted(request: ApiRequest, started: Started) -> JsonResponse:
    """Returns the answer 202 with the run and its address; notes the key in the run's log."""
    sign(started.run, request.by, joined=started.joined)
    url = request.build_absolute_uri(reverse("syncing:api_run", args=[started.run.pk]))
    return JsonResponse({"run": started.run.pk, "status_url": url}, status=202)


@endpoint("GET", READ, "syncing.view_syncrun")
def status(request: HttpRequest) -> JsonResponse:
    workers = {"alive": workers_alive()}
    return JsonResponse({"workers": workers, **status_document()})


@endpoint("GET", READ, "syncing.view_syncrun")
def run(request: HttpRequest, run_id: int) -> JsonResponse:
    return JsonResponse(run_document(run_or_404(run_id)))


@endpoint("GET", READ, "syncing.view_syncrun")
def plan(request: HttpRequest, run_id: int) -> JsonResponse:
    """Answers with the changes, once per distinct plan, not once per account."""
    return JsonResponse(plan_document(run_or_404(run_id)))


def run_or_404(run_id: int) -> SyncRun:
    """Returns the run; raises ApiError 404."""
    run = SyncRun.objects.select_related("group").filter(pk=run_id).first()
    if run is None:
        raise ApiError(404, "no_such_run", f"There is no run {run_id}.", "See /api/sync/status for the last runs.")
    return run


def accounts_called(subdomain: str) -> QuerySet[Account]:
    """Selects the account of this subdomain; a text that no database can look for is nobody's."""
    is_nobodys = storable(subdomain) != subdomain
    return Account.objects.none() if is_nobodys else Account.objects.filter(subdomain=subdomain)


def slave_or_404(subdomain: str) -> Account:
    """Returns the slave; raises ApiError 404."""
    slaves = accounts_called(subdomain).filter(role=Account.Role.SLAVE).select_related("group")
    account = slaves.defer(*SECRETS).first()
    if account is None:
        remedy = "See /api/drift for all that have a drift."
        raise ApiError(404, "no_such_account", "There is no slave of this subdomain.", remedy)
    return account


@endpoint("GET", READ, "syncing.view_idmapping")
def ids(request: HttpRequest, subdomain: str) -> JsonResponse:
    account = accounts_called(subdomain).first()
    if account is None:
        message = "There is no account of this subdomain."
        raise ApiError(404, "no_such_account", message, "See /api/sync/status for all.")
    return JsonResponse(id_map(account), safe=False)


@csrf_exempt
def unknown_endpoint(request: HttpRequest) -> JsonResponse:
    """Answers to everything else under /api/ with JSON, not the login page of the admin."""
    remedy = (
        "There are /api/sync/trigger, /api/sync/status, /api/sync/policy, /api/sync/schedules, /api/sync/windows, "
        "/api/sync/pause, /api/sync/resume, /api/sync/runs/ID, /api/sync/runs/ID/plan, "
        "/api/sync/runs/ID/approve, /api/sync/runs/ID/continue, /api/sync/runs/ID/rollback, "
        "/api/accounts/SUBDOMAIN/ids, /api/accounts/SUBDOMAIN/exceptions, /api/accounts/SUBDOMAIN/promote, "
        "/api/drift, /api/audit."
    )
    return error_response(ApiError(404, "no_such_endpoint", "There is nothing here.", remedy))
