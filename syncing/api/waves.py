"""`POST /api/sync/runs/<id>/continue`: starts the next wave of a run that waits."""

from typing import Any

from django.http import JsonResponse
from django.urls import reverse

from syncing.api.endpoints import TRIGGER, found_run
from syncing.api.http import ApiRequest, endpoint, json_body, wrong
from syncing.models import RunMode
from syncing.services.runs.start import PERMISSION
from syncing.services.runs.waves import continue_run

KEYS = ("wave",)


@endpoint("POST", TRIGGER, PERMISSION[RunMode.APPLY])
def continue_(request: ApiRequest, run_id: int) -> JsonResponse:
    """The body may name the `wave` that is meant (its number), so that a repeated call starts no later one."""
    body, run = json_body(request, KEYS), found_run(run_id)
    run = continue_run(run, by=request.by, wave=_wave(body.get("wave")))
    url = request.build_absolute_uri(reverse("syncing:api_run", args=[run.pk]))
    return JsonResponse({"run": run.pk, "wave": run.wave + 1, "status_url": url}, status=202)


def _wave(number: Any) -> int | None:
    if number is not None and (not isinstance(number, int) or isinstance(number, bool) or not 1 <= number < 2**15):
        raise wrong("bad_wave", "wave is no number of a wave.", ["a whole number from 1 on"])
    return number
