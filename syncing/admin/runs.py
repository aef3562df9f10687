"""Lists runs and account runs; a page of one of them is in syncing.views.runs."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.admin.readonly import ReadOnlyAdmin
from accounts.models import RELATED_SECRETS
from syncing.models import AccountRun, AccountState, SyncRun
from syncing.presentation import badges
from syncing.presentation.labels import account_state_label, duration
from syncing.selectors.runs import with_progress


@admin.register(SyncRun)
class SyncRunAdmin(ReadOnlyAdmin):
    list_display = [
        "number",
        "state_badge",
        "mode",
        "progress",
        "outcome",
        "created_at",
        "lasted",
        "asked_by",
        "type",
        "group",
    ]
    list_filter = ["state", "group", "type", "mode", "trigger", "created_at"]
    search_fields = [
        "id__exact",
        "group__name__finds",
        "requested_by__username__finds",
        "requester_name__finds",
        "reason__finds",
    ]
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[SyncRun]:
        return with_progress(super().get_queryset(request)).select_related("group", "requested_by")

    @admin.display(description=_("run"), ordering="pk")
    def number(self, run: SyncRun) -> str:
        return f"#{run.pk}"

    @admin.display(description=_("state"), ordering="state")
    def state_badge(self, run: SyncRun) -> SafeString:
        return badges.badge(run.state, run.get_state_display())

    @admin.display(description=_("accounts"))
    def progress(self, run: Any) -> str:
        return f"{run.accounts_done}/{run.accounts_total}"

    @admin.display(description=_("outcome"))
    def outcome(self, run: SyncRun) -> SafeString:
        """Shows the totals of account states that an ended run has stored."""
        counts = [(state, run.totals.get(state)) for state in AccountState.values]
        labels = format_html_join(
            " ",
            '<span class="ks-badge ks-{}" title="{}">{}</span>',
            ((badges.tone(state), account_state_label(state), count) for state, count in counts if count),
        )
        return format_html('<span class="ks-nowrap">{}</span>', labels) if labels else SafeString("—")

    @admin.display(description=_("trigger"), ordering="trigger")
    def asked_by(self, run: SyncRun) -> str:
        who = f" ({run.asked_by})" if run.asked_by else ""
        return f"{run.get_trigger_display()}{who}"

    @admin.display(description=_("duration"))
    def lasted(self, run: SyncRun) -> str:
        return duration(run)


@admin.register(AccountRun)
class AccountRunAdmin(ReadOnlyAdmin):
    list_display = [
        "number",
        "account",
        "state_badge",
        "reason",
        "created",
        "updated",
        "deleted",
        "adopted",
        "requests",
        "started_at",
        "lasted",
    ]
    list_filter = ["state", "reason", "run__group", "run__mode", "started_at"]
    search_fields = ["account__subdomain__finds", "account__name__finds", "run__id__exact"]
    ordering = ["-pk"]
    list_per_page = 100

    def get_queryset(self, request: HttpRequest) -> QuerySet[AccountRun]:
        return super().get_queryset(request).select_related("account", "run__group").defer(*RELATED_SECRETS)

    @admin.display(description=_("run"), ordering="pk")
    def number(self, account_run: AccountRun) -> str:
        return f"#{account_run.run_id}"

    @admin.display(description=_("state"), ordering="state")
    def state_badge(self, account_run: AccountRun) -> SafeString:
        return badges.badge(account_run.state, account_run.get_state_display())

    @admin.display(description=_("duration"))
    def lasted(self, account_run: AccountRun) -> str:
        return duration(account_run)
