"""Schedules and windows as lists under Data; people set them on the page of the automation."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.own_words import translated
from accounts.pages import actor_of
from accounts.refusals import Refusal
from syncing.admin.console import InConsole
from syncing.models import Schedule, Window
from syncing.presentation.links import run_url
from syncing.selectors.schedules import coming
from syncing.selectors.windows import openings
from syncing.services import schedules, windows
from syncing.services.requirements import CHANGE_GROUP

if TYPE_CHECKING:  # generic for the type checker only
    WindowModelForm = forms.ModelForm[Window]
else:
    WindowModelForm = forms.ModelForm

SERVICES: dict[Any, Any] = {Schedule: schedules, Window: windows}


class OfChangers:
    """Lets those change schedules and windows who may change the group; others see them who may see it, or these."""

    opts: Any

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        seen = (f"syncing.view_{self.opts.model_name}", "accounts.view_syncgroup", CHANGE_GROUP)
        return any(request.user.has_perm(permission) for permission in seen)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(CHANGE_GROUP)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(CHANGE_GROUP)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(CHANGE_GROUP)


class ShowsTimes:
    @admin.display(description=_("next times"))
    def coming(self, row: Schedule | Window) -> SafeString:
        if not row.pk:
            return SafeString("—")
        times = coming(row) if isinstance(row, Schedule) else openings(row)
        # As a clock on the wall of their zone shows them.
        lines = [(date_format(time, "DATETIME_FORMAT"), f"{time:%Z}") for time in times]
        return format_html_join("", '<div class="ks-nowrap">{} {}</div>', lines) or SafeString("—")

    @admin.display(description=_("last run"))
    def last_run(self, schedule: Schedule) -> SafeString:
        """Links the last run; below it stands why the last time started none."""
        number = schedule.run_id
        link = format_html('<a href="{}">#{}</a>', run_url(number), number) if number else SafeString("—")
        if not schedule.problem:
            return link
        problem = translated(schedule.problem)
        return format_html('{} <div class="ks-reason" title="{}">{}</div>', link, problem, problem)


class RecurringAdmin(OfChangers, ShowsTimes, InConsole):
    """Stores through the services, so that every change is audited; the group stays the one it was added to."""

    list_select_related = ("group",)
    list_per_page = 100

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("group", *self.readonly_fields) if obj else self.readonly_fields

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        service = SERVICES[self.model]
        if change:
            service.change(obj, form.changed_data, by=actor_of(request))
        else:
            service.add(obj, by=actor_of(request))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        SERVICES[self.model].remove(obj, by=actor_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for row in queryset:
            self.delete_model(request, row)

    @admin.display(description=_("time zone"))
    def zone_name(self, row: Schedule | Window) -> str:
        return row.zone


@admin.register(Schedule)
class ScheduleAdmin(RecurringAdmin):
    list_display = ["cron", "kind", "group", "zone_name", "grace", "enabled", "coming", "last_run"]
    list_filter = ["group", "kind", "enabled"]
    search_fields = ["group__name__finds", "cron__finds", "time_zone__finds", "problem__finds"]
    fields = ("group", "kind", "cron", "time_zone", "grace", "enabled", "coming", "fired_at", "last_run")
    readonly_fields = ("coming", "fired_at", "last_run")


class WindowAdminForm(WindowModelForm):
    class Meta:
        model = Window
        fields = ("group", "kind", "cron", "minutes", "time_zone")

    def _post_clean(self) -> None:
        """Refuses it beside the group's others, once all of its values are known to be sound."""
        super()._post_clean()  # type: ignore[misc]
        if not self.errors:
            group = self.instance.group
            try:
                windows.require_open(group, group.windows.exclude(pk=self.instance.pk), [self.instance])
            except Refusal as error:
                self.add_error(None, str(error))


@admin.register(Window)
class WindowAdmin(RecurringAdmin):
    form = WindowAdminForm
    list_display = ["cron", "kind", "group", "minutes", "zone_name", "coming"]
    list_filter = ["group", "kind"]
    search_fields = ["group__name__finds", "cron__finds", "time_zone__finds"]
    fields = ("group", "kind", "cron", "minutes", "time_zone", "coming")
    readonly_fields = ("coming",)
