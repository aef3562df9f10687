"""The forms of the automation page: sentences with gaps, and no cron for those who do not know it."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import HEAL_CONSEQUENCES, HealMode, SyncGroup, WatchMode
from accounts.other_changes import KeepsOtherChanges
from syncing.models import DEFAULT_GRACE, WEEK, Schedule, ScheduleKind, Window, WindowKind
from syncing.presentation.recurrence import EXPERT, REPEATS, cron_of, form_times

DAY = 24 * 60 * 60  # in seconds


class SentenceForm(KeepsOtherChanges, forms.Form):
    """A form whose fields stand in a sentence: each has its label only for those who do not see the sentence."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["aria-label"] = field.label


class WatchForm(SentenceForm):
    """What becomes of changes in the master, and of edits in slaves."""

    watch = forms.ChoiceField(label=_("When the master changes"), choices=WatchMode.choices)
    look_seconds = forms.IntegerField(label=_("Seconds between two looks"), min_value=1, max_value=DAY)
    quiet_seconds = forms.IntegerField(
        label=_("Seconds without a change before something happens"), min_value=1, max_value=DAY
    )
    heal = forms.ChoiceField(label=_("When somebody edits a slave"), choices=HealMode.choices)
    heal_consequences = [(mode.label, HEAL_CONSEQUENCES[mode]) for mode in HealMode]

    @staticmethod
    def initial_of(group: SyncGroup) -> dict[str, Any]:
        return {name: getattr(group, name) for name in ("watch", "look_seconds", "quiet_seconds", "heal")}

    @property
    def policy(self) -> dict[str, Any]:
        """Returns the keys of the policy that were changed."""
        return {name: self.cleaned_data[name] for name in self.changed_data}


class PauseForm(SentenceForm):
    """For how long a group is paused, and why."""

    hours = forms.FloatField(label=_("Hours"), min_value=1 / 60, max_value=366 * 24, initial=24)
    reason = forms.CharField(label=_("Reason"), max_length=500)


class TimesForm(SentenceForm):
    """Times that come again: a day and an hour, or a cron expression."""

    repeat = forms.ChoiceField(label=_("When"), choices=lambda: list(REPEATS.items()))
    time = forms.TimeField(
        label=_("At"), initial="03:00", widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    cron = forms.CharField(label=_("Cron expression"), required=False, max_length=100)
    time_zone = forms.CharField(label=_("Time zone"), required=False, max_length=64)

    @property
    def columns(self) -> dict[str, Any]:
        """Returns the values of the columns that it is about."""
        entered = self.cleaned_data
        cron = " ".join(entered["cron"].split())
        if entered["repeat"] != EXPERT:
            cron = cron_of(entered["repeat"], entered["time"].hour, entered["time"].minute)
        return {"kind": entered["kind"], "cron": cron, "time_zone": entered["time_zone"]}

    @staticmethod
    def initial_of(row: Schedule | Window) -> dict[str, Any]:
        """Returns what the form shows of a row."""
        repeat, time = form_times(row.cron)
        return {
            "kind": row.kind,
            "repeat": repeat,
            "time": time or "03:00",
            "cron": row.cron,
            "time_zone": row.time_zone,
        }


class ScheduleForm(TimesForm):
    kind = forms.ChoiceField(label=_("What"), choices=ScheduleKind.choices)
    grace = forms.IntegerField(label=_("Minutes"), min_value=0, max_value=WEEK, initial=DEFAULT_GRACE)

    @property
    def columns(self) -> dict[str, Any]:
        return super().columns | {"grace": self.cleaned_data["grace"]}

    @staticmethod
    def initial_of(row: Any) -> dict[str, Any]:
        return TimesForm.initial_of(row) | {"grace": row.grace}


class WindowForm(TimesForm):
    kind = forms.ChoiceField(label=_("What"), choices=WindowKind.choices)
    hours = forms.FloatField(label=_("Hours"), min_value=1 / 60, max_value=52 * 7 * 24, initial=8)

    @property
    def columns(self) -> dict[str, Any]:
        return super().columns | {"minutes": round(float(self.cleaned_data["hours"]) * 60)}

    @staticmethod
    def initial_of(row: Any) -> dict[str, Any]:
        return TimesForm.initial_of(row) | {"hours": round(row.minutes / 60, 4)}
