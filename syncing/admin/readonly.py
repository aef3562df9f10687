"""Lists tables that nobody edits: id mappings, the log, snapshots of masters."""

import json
from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.admin.readonly import ReadOnlyAdmin
from syncing.models import IdMapping, LogEntry, MasterSnapshot
from syncing.presentation import badges
from syncing.presentation.labels import ACTIONS, KINDS, action_label, kind_label
from syncing.presentation.log_lines import log_text


class ActionFilter(admin.SimpleListFilter):
    title = _("action")
    parameter_name = "action"
    labels: Mapping[str, Any] = ACTIONS

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(self.labels.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{self.parameter_name: self.value()}) if self.value() else queryset


class KindFilter(ActionFilter):
    title = _("kind")
    parameter_name = "kind"
    labels = KINDS


@admin.register(IdMapping)
class IdMappingAdmin(ReadOnlyAdmin):
    list_display = ["account", "kind", "name", "parent", "master_key", "slave_key", "created_by_us", "created_at"]
    list_filter = [KindFilter, "created_by_us", "account__group"]
    list_select_related = ["account"]
    search_fields = [
        "name__finds",
        "parent__finds",
        "master_key",
        "slave_key",
        "account__subdomain__finds",
        "account__name__finds",
    ]
    list_per_page = 100


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin):
    list_display = ["at", "level_badge", "run_number", "account", "action_name", "kind_name", "name", "words"]
    list_filter = ["level", ActionFilter, KindFilter, "run__group"]
    list_select_related = ["account_run__account"]
    search_fields = ["name__finds", "message__finds", "account_run__account__subdomain__finds", "run__id__exact"]
    ordering = ["-pk"]
    list_per_page = 100
    show_full_result_count = False

    @admin.display(description=_("level"), ordering="level")
    def level_badge(self, entry: LogEntry) -> SafeString:
        return badges.badge(entry.level, entry.get_level_display())

    @admin.display(description=_("action"), ordering="action")
    def action_name(self, entry: LogEntry) -> str:
        return action_label(entry.action)

    @admin.display(description=_("kind"), ordering="kind")
    def kind_name(self, entry: LogEntry) -> str:
        return kind_label(entry.kind)

    @admin.display(description=_("message"), ordering="message")
    def words(self, entry: LogEntry) -> str:
        return log_text(entry)

    @admin.display(description=_("run"), ordering="run")
    def run_number(self, entry: LogEntry) -> str:
        return f"#{entry.run_id}"

    @admin.display(description=_("account"), ordering="account_run__account__subdomain")
    def account(self, entry: LogEntry) -> str:
        return str(entry.account_run.account) if entry.account_run else "—"


@admin.register(MasterSnapshot)
class MasterSnapshotAdmin(ReadOnlyAdmin):
    list_display = ["taken_at", "group", "type", "accepted", "size", "fingerprint"]
    list_filter = ["group", "type", "accepted"]
    fields = ("group", "type", "taken_at", "accepted", "size", "fingerprint", "content")
    readonly_fields = fields
    list_select_related = ["group"]
    list_per_page = 50

    @admin.display(description=_("items"))
    def size(self, snapshot: MasterSnapshot) -> str:
        document = snapshot.document
        pipelines = document.get("pipelines") or []
        parts = [
            (_("pipelines"), len(pipelines)),
            (_("stages"), sum(len(pipeline.get("stages") or []) for pipeline in pipelines)),
            (_("field groups"), len(document.get("groups") or [])),
            (_("custom fields"), len(document.get("fields") or [])),
        ]
        return ", ".join(f"{count} {name}" for name, count in parts if count)

    @admin.display(description=_("document"))
    def content(self, snapshot: MasterSnapshot) -> SafeString:
        text = json.dumps(snapshot.document, indent=2, ensure_ascii=False)
        return format_html('<pre class="ks-document">{}</pre>', text)
