"""The page of what happens by itself, and what its forms change: watcher, healing, schedules, windows, pauses."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.actors import Actor
from accounts.kommo.texts import storable_id
from accounts.models import Account, SyncGroup
from accounts.pages import actor_of, page, refusals_shown
from accounts.refusals import Refusal
from syncing.models import Schedule, Window
from syncing.selectors.automation_page import GroupAutomation, groups_with_automation
from syncing.services import pauses, schedules, windows
from syncing.services.policy import set_policy
from syncing.services.requirements import CHANGE_GROUP
from syncing.views.automation_forms import PauseForm, ScheduleForm, TimesForm, WatchForm, WindowForm

Change = Callable[..., Form | None]
Recurring = TypeVar("Recurring", Schedule, Window)


@permission_required("accounts.view_syncgroup", raise_exception=True)
@require_safe
def automation(request: HttpRequest) -> HttpResponse:
    return _page(request)


def _page(request: HttpRequest, rejected: Form | None = None) -> HttpResponse:
    """Shows the page; a form that was `rejected` stands in its place, with what was entered and what is wrong."""
    may = request.user.has_perm
    context = {
        "title": _("Automation"),
        "groups": [_with_forms(each, rejected) for each in groups_with_automation()],
        "may_change": may(CHANGE_GROUP),
        "may_resume": may("accounts.change_account"),
    }
    return page(request, "console/automation.html", context)


def _with_forms(found: GroupAutomation, rejected: Form | None) -> dict[str, Any]:
    """Returns a group with its forms; the `rejected` one is among them if it is of this group."""

    def form(kind: type[Form], place: str, initial: dict[str, Any] | None = None) -> Form:
        ids = f"{place}-%s"
        return rejected if rejected and rejected.auto_id == ids else kind(initial=initial, auto_id=ids)

    group = found.group
    place = f"group-{group.pk}"
    return {
        "found": found,
        "watch": form(WatchForm, f"{place}-watch", WatchForm.initial_of(group)),
        "pause": form(PauseForm, f"{place}-pause"),
        "schedules": [
            (each, form(ScheduleForm, f"schedule-{each.row.pk}", ScheduleForm.initial_of(each.row)))
            for each in found.schedules
        ],
        "windows": [
            (each, form(WindowForm, f"window-{each.row.pk}", WindowForm.initial_of(each.row))) for each in found.windows
        ],
        "add_schedule": form(ScheduleForm, f"{place}-schedule"),
        "add_window": form(WindowForm, f"{place}-window"),
    }


def changing(view: Change) -> Callable[..., HttpResponse]:
    """Lets in a POST of who may change groups; goes back to the page, or shows the form that the view rejects in it."""

    @permission_required(CHANGE_GROUP, raise_exception=True)
    @require_POST
    @wraps(view)
    def changed(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        rejected = None
        with refusals_shown(request):
            rejected = view(request, *args, **kwargs)
        return _page(request, rejected) if rejected else HttpResponseRedirect(reverse("syncing:automation"))

    return changed


def _stored(request: HttpRequest, group: SyncGroup, form: Form, store: Callable[[Actor], object]) -> Form | None:
    """Stores what a form says, and tells so; returns the form, with the reason in it, if that is not possible."""
    if form.is_valid():
        try:
            store(actor_of(request))
        except Refusal as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("The automation of %(group)s was changed.") % {"group": group})
    return None if form.is_valid() else form


@changing
def watch(request: HttpRequest, group_id: int) -> Form | None:
    group = get_object_or_404(SyncGroup, pk=group_id)
    form = WatchForm(request.POST, initial=WatchForm.initial_of(group), auto_id=f"group-{group_id}-watch-%s")
    return _stored(request, group, form, lambda by: set_policy(group, form.policy, by))


@changing
def pause(request: HttpRequest, group_id: int) -> Form | None:
    group = get_object_or_404(SyncGroup, pk=group_id)
    form = PauseForm(request.POST, auto_id=f"group-{group_id}-pause-%s")
    return _stored(request, group, form, lambda by: pauses.pause([group], by=by, **form.cleaned_data))


@changing
def add_schedule(request: HttpRequest, group_id: int) -> Form | None:
    group = get_object_or_404(SyncGroup, pk=group_id)
    form = ScheduleForm(request.POST, auto_id=f"group-{group_id}-schedule-%s")
    return _stored(request, group, form, lambda by: schedules.add(Schedule(group=group, **form.columns), by=by))


@changing
def change_schedule(request: HttpRequest, schedule_id: int) -> Form | None:
    schedule = _row(Schedule, schedule_id)
    form = ScheduleForm(request.POST, initial=ScheduleForm.initial_of(schedule), auto_id=f"schedule-{schedule_id}-%s")
    return _stored(request, schedule.group, form, lambda by: schedules.change(*_with_values(schedule, form), by=by))


@changing
def switch_schedule(request: HttpRequest, schedule_id: int) -> None:
    """Switches a schedule on or off."""
    schedule = _row(Schedule, schedule_id)
    schedule.enabled = request.POST.get("enabled") == "yes"
    schedules.change(schedule, ["enabled"], by=actor_of(request))


@changing
def remove_schedule(request: HttpRequest, schedule_id: int) -> None:
    schedules.remove(_row(Schedule, schedule_id), by=actor_of(request))
    messages.success(request, _("The schedule was removed."))


@changing
def add_window(request: HttpRequest, group_id: int) -> Form | None:
    group = get_object_or_404(SyncGroup, pk=group_id)
    form = WindowForm(request.POST, auto_id=f"group-{group_id}-window-%s")
    return _stored(request, group, form, lambda by: windows.add(Window(group=group, **form.columns), by=by))


@changing
def change_window(request: HttpRequest, window_id: int) -> Form | None:
    window = _row(Window, window_id)
    form = WindowForm(request.POST, initial=WindowForm.initial_of(window), auto_id=f"window-{window_id}-%s")
    return _stored(request, window.group, form, lambda by: windows.change(*_with_values(window, form), by=by))


@changing
def remove_window(request: HttpRequest, window_id: int) -> None:
    windows.remove(_row(Window, window_id), by=actor_of(request))
    messages.success(request, _("The window was removed."))


@permission_required("accounts.view_syncgroup", raise_exception=True)
@require_POST
def resume(request: HttpRequest) -> HttpResponse:
    """Ends the pause of the `group` or the `account` whose id is in the form; the service asks for the permission."""
    group_id, account_id = (storable_id(request.POST.get(name, "")) for name in ("group", "account"))
    with refusals_shown(request):
        if group_id is not None:
            ended = pauses.resume([get_object_or_404(SyncGroup, pk=group_id)], by=actor_of(request))
        else:
            account = get_object_or_404(Account.objects.select_related("group"), pk=account_id)
            ended = pauses.resume([account], by=actor_of(request))
        if ended:
            messages.success(request, _("The pause has ended."))
        else:
            messages.warning(request, _("Nothing was changed: the pause had ended already."))
    return HttpResponseRedirect(reverse("syncing:automation"))


def _row(kind: type[Recurring], key: int) -> Recurring:
    return get_object_or_404(kind.objects.select_related("group"), pk=key)


def _with_values(row: Recurring, form: TimesForm) -> tuple[Recurring, list[str]]:
    """Returns a row with the values of the form, and the names of the columns that these are."""
    for name, value in form.columns.items():
        setattr(row, name, value)
    return row, list(form.columns)
