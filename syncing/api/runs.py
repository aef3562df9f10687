"""`/api/sync/runs` and `/api/sync/trigger`: runs started, listed, and told as documents."""

from typing import Annotated, Any

from ninja import Query, Router
from pydantic import Field

from syncing.api.bearer import require
from syncing.api.http import ApiRequest
from syncing.api.lookups import accepted, run_or_404
from syncing.api.operations import operation
from syncing.api.paging import DEFAULT_LIMIT, Page, page_document
from syncing.api.request_bodies import (
    GroupName,
    Reason,
    RequestBody,
    RunName,
    Subdomains,
    example,
    group_if_named,
    group_named,
    read_body,
    slaves_named,
)
from syncing.api.shapes.runs import RunPlansShape, RunShape, RunsShape, StartedShape
from syncing.models import KeyScope, RunMode, RunState, RunType, Trigger
from syncing.selectors.documents import plan_document, run_document
from syncing.selectors.runs import listed_runs, run_rows
from syncing.services.runs.start import PERMISSION, start_run

router = Router(tags=["runs"])
MAY_SEE = (KeyScope.READ, "syncing.view_syncrun")


class TriggerBody(RequestBody):
    model_config = example(sync_type="full", mode="plan", group="Branches", accounts=["north"])

    sync_type: Annotated[RunType, Field(strict=False)] = RunType.FULL
    mode: Annotated[RunMode, Field(strict=False)] = RunMode.APPLY
    group: GroupName = None
    accounts: Subdomains = None
    name: RunName = ""
    reason: Reason = ""


class RunFilters(Page):
    group: str | None = Field(None, description="name of a sync group")
    state: RunState | None = None
    type: RunType | None = None
    mode: RunMode | None = None
    trigger: Trigger | None = None


@operation(
    router.post,
    "/sync/trigger",
    "api_trigger",
    (KeyScope.TRIGGER, None),
    StartedShape,
    status=202,
    body=TriggerBody,
    errors=(409,),
)
def trigger(request: ApiRequest) -> dict[str, Any]:
    """Starts a run of a group, or of some of its accounts. The same order joins the run that still waits.

    The maker of the key needs the permission to plan or to start runs, by the mode.
    """
    body = read_body(request, TriggerBody)
    group = group_named(body.group)
    accounts = slaves_named(group, body.accounts)
    require(request, PERMISSION[body.mode])
    started = start_run(
        group=group,
        type=body.sync_type,
        mode=body.mode,
        accounts=accounts,
        by=request.by,
        name=body.name,
        wish=body.reason,
    )
    return accepted(request, started)


@operation(router.get, "/sync/runs", "api_runs", MAY_SEE, RunsShape)
def runs(request: ApiRequest, filters: Query[RunFilters]) -> dict[str, Any]:
    """Lists runs, the newest first."""
    group = group_if_named(filters.group)
    wanted = {"state": filters.state, "type": filters.type, "mode": filters.mode, "trigger": filters.trigger}
    rows = listed_runs(group, before=filters.cursor, **wanted)
    return page_document(request, "runs", rows, filters.limit or DEFAULT_LIMIT, run_rows)


@operation(router.get, "/sync/runs/{int:run_id}", "api_run", MAY_SEE, RunShape)
def run(request: ApiRequest, run_id: int) -> dict[str, Any]:
    """Returns a run with its accounts: the document that `sync_all --json` prints."""
    return run_document(run_or_404(run_id))


@operation(router.get, "/sync/runs/{int:run_id}/plan", "api_plan", MAY_SEE, RunPlansShape)
def plan(request: ApiRequest, run_id: int) -> dict[str, Any]:
    """Returns the changes of a run, once per distinct plan, not once per account."""
    return plan_document(run_or_404(run_id))
