"""`POST /api/sync/runs/<id>/continue`: starts the next wave of a run that waits."""

from django.http import JsonResponse
from django.urls import reverse

from syncing.api.endpoints import TRIGGER, run_or_404
from syncing.api.http import ApiRequest, bad_request, endpoint, json_body
from syncing.models import RunMode
from syncing.services.runs.start import PERMISSION
from syncing.services.runs.waves import continue_run

KEYS = ("wave",)


@endpoint("POST", TRIGGER, PERMISSION[RunMode.APPLY])
def continue_(request: ApiRequest, run_id: int) -> JsonResponse:
    """Starts the next wave, or the `wave` that the body names (its number): a repeated call starts no later one."""
    run = run_or_404(run_id)
    body = json_body(request, KEYS)
    wave = body.get("wave")
    if wave is not None and (not isinstance(wave, int) or isinstance(wave, bool) or not 1 <= wave < 2**15):
        raise bad_request("bad_wave", "wave is no number of a wave.", ["a whole number from 1 on"])
    run = continue_run(run, by=request.by, wave=wave)
    url = request.build_absolute_uri(reverse("syncing:api_run", args=[run.pk]))
    return JsonResponse({"run": run.pk, "wave": run.wave + 1, "status_url": url}, status=202)
