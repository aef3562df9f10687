"""The admin pages of sync groups; syncing adds what concerns runs."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from accounts import badges
from accounts.admin.group_form import GroupForm
from accounts.models import Account, SyncGroup

if TYPE_CHECKING:  # generic for the type checker only
    GroupModelAdmin = admin.ModelAdmin[SyncGroup]
else:
    GroupModelAdmin = admin.ModelAdmin


@admin.register(SyncGroup)
class SyncGroupAdmin(GroupModelAdmin):
    list_display = (
        *("name", "master", "accounts_link", "sync_pipelines", "sync_custom_fields", "requires_approval"),
        "is_paused",
    )
    list_filter = ("requires_approval",)
    search_fields = ("name__finds",)
    form = GroupForm
    readonly_fields = ("created_at", "pause_state")
    fieldsets = (
        (None, {"fields": ("name",)}),
        (_("What is copied?"), {"fields": ("sync_pipelines", "sync_custom_fields")}),
        (
            _("What may be deleted?"),
            {
                "fields": (
                    *("unmatched_pipelines", "unmatched_stages"),
                    *("unmatched_groups", "unmatched_fields", "unmatched_options"),
                ),
                "description": _(
                    "A slave may have items that the master does not have. What is in use is never deleted, nor what "
                    "Kommo made itself. The API does not show which automations, Salesbots and widgets use a stage or "
                    "a field: they would miss it."
                ),
            },
        ),
        (_("When is a person asked?"), {"fields": ("requires_approval", "approver_must_differ")}),
        (
            _("What happens by itself?"),
            {
                "fields": ("watch", "heal", "drift_hours"),
                "description": _("These need a running worker. Schedules and windows are on the page Automation."),
            },
        ),
        (
            _("Limits"),
            {
                "fields": (
                    *("max_delete_share", "max_deletes", "max_update_share", "limit_minimum_items"),
                    *("max_master_shrink", "shrink_minimum_items"),
                ),
                "description": _(
                    "They are checked before the first write. Who overrides one has to give a reason, which is stored."
                ),
            },
        ),
        (
            _("In which steps does a run go?"),
            {
                "fields": ("wave_size", "wave_unit", "wave_hold", "wave_wait", "max_failure_share"),
                "description": _(
                    "A run that writes to the whole group goes in waves: first the pilots, then one wave after "
                    "the other."
                ),
            },
        ),
        (
            _("Times"),
            {
                "fields": (
                    *("time_zone", "snapshot_days", "quiet_seconds", "look_seconds"),
                    *("retry_minutes", "trigger_quiet_seconds"),
                ),
            },
        ),
    )

    def get_fieldsets(self, request: HttpRequest, obj: SyncGroup | None = None) -> Any:
        """Adds the pause that is on; it begins and ends by the actions of the list."""
        fieldsets = super().get_fieldsets(request, obj)
        is_paused = obj is not None and obj.is_paused
        return [*fieldsets, (_("Pause"), {"fields": ("pause_state",)})] if is_paused else fieldsets

    def get_queryset(self, request: HttpRequest) -> QuerySet[SyncGroup]:
        masters = Account.objects.filter(group=OuterRef("pk"), role=Account.Role.MASTER)
        return (
            super()
            .get_queryset(request)
            .annotate(account_count=Count("accounts"), master_subdomain=Subquery(masters.values("subdomain")[:1]))
        )

    @admin.display(description=_("master"), ordering="master_subdomain")
    def master(self, group: Any) -> str:
        return group.master_subdomain or badges.mark(badges.BAD, _("none"))

    @admin.display(description=_("paused"), ordering="paused")
    def is_paused(self, group: SyncGroup) -> str:
        return badges.pause(group)

    @admin.display(description=_("pause"))
    def pause_state(self, group: SyncGroup) -> str:
        return badges.pause_in_full(group)

    @admin.display(description=_("accounts"), ordering="account_count")
    def accounts_link(self, group: Any) -> str:
        url = reverse("admin:accounts_account_changelist")
        return format_html('<a href="{}?group__id__exact={}">{}</a>', url, group.pk, group.account_count)
