"""What the pages about runs have in common."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.kommo.answers import storable
from syncing.services.runs.start import CannotStart, Started


def refusal(error: CannotStart) -> str:
    return f"{error.message} {error.remedy}".strip()


def to_run(request: HttpRequest, started: Started) -> HttpResponseRedirect:
    """To the page of the run that was started or joined, with a word about it."""
    if started.joined:
        messages.info(request, _("A run like this was waiting already; this is it."))
    else:
        messages.success(request, _("Run %(number)s is queued.") % {"number": started.run.pk})
    return HttpResponseRedirect(run_url(started.run.pk))


def searched(request: HttpRequest) -> str:
    """What the search box of a page asks for."""
    return storable(request.GET.get("q", "")).strip()


def run_url(run_id: int) -> str:
    return reverse("admin:syncing_syncrun_change", args=[run_id])
