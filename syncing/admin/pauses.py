"""Pauses in the admin: the actions of accounts and groups, and the checkbox of an account."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.confirmation import ask, is_confirmed
from accounts.models import Account
from accounts.pages import actor_of, refusals_shown
from accounts.refusals import Refusal
from syncing.services import pauses
from syncing.services.audit import LONGEST_REASON


class PauseActionForm(forms.Form):
    """Why and how long; the service reads both, and says what is wrong."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=LONGEST_REASON, widget=forms.TextInput(attrs={"class": "vTextField"})
    )
    hours = forms.FloatField(
        label=gettext_lazy("Hours"), required=False, help_text=gettext_lazy("24 if you give no hours and no end.")
    )
    until = forms.CharField(
        label=gettext_lazy("Or until"),
        required=False,
        widget=forms.TextInput(attrs={"type": "datetime-local"}),
    )

    def __init__(self, *args: Any, **facts: Any) -> None:
        super().__init__(*args, **facts)
        zone = timezone.get_current_timezone_name()
        self.fields["until"].help_text = _("In the time zone %(zone)s.") % {"zone": zone}

    def clean_until(self) -> str:
        """Returns the end with its zone, the one in which pages show it; the service refuses what is no time."""
        text: str = self.cleaned_data["until"]
        try:
            return timezone.make_aware(datetime.fromisoformat(text)).isoformat()
        except ValueError:
            return text


class PauseActions:
    """Pauses and resumes what is selected, for those who may change it."""

    @admin.action(permissions=["change"], description=gettext_lazy("Pause"))
    def pause_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        form = PauseActionForm(request.POST if is_confirmed(request) else None)
        if form.is_valid():
            facts = {"hours": form.cleaned_data["hours"], "until": form.cleaned_data["until"] or None}
            try:
                paused = pauses.pause(
                    _things(queryset), reason=form.cleaned_data["reason"], by=actor_of(request), **facts
                )
            except Refusal as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, _("%(n)d paused.") % {"n": len(paused)})
                return None
        return ask(
            request,
            self,  # type: ignore[arg-type]
            queryset,
            action="pause_selected",
            title=_("Pause"),
            question=_("No run touches these while they are paused. The pause ends by itself."),
            button=_("Pause"),
            template="syncing/confirm_pause.html",
            form=form,
        )

    @admin.action(permissions=["change"], description=gettext_lazy("Resume"))
    def resume_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with refusals_shown(request):
            ended = pauses.resume(_things(queryset), by=actor_of(request))
            messages.success(request, _("%(n)d resumed.") % {"n": len(ended)})


def _things(queryset: QuerySet[Any]) -> list[Any]:
    return list(queryset.select_related("group") if queryset.model is Account else queryset)


def store_checkbox(request: HttpRequest, account: Account) -> None:
    """Stores the pause that the checkbox of the account's form began, without an end, or ended."""
    if account.paused:
        pauses.begin(account, until=None, by=actor_of(request))
    else:
        pauses.end(account, by=actor_of(request))
