"""Shows the entries of the audit as they are stored; nobody changes them."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin.readonly import ReadOnlyAdmin
from accounts.badges import IDLE, INFO, OK, WARN, mark
from syncing.models import AuditAction, AuditEntry, Trigger
from syncing.presentation.audit_words import told
from syncing.presentation.labels import trigger_label

TONES = {
    **dict.fromkeys((AuditAction.OVERRODE, AuditAction.ROLLED_BACK, AuditAction.POLICY, AuditAction.LOCKED_OUT), WARN),
    AuditAction.FACTOR_OFF: WARN,
    **dict.fromkeys((AuditAction.APPROVED, AuditAction.PROMOTED), OK),
    **dict.fromkeys((AuditAction.CANCELLED, AuditAction.WITHDREW, AuditAction.SENT_BACK), IDLE),
}


class ViaFilter(admin.SimpleListFilter):
    title = _("trigger")
    parameter_name = "via"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(Trigger.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(via=self.value()) if self.value() else queryset


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ["at", "actor", "way", "action_badge", "group", "account", "run_link", "reason"]
    list_filter = ["action", ViaFilter, ("group", admin.AllValuesFieldListFilter), "at"]
    search_fields = ["actor__finds", "group__finds", "account__finds", "reason__finds", "run__exact"]
    search_help_text = _("Who, group, account, reason, or the number of a run")
    date_hierarchy = "at"
    ordering = ["-pk"]
    list_per_page = 100
    show_full_result_count = False
    fields = ("at", "actor", "way", "action_badge", "group", "account", "run_link", "reason", "content")
    readonly_fields = fields

    @admin.display(description=_("via"), ordering="via")
    def way(self, entry: AuditEntry) -> str:
        return trigger_label(entry.via)

    @admin.display(description=_("action"), ordering="action")
    def action_badge(self, entry: AuditEntry) -> SafeString:
        return mark(TONES.get(AuditAction(entry.action), INFO), entry.get_action_display())

    @admin.display(description=_("run"), ordering="run")
    def run_link(self, entry: AuditEntry) -> SafeString | str:
        """Links the run by its number, which stays when the run is gone."""
        if entry.run is None:
            return "—"
        url = reverse("admin:syncing_syncrun_change", args=[entry.run])
        return format_html('<a href="{}">#{}</a>', url, entry.run)

    @admin.display(description=_("details"))
    def content(self, entry: AuditEntry) -> SafeString:
        lines = format_html_join("", "<div>{}</div>", ((line,) for line in told(entry)))
        text = json.dumps(entry.details, indent=2, ensure_ascii=False)
        stored = format_html(
            '<details><summary>{}</summary><pre class="ks-document">{}</pre></details>',
            gettext("As it is stored"),
            text,
        )
        return lines + stored
