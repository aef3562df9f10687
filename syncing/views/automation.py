"""The page of what happens by itself, and what its forms change: watcher, healing, schedules, windows, pauses."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.kommo.texts import storable_id
from accounts.models import Account, SyncGroup
from accounts.pages import actor_of, page, refusals_shown
from syncing.models import Schedule, Window
from syncing.selectors.automation_page import GroupAutomation, groups_with_automation
from syncing.services import pauses, schedules, windows
from syncing.services.policy import set_policy
from syncing.services.requirements import CHANGE_GROUP
from syncing.views.automation_forms import AddScheduleForm, AddWindowForm, WatchForm

Change = Callable[..., None]


@permission_required("accounts.view_syncgroup", raise_exception=True)
@require_safe
def automation(request: HttpRequest) -> HttpResponse:
    may = request.user.has_perm
    context = {
        "title": _("Automation"),
        "groups": [_with_forms(each) for each in groups_with_automation()],
        "may_change": may(CHANGE_GROUP),
        "may_resume": may("accounts.change_account"),
    }
    return page(request, "console/automation.html", context)


def _with_forms(found: GroupAutomation) -> dict[str, Any]:
    prefix = f"group-{found.group.pk}"
    return {
        "found": found,
        "watch": WatchForm(initial=_initial(found.group), auto_id=f"{prefix}-%s"),
        "add_schedule": AddScheduleForm(auto_id=f"{prefix}-schedule-%s"),
        "add_window": AddWindowForm(auto_id=f"{prefix}-window-%s"),
    }


def _initial(group: SyncGroup) -> dict[str, Any]:
    """Returns what the form of the watcher shows; whole minutes of what is stored in seconds, at least one."""
    minutes = {name: max(1, round(getattr(group, f"{name}_seconds") / 60)) for name in ("look", "quiet")}
    return {"watch": group.watch, "heal": group.heal, **{f"{name}_minutes": value for name, value in minutes.items()}}


def changing(view: Change) -> Callable[..., HttpResponse]:
    """Lets in a POST of who may change groups; goes back to the page, with what was refused as a message."""

    @permission_required(CHANGE_GROUP, raise_exception=True)
    @require_POST
    @wraps(view)
    def changed(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with refusals_shown(request):
            view(request, *args, **kwargs)
        return HttpResponseRedirect(reverse("syncing:automation"))

    return changed


@changing
def watch(request: HttpRequest, group_id: int) -> None:
    group = get_object_or_404(SyncGroup, pk=group_id)
    form = WatchForm(request.POST, initial=_initial(group))
    if _is_valid(request, form) and set_policy(group, form.policy, actor_of(request)):
        messages.success(request, _("The automation of %(group)s was changed.") % {"group": group})


@changing
def add_schedule(request: HttpRequest, group_id: int) -> None:
    form = AddScheduleForm(request.POST)
    if _is_valid(request, form):
        group = get_object_or_404(SyncGroup, pk=group_id)
        schedule = Schedule(group=group, kind=form.cleaned_data["kind"], cron=form.expression())
        schedules.add(schedule, by=actor_of(request))
        messages.success(request, _("The schedule was added."))


@changing
def switch_schedule(request: HttpRequest, schedule_id: int) -> None:
    """Switches a schedule on or off."""
    schedule = get_object_or_404(Schedule.objects.select_related("group"), pk=schedule_id)
    schedule.enabled = request.POST.get("enabled") == "yes"
    schedules.change(schedule, ["enabled"], by=actor_of(request))


@changing
def remove_schedule(request: HttpRequest, schedule_id: int) -> None:
    schedule = get_object_or_404(Schedule.objects.select_related("group"), pk=schedule_id)
    schedules.remove(schedule, by=actor_of(request))
    messages.success(request, _("The schedule was removed."))


@changing
def add_window(request: HttpRequest, group_id: int) -> None:
    form = AddWindowForm(request.POST)
    if _is_valid(request, form):
        group = get_object_or_404(SyncGroup, pk=group_id)
        window = Window(group=group, kind=form.cleaned_data["kind"], cron=form.expression(), minutes=form.minutes)
        windows.add(window, by=actor_of(request))
        messages.success(request, _("The window was added."))


@changing
def remove_window(request: HttpRequest, window_id: int) -> None:
    window = get_object_or_404(Window.objects.select_related("group"), pk=window_id)
    windows.remove(window, by=actor_of(request))
    messages.success(request, _("The window was removed."))


@permission_required("accounts.view_syncgroup", raise_exception=True)
@require_POST
def resume(request: HttpRequest) -> HttpResponse:
    """Ends the pause of the `group` or the `account` whose id is in the form; the service asks for the permission."""
    group_id, account_id = (storable_id(request.POST.get(name, "")) for name in ("group", "account"))
    with refusals_shown(request):
        if group_id is not None:
            pauses.resume([get_object_or_404(SyncGroup, pk=group_id)], by=actor_of(request))
        else:
            account = get_object_or_404(Account.objects.select_related("group"), pk=account_id)
            pauses.resume([account], by=actor_of(request))
        messages.success(request, _("The pause has ended."))
    return HttpResponseRedirect(reverse("syncing:automation"))


def _is_valid(request: HttpRequest, form: Form) -> bool:
    """Tells whether a form is; says as a message what is wrong with which of its fields."""
    for name, errors in form.errors.items():
        label = form.fields[name].label if name in form.fields else ""
        messages.error(request, f"{label}: {' '.join(map(str, errors))}")
    return form.is_valid()
