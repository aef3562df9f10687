"""`/api/sync/schedules`: the schedules of groups, listed, added and removed."""

from typing import Annotated, Any

from ninja import Query, Router
from pydantic import Field

from accounts import clock
from syncing.api.http import ApiRequest
from syncing.api.lookups import row_or_404
from syncing.api.operations import operation
from syncing.api.paging import GroupFilters, page_document
from syncing.api.request_bodies import RecurringBody, WholeNumber, example, group_if_named, group_named, read_body
from syncing.api.shapes.groups import ScheduleShape, SchedulesShape
from syncing.models import DEFAULT_GRACE, WEEK, KeyScope, Schedule, ScheduleKind
from syncing.selectors.schedules import schedule_document, schedules_of
from syncing.services import schedules as services
from syncing.services.requirements import CHANGE_GROUP

router = Router(tags=["schedules"])
MAY_CHANGE = (KeyScope.TRIGGER, CHANGE_GROUP)


class ScheduleBody(RecurringBody):
    model_config = example(group="Branches", kind="drift", cron="0 3 * * *", time_zone="America/Sao_Paulo")

    kind: Annotated[ScheduleKind, Field(strict=False)]
    grace: WholeNumber = Field(DEFAULT_GRACE, ge=0, le=WEEK, description="minutes that a missed time is made up for")


@operation(router.get, "/sync/schedules", "api_schedules", (KeyScope.READ, "accounts.view_syncgroup"), SchedulesShape)
def show(request: ApiRequest, filters: Query[GroupFilters]) -> dict[str, Any]:
    """Lists the schedules in the order in which they were added; all of them without a limit."""
    wanted = schedules_of(group_if_named(filters.group))
    rows, moment = wanted.filter(pk__gt=filters.cursor or 0), clock.now()
    return page_document(
        request,
        "schedules",
        rows,
        filters.limit,
        lambda page: [{**schedule_document(each, moment), "problem": each.problem} for each in page],
    )


@operation(
    router.post,
    "/sync/schedules",
    "api_schedules",
    MAY_CHANGE,
    ScheduleShape,
    status=201,
    body=ScheduleBody,
    errors=(409,),
)
def add(request: ApiRequest) -> dict[str, Any]:
    """Adds a schedule to a group."""
    body = read_body(request, ScheduleBody)
    values = body.model_dump(exclude={"group"})
    schedule = Schedule(group=group_named(body.group), **values)
    services.add(schedule, by=request.by)
    return schedule_document(schedule)


@operation(router.delete, "/sync/schedules/{int:schedule_id}", "api_schedule", MAY_CHANGE, ScheduleShape, errors=(409,))
def remove(request: ApiRequest, schedule_id: int) -> dict[str, Any]:
    """Removes a schedule and returns it as it was."""
    schedule = row_or_404(schedules_of(None), schedule_id, "schedule")
    document = schedule_document(schedule)
    services.remove(schedule, by=request.by)
    return document
