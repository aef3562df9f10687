"""The forms of the automation page: what happens by itself, without cron for those who do not know it."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import HealMode, WatchMode
from syncing.models import ScheduleKind, WindowKind
from syncing.presentation.recurrence import EXPERT, REPEATS, cron_of

MINUTES = 60


class WatchForm(forms.Form):
    """What becomes of changes in the master, and of edits in slaves."""

    watch = forms.ChoiceField(label=_("When the master changes"), choices=WatchMode.choices)
    look_minutes = forms.IntegerField(label=_("look at it every … minutes"), min_value=1, max_value=24 * MINUTES)
    quiet_minutes = forms.IntegerField(
        label=_("act when it has rested for … minutes"), min_value=1, max_value=24 * MINUTES
    )
    heal = forms.ChoiceField(label=_("When somebody edits a slave"), choices=HealMode.choices)

    @property
    def policy(self) -> dict[str, Any]:
        """Returns the keys of the policy that were changed: a look every 90 s stays one unless another is entered."""
        seconds = {"look_minutes": "look_seconds", "quiet_minutes": "quiet_seconds"}
        values = {name: self.cleaned_data[name] for name in self.changed_data}
        return {seconds.get(name, name): value * 60 if name in seconds else value for name, value in values.items()}


class TimesForm(forms.Form):
    """Times that come again: a day and an hour, or a cron expression."""

    repeat = forms.ChoiceField(label=_("When"), choices=lambda: list(REPEATS.items()))
    time = forms.TimeField(
        label=_("At"), initial="03:00", widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    cron = forms.CharField(
        label=_("Cron expression"),
        required=False,
        max_length=100,
        help_text=_("Only for “Cron expression”: minute, hour, day of the month, month, day of the week."),
    )

    def expression(self) -> str:
        if self.cleaned_data["repeat"] == EXPERT:
            return " ".join(self.cleaned_data["cron"].split())
        at = self.cleaned_data["time"]
        return cron_of(self.cleaned_data["repeat"], at.hour, at.minute)


class AddScheduleForm(TimesForm):
    kind = forms.ChoiceField(label=_("What"), choices=ScheduleKind.choices)
    field_order = ("kind", "repeat", "time", "cron")


class AddWindowForm(TimesForm):
    kind = forms.ChoiceField(label=_("What"), choices=WindowKind.choices)
    hours = forms.FloatField(label=_("For … hours"), min_value=1 / 60, max_value=52 * 7 * 24, initial=8)
    field_order = ("kind", "repeat", "time", "cron", "hours")

    @property
    def minutes(self) -> int:
        return round(float(self.cleaned_data["hours"]) * 60)
