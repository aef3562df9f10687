"""Shows the waves on the page of a run, how far each is, and starts the next one."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.kommo.texts import storable_id
from accounts.pages import actor_of, refusals_shown
from syncing.models import SyncRun
from syncing.presentation.links import run_url
from syncing.selectors.waves import rests, waves_of
from syncing.services.runs.waves import continue_run
from syncing.views.lookup import run_or_404

PERMISSION = "syncing.start_sync"
WAVES_PER_PAGE = 20


def wave_context(request: HttpRequest, run: SyncRun) -> dict[str, Any]:
    """Returns what `_waves.html` shows (the wave at work, unless another page is asked for), and the chosen wave."""
    waves = waves_of(run)
    here = 1 + run.wave // WAVES_PER_PAGE
    number = storable_id(request.GET.get("wave", ""))
    return {
        "waves": Paginator(waves, WAVES_PER_PAGE).get_page(request.GET.get("w", here)) if waves else None,
        "wave": number if number in {wave.number for wave in waves} else None,
        "rests": bool(waves) and rests(run),
        "may_continue": bool(waves) and run.is_open and request.user.has_perm(PERMISSION),
    }


@permission_required(PERMISSION, raise_exception=True)
@require_POST
def continue_(request: HttpRequest, run_id: int) -> HttpResponse:
    """Starts the wave that the page was about when the button was pressed."""
    run = run_or_404(run_id)
    wave = storable_id(request.POST.get("wave", ""))
    with refusals_shown(request):
        run = continue_run(run, by=actor_of(request), wave=wave)
        messages.success(request, _("Wave %(wave)d starts.") % {"wave": run.wave + 1})
    return HttpResponseRedirect(run_url(run.pk))
