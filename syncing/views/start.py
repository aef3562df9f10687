"""Starts a plan or a sync of a group, or of one of its slaves, once it is confirmed."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from accounts import clock
from accounts.kommo.texts import storable_id
from accounts.models import SECRETS, Account, SyncGroup
from accounts.pages import actor_of, page, refusals_shown
from syncing.models import RunMode, RunType
from syncing.policy import may_delete
from syncing.presentation.holds import frozen_sentence, paused_sentence
from syncing.presentation.links import to_run
from syncing.services.audit import LONGEST_NAME, LONGEST_REASON
from syncing.services.runs.retry import FORCE
from syncing.services.runs.start import PERMISSION, start_run
from syncing.services.runs.wave_split import preview

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


def _one_line(label: "StrOrPromise", help_text: "StrOrPromise", longest: int = LONGEST_REASON) -> forms.CharField:
    """Returns an optional field of one line, as wide as those of the admin."""
    line = forms.TextInput(attrs={"class": "vTextField"})
    return forms.CharField(label=label, required=False, max_length=longest, widget=line, help_text=help_text)


class StartForm(forms.Form):
    type = forms.ChoiceField(label=_("What"), choices=RunType.choices, initial=RunType.FULL, widget=forms.RadioSelect)
    name = _one_line(_("Name"), _("The list of runs shows it, so that you find this run again."), LONGEST_NAME)
    wish = _one_line(_("Reason"), _("Who looks at the run later sees why you started it."))
    force_reason = _one_line(
        _("Reason for writing all the same"),
        _("It is stored. A run that is forced is not stopped by the limits of the group either."),
    )


def may_start(request: HttpRequest, mode: str) -> bool:
    """Tells if the person who is logged in may start runs with this mode."""
    return mode in PERMISSION and request.user.has_perm(PERMISSION[RunMode(mode)])


def require_start(request: HttpRequest, mode: str) -> None:
    """Raises PermissionDenied unless the person who is logged in may start runs with this mode."""
    if not may_start(request, mode):
        raise PermissionDenied


@require_http_methods(["GET", "POST"])
def start(request: HttpRequest, group_id: int, mode: str) -> HttpResponse:
    """Asks (GET), and starts (POST); a POST without a type (the plan button) means everything.

    ?account= starts it for one slave, not the whole group.
    """
    require_start(request, mode)
    group = get_object_or_404(SyncGroup, pk=group_id)
    slaves, number = group.accounts.filter(role=Account.Role.SLAVE).defer(*SECRETS), request.GET.get("account", "")
    account = get_object_or_404(slaves, pk=storable_id(number)) if number else None
    form = StartForm({"type": RunType.FULL, **request.POST.dict()} if request.method == "POST" else None)
    if form.is_valid():
        reason = form.cleaned_data["force_reason"]
        if reason and not request.user.has_perm(FORCE):
            raise PermissionDenied
        with refusals_shown(request):
            started = start_run(
                group=group,
                type=form.cleaned_data["type"],
                mode=mode,
                by=actor_of(request),
                accounts=[account] if account else None,
                forced=bool(reason),
                force_reason=reason,
                name=form.cleaned_data["name"],
                wish=form.cleaned_data["wish"],
            )
            return to_run(request, started)
    return page(request, "syncing/confirm_start.html", _confirmation(group, mode, form, account))


def _confirmation(group: SyncGroup, mode: str, form: StartForm, account: Account | None) -> dict[str, Any]:
    """Returns what the page shows before the start of a run; account None: a run of the whole group."""
    if account is not None:
        title = _("Plan %(account)s") if mode == RunMode.PLAN else _("Sync %(account)s")
    else:
        title = _("Plan the whole group") if mode == RunMode.PLAN else _("Sync the whole group")
    accounts = list(group.accounts.defer(*SECRETS).order_by("subdomain"))
    slaves = [account] if account else [each for each in accounts if each.role == Account.Role.SLAVE]
    active = [each for each in slaves if not each.is_paused]
    return {
        "title": title % {"account": account},
        "group": group,
        "writes": mode == RunMode.APPLY,
        "deletes": may_delete(group),
        "form": form,
        "master": next((each for each in accounts if each.role == Account.Role.MASTER), None),
        "slaves": active,
        "waves": preview(group, active) if mode == RunMode.APPLY else [],
        "paused": [each for each in slaves if each.is_paused],
        "kept_from_it": paused_sentence(group)
        or (frozen_sentence(group, clock.now()) if mode == RunMode.APPLY else ""),
        "is_frozen": not group.is_paused,
    }
