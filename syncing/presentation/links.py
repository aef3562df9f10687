"""Links between pages: to a run, and the text of a search box."""

import re
from typing import Protocol

from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext
from django.utils.translation import gettext as _

from accounts.kommo.texts import storable
from accounts.text_search import LONGEST
from syncing.models import SyncRun


class StartedRun(Protocol):
    """A run that was started, or `joined` as it was waiting already."""

    @property
    def run(self) -> SyncRun: ...

    @property
    def joined(self) -> bool: ...


def run_url(run_id: int) -> str:
    """Returns the address of the page of a run."""
    return reverse("admin:syncing_syncrun_change", args=[run_id])


def linking_runs(text: str) -> SafeString:
    """Returns a text in which each run that is named by its number is a link to its page; HTML stays as it is."""
    if isinstance(text, SafeString):
        return text
    words = "|".join(map(re.escape, {"run", gettext("run")}))
    named = re.compile(rf"\b(?:{words}) (\d{{1,18}})\b", re.IGNORECASE)
    return mark_safe(named.sub(_run_link, escape(text)))  # noqa: S308  (escaped before)


def _run_link(found: re.Match[str]) -> str:
    return format_html('<a href="{}">{}</a>', run_url(int(found[1])), found[0])


def to_run(request: HttpRequest, started: StartedRun) -> HttpResponseRedirect:
    """Redirects to the run that was started or joined, with a message about it."""
    if started.joined:
        messages.info(request, _("The same run was already waiting; this is its page."))
    else:
        messages.success(request, _("%(run)s was asked for.") % {"run": started.run})
    return HttpResponseRedirect(run_url(started.run.pk))


def searched(request: HttpRequest) -> str:
    """Returns the text in the search box of a page, as far as it is looked for."""
    return storable(request.GET.get("q", "")).strip()[:LONGEST]
