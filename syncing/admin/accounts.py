"""Adds the last run, and planning or syncing a selection, to the accounts' own admin."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin import AccountAdmin, SyncGroupAdmin
from accounts.models import SECRETS, Account, AccountEvent, Invite, SyncGroup
from accounts.pages import actor_of, page, refusals_shown
from syncing.admin.console import InConsole
from syncing.admin.drift import DriftFilter, drift_link
from syncing.admin.exclusions import ExclusionInline
from syncing.admin.pauses import PauseActions, store_checkbox
from syncing.admin.policy import note_policy
from syncing.models import (
    AcceptedDifference,
    AccountRun,
    AccountState,
    Drift,
    DriftChange,
    Exclusion,
    IdMapping,
    LogEntry,
    MasterSnapshot,
    Message,
    PendingCreation,
    PromotionProposal,
    RunMode,
    Schedule,
    SlaveSnapshot,
    StoredName,
    SyncRun,
    Window,
)
from syncing.policy import may_delete
from syncing.presentation import badges
from syncing.presentation.labels import account_state_label
from syncing.presentation.links import run_url, to_run
from syncing.selectors.runs import with_last_run
from syncing.selectors.standing import with_standing
from syncing.services import exclusions, schedules
from syncing.services.runs.start import start_run

HISTORY_OF_RUNS = (SyncRun, AccountRun, IdMapping, LogEntry, MasterSnapshot, SlaveSnapshot, PromotionProposal)
AUTOMATION = (Schedule, Window, Message)
HISTORY_OF_ACCOUNTS = (
    AccountEvent,
    Invite,
    Drift,
    DriftChange,
    AcceptedDifference,
    Exclusion,
    StoredName,
    PendingCreation,
)
HISTORY = HISTORY_OF_RUNS + HISTORY_OF_ACCOUNTS + AUTOMATION


class DeletesHistory:
    """Lets an account or a group be deleted with its history, though nobody may delete that by itself."""

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        to_delete, counts, lacking, protected = super().get_deleted_objects(objs, request)  # type: ignore[misc]
        history = {model._meta.verbose_name for model in HISTORY}
        return to_delete, counts, {name for name in lacking if name not in history}, protected


class LastRunFilter(admin.SimpleListFilter):
    title = gettext_lazy("last run")
    parameter_name = "last_state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [*AccountState.choices, ("never", _("Never"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            return queryset
        if self.value() == "never":
            return queryset.filter(last_state=None)
        return queryset.filter(last_state=self.value())


admin.site.unregister(Account)
admin.site.unregister(SyncGroup)


COLUMNS = list(AccountAdmin.list_display)
AFTER_HEALTH = COLUMNS.index("health_badge") + 1


@admin.register(Account)
class SyncedAccountAdmin(InConsole, DeletesHistory, PauseActions, AccountAdmin):
    # Health, last run and drift side by side: they tell whether somebody is needed.
    list_display = [*COLUMNS[:AFTER_HEALTH], "last_run", "drift_state", *COLUMNS[AFTER_HEALTH:]]  # type: ignore[assignment]
    list_filter = (*AccountAdmin.list_filter, LastRunFilter, DriftFilter)  # type: ignore[assignment]
    list_select_related = ("group", "drift")  # type: ignore[assignment]
    actions = [
        *(AccountAdmin.actions or []),
        *("plan_selected", "sync_selected", "pause_selected", "resume_selected"),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        accounts = with_standing(with_last_run(super().get_queryset(request)), timezone.now())
        return accounts.defer(*SECRETS, "drift__differences")

    @admin.display(description=gettext_lazy("last run"), ordering="last_state")
    def last_run(self, account: Any) -> SafeString | str:
        if account.last_state is None:
            return "—"
        url = reverse("admin:syncing_accountrun_change", args=[account.last_account_run])
        label = badges.badge(account.last_state, account_state_label(account.last_state))
        return format_html('<a href="{}">{}</a>', url, label)

    @admin.display(description=gettext_lazy("drift"), ordering="drift__count")
    def drift_state(self, account: Any) -> SafeString | str:
        return drift_link(account)

    def get_inlines(self, request: HttpRequest, obj: Account | None) -> Any:
        """Adds the exclusions to the page of a slave; a new account has none yet."""
        is_slave = obj is not None and obj.role == Account.Role.SLAVE
        return [*super().get_inlines(request, obj), *([ExclusionInline] if is_slave else [])]

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        before = exclusions.described(form.instance)
        super().save_formset(request, form, formset, change)
        exclusions.note_change(form.instance, before, by=actor_of(request))

    def save_model(self, request: HttpRequest, obj: Account, form: Any, change: bool) -> None:
        """Stores the account, and offers the first plan of a slave that comes to a group."""
        super().save_model(request, obj, form, change)
        note_policy(request, form, obj, only=["is_pilot"])
        if "paused" in form.changed_data:
            store_checkbox(request, obj)
        if "group" in form.changed_data and obj.role == Account.Role.SLAVE and self.has_plan_sync_permission(request):
            url = f"{reverse('syncing:start', args=[obj.group_id, RunMode.PLAN])}?account={obj.pk}"
            link = format_html('<a href="{}">{}</a>', url, _("plan its first sync"))
            messages.info(
                request,
                format_html(_("As soon as the account is connected, {link}. A plan writes nothing."), link=link),
            )

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *more: Any, **named: Any
    ) -> HttpResponse | None:
        """Goes back to the list of the console when an action that was chosen there has asked nothing."""
        response = super().response_action(request, queryset, *more, **named)
        back = request.POST.get("back", "")
        ended = isinstance(response, HttpResponseRedirect) and response.url == request.get_full_path()
        if ended and url_has_allowed_host_and_scheme(back, allowed_hosts=None):
            return HttpResponseRedirect(back)
        return response

    def page_after(self, obj: Account) -> str:
        return reverse("syncing:account", args=[obj.pk])

    def has_plan_sync_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("syncing.plan_sync")

    def has_start_sync_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("syncing.start_sync")

    @admin.action(description=gettext_lazy("Plan selected accounts"), permissions=["plan_sync"])
    def plan_selected(self, request: HttpRequest, queryset: QuerySet[Account]) -> HttpResponse | None:
        return self._confirm_or_start(request, queryset, "plan_selected", RunMode.PLAN)

    @admin.action(description=gettext_lazy("Sync selected accounts"), permissions=["start_sync"])
    def sync_selected(self, request: HttpRequest, queryset: QuerySet[Account]) -> HttpResponse | None:
        return self._confirm_or_start(request, queryset, "sync_selected", RunMode.APPLY)

    def _confirm_or_start(
        self, request: HttpRequest, accounts: QuerySet[Account], action: str, mode: RunMode
    ) -> HttpResponse | None:
        """Shows the confirmation page; once confirmed, starts a run per group."""
        chosen = list(accounts.select_related("group").defer(*SECRETS).order_by("group", "subdomain"))
        slaves = [account for account in chosen if account.role == Account.Role.SLAVE]
        if not slaves:
            messages.warning(request, _("Nothing to do: no slave among the selected accounts."))
            return None
        if "confirmed" in request.POST:
            return _start_run_per_group(request, slaves, mode)
        context = {
            "title": getattr(self, action).short_description,
            "opts": self.opts,
            "action": action,
            "checkbox": ACTION_CHECKBOX_NAME,
            "selected": list(accounts.values_list("pk", flat=True)),
            "writes": mode == RunMode.APPLY,
            "deletes": any(may_delete(account.group) for account in slaves),
            "slaves": [account for account in slaves if not account.is_paused],
            "paused": [account for account in slaves if account.is_paused],
            "masters": [account for account in chosen if account.role == Account.Role.MASTER],
        }
        return page(request, "syncing/confirm_selection.html", context)


def _start_run_per_group(request: HttpRequest, slaves: list[Account], mode: RunMode) -> HttpResponse | None:
    """Starts a run of each group with these slaves, and goes to what it started."""
    by_group: dict[SyncGroup, list[Account]] = {}
    for account in slaves:
        by_group.setdefault(account.group, []).append(account)
    started = []
    for group, accounts in by_group.items():
        with refusals_shown(request, about=str(group)):
            started.append(start_run(group=group, mode=mode, accounts=accounts, by=actor_of(request)))
    if len(started) == 1:
        return to_run(request, started[0])
    for each in started:
        text = format_html('<a href="{}">{}</a>', run_url(each.run.pk), capfirst(str(each.run)))
        messages.success(request, text)
    return HttpResponseRedirect(reverse("syncing:runs")) if started else None


@admin.register(SyncGroup)
class SyncedGroupAdmin(InConsole, DeletesHistory, PauseActions, SyncGroupAdmin):
    """Audits changes of the policy; the buttons are in templates/admin/accounts/syncgroup/change_form.html."""

    actions = ["pause_selected", "resume_selected"]

    def save_model(self, request: HttpRequest, obj: SyncGroup, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        note_policy(request, form, obj)
        if change and "time_zone" in form.changed_data:
            schedules.zone_changed(obj)
