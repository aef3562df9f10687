"""`/api/sync/windows`: the windows of groups, listed, added and removed."""

from django.http import HttpRequest, JsonResponse

from syncing.api.endpoints import READ, TRIGGER
from syncing.api.http import ApiError, ApiRequest, by_method, endpoint, json_body
from syncing.api.request_bodies import group_named, text_of, whole_number_of
from syncing.models import Window
from syncing.selectors.windows import window_document, windows_of
from syncing.services import windows as services
from syncing.services.requirements import CHANGE_GROUP

KEYS = ("group", "kind", "cron", "time_zone", "minutes")


@endpoint("GET", READ, "accounts.view_syncgroup")
def show(request: HttpRequest) -> JsonResponse:
    """Answers with all windows, in the order in which they were added; ?group= narrows it down."""
    name = request.GET.get("group")
    found = windows_of(None if name is None else group_named(name))
    return JsonResponse({"windows": [window_document(each) for each in found]})


@endpoint("POST", TRIGGER, CHANGE_GROUP)
def add(request: ApiRequest) -> JsonResponse:
    body = json_body(request, KEYS)
    window = Window(
        group=group_named(body.get("group")),
        **{name: text_of(body, name) for name in ("kind", "cron", "time_zone")},
        minutes=whole_number_of(body, "minutes"),
    )
    services.add(window, by=request.by)
    return JsonResponse(window_document(window), status=201)


@endpoint("DELETE", TRIGGER, CHANGE_GROUP)
def remove(request: ApiRequest, window_id: int) -> JsonResponse:
    """Removes a window and answers with it as it was."""
    window = windows_of(None).filter(pk=window_id).first()
    if window is None:
        raise ApiError(404, "no_such_window", f"There is no window {window_id}.", "See /api/sync/windows.")
    document = window_document(window)
    services.remove(window, by=request.by)
    return JsonResponse(document)


windows = by_method(GET=show, POST=add)
