"""`/api/sync/status`: the state of everything."""

from typing import Any

from ninja import Router

from syncing.api.http import ApiRequest
from syncing.api.operations import operation
from syncing.api.shapes.groups import StatusShape
from syncing.leases.processes import workers_alive
from syncing.models import KeyScope
from syncing.selectors.status import status as status_document

router = Router(tags=["status"])


@operation(router.get, "/sync/status", "api_status", (KeyScope.READ, "syncing.view_syncrun"), StatusShape)
def status(request: ApiRequest) -> dict[str, Any]:
    """Returns the workers, what is overdue, and every group with its watcher, its last run and its accounts."""
    workers = {"alive": workers_alive()}
    return {"workers": workers, **status_document()}
