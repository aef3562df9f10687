"""`/api/sync/windows`: the windows of groups, listed, added and removed."""

from typing import Annotated, Any

from ninja import Query, Router
from pydantic import Field

from accounts import clock
from syncing.api.http import ApiRequest
from syncing.api.lookups import row_or_404
from syncing.api.operations import operation
from syncing.api.paging import GroupFilters, page_document
from syncing.api.request_bodies import RecurringBody, WholeNumber, example, group_if_named, group_named, read_body
from syncing.api.shapes.groups import WindowShape, WindowsShape
from syncing.models import WEEK, KeyScope, Window, WindowKind
from syncing.selectors.windows import window_document, windows_of
from syncing.services import windows as services
from syncing.services.requirements import CHANGE_GROUP

router = Router(tags=["windows"])
MAY_CHANGE = (KeyScope.TRIGGER, CHANGE_GROUP)


class WindowBody(RecurringBody):
    model_config = example(group="Branches", kind="deny", cron="0 18 * * 5", minutes=3720)

    kind: Annotated[WindowKind, Field(strict=False)]
    minutes: WholeNumber = Field(ge=1, le=52 * WEEK, description="length of the window in minutes")


@operation(router.get, "/sync/windows", "api_windows", (KeyScope.READ, "accounts.view_syncgroup"), WindowsShape)
def show(request: ApiRequest, filters: Query[GroupFilters]) -> dict[str, Any]:
    """Lists the windows in the order in which they were added; all of them without a limit."""
    wanted = windows_of(group_if_named(filters.group))
    rows, moment = wanted.filter(pk__gt=filters.cursor or 0), clock.now()
    return page_document(
        request, "windows", rows, filters.limit, lambda page: [window_document(each, moment) for each in page]
    )


@operation(
    router.post, "/sync/windows", "api_windows", MAY_CHANGE, WindowShape, status=201, body=WindowBody, errors=(409,)
)
def add(request: ApiRequest) -> dict[str, Any]:
    """Adds a window to a group."""
    body = read_body(request, WindowBody)
    values = body.model_dump(exclude={"group"})
    window = Window(group=group_named(body.group), **values)
    services.add(window, by=request.by)
    return window_document(window)


@operation(router.delete, "/sync/windows/{int:window_id}", "api_window", MAY_CHANGE, WindowShape, errors=(409,))
def remove(request: ApiRequest, window_id: int) -> dict[str, Any]:
    """Removes a window and returns it as it was."""
    window = row_or_404(windows_of(None), window_id, "window")
    document = window_document(window)
    services.remove(window, by=request.by)
    return document
