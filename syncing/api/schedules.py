"""`/api/sync/schedules`: the schedules of groups, listed, added and removed."""

from django.http import HttpRequest, JsonResponse

from syncing.api.endpoints import READ, TRIGGER
from syncing.api.http import ApiError, ApiRequest, by_method, endpoint, json_body
from syncing.api.request_bodies import group_named, text_of, whole_number_of
from syncing.models import DEFAULT_GRACE, Schedule
from syncing.selectors.schedules import schedule_document, schedules_of
from syncing.services import schedules as services
from syncing.services.requirements import CHANGE_GROUP

KEYS = ("group", "kind", "cron", "time_zone", "grace")


@endpoint("GET", READ, "accounts.view_syncgroup")
def show(request: HttpRequest) -> JsonResponse:
    """Answers with all schedules, in the order in which they were added; ?group= narrows it down."""
    name = request.GET.get("group")
    found = schedules_of(None if name is None else group_named(name))
    return JsonResponse({"schedules": [{**schedule_document(each), "problem": each.problem} for each in found]})


@endpoint("POST", TRIGGER, CHANGE_GROUP)
def add(request: ApiRequest) -> JsonResponse:
    body = json_body(request, KEYS)
    schedule = Schedule(
        group=group_named(body.get("group")),
        **{name: text_of(body, name) for name in ("kind", "cron", "time_zone")},
        grace=whole_number_of(body, "grace", DEFAULT_GRACE),
    )
    services.add(schedule, by=request.by)
    return JsonResponse(schedule_document(schedule), status=201)


@endpoint("DELETE", TRIGGER, CHANGE_GROUP)
def remove(request: ApiRequest, schedule_id: int) -> JsonResponse:
    """Removes a schedule and answers with it as it was."""
    schedule = schedules_of(None).filter(pk=schedule_id).first()
    if schedule is None:
        raise ApiError(404, "no_such_schedule", f"There is no schedule {schedule_id}.", "See /api/sync/schedules.")
    document = schedule_document(schedule)
    services.remove(schedule, by=request.by)
    return JsonResponse(document)


schedules = by_method(GET=show, POST=add)
