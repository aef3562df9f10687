"""The admin pages of accounts; syncing adds what concerns runs."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from accounts import badges, conf
from accounts.admin import importing
from accounts.admin.exporting import AccountExportAdmin
from accounts.admin.filters import TokenFilter
from accounts.admin.readonly import without_field
from accounts.confirmation import ask, is_confirmed
from accounts.forms import AccountForm
from accounts.models import SECRETS, Account, TokenPair
from accounts.own_words import translated
from accounts.pages import actor_of, invite_many_page
from accounts.services.connecting.invites import chosen_accounts
from accounts.services.credentials.clients import give_up_pair
from accounts.services.health.bulk_check import start_check
from accounts.services.importing.values import IS_SET

EVENTS_SHOWN = 10


@admin.register(Account)
class AccountAdmin(AccountExportAdmin):
    """Never loads a secret: what the page cannot hold it cannot show."""

    form = AccountForm
    change_list_template = "accounts/account_change_list.html"
    list_display = ("label", "address", "health_badge", "role", "group", "token_expiry", "pilot", "is_paused")
    list_display_links = ("label",)
    list_filter = ("role", "group", "health", TokenFilter, "is_pilot", "paused")
    list_select_related = ("group",)
    list_per_page = 150
    search_fields = ("name__finds", "subdomain__finds", "kommo_id")
    search_help_text = _("Name, subdomain or Kommo id")
    actions = ["check_connection", "make_invites", "export_selected"]
    readonly_fields = (
        *("kommo_id", "health_badge", "checked_at", "token_state", "pair_state", "token_expiry", "created_at"),
        *("history", "pause_state"),
    )
    fieldsets = (
        (_("Which account is it?"), {"fields": ("subdomain", "name", "group", "role")}),
        (_("Connected by a long-lived token"), {"fields": ("new_token", "token_state")}),
        (_("Or connected by OAuth"), {"fields": ("integration", "pair_state", "contact_email")}),
        (_("In runs"), {"fields": ("is_pilot", "paused", "pause_state")}),
        (
            _("Connection"),
            {"fields": ("health_badge", "token_expiry", "checked_at", "kommo_id", "created_at", "history")},
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        has_token = ExpressionWrapper(~Q(token=""), output_field=BooleanField())
        return super().get_queryset(request).defer(*SECRETS).annotate(has_token=has_token)

    def get_fieldsets(self, request: HttpRequest, obj: Account | None = None) -> Any:
        if obj is None:
            return (
                (_("Which account is it?"), {"fields": ("subdomain", "name", "group", "role")}),
                (_("Connected by a long-lived token"), {"fields": ("new_token",)}),
                (_("Or connected by OAuth"), {"fields": ("integration", "contact_email")}),
                (_("In runs"), {"fields": ("is_pilot", "paused")}),
            )
        fieldsets = super().get_fieldsets(request, obj)
        if self.has_change_permission(request, obj):
            return fieldsets
        return without_field(fieldsets, "new_token")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("import/", view(importing.upload_view), name="accounts_account_import"),
            path("process_import/", view(importing.confirm_view), name="accounts_account_process_import"),
            path("export/", view(self.export_view), name="accounts_account_export"),
            *super().get_urls(),
        ]

    # -- columns --

    @admin.display(description=_("name"), ordering="name")
    def label(self, account: Account) -> str:
        return str(account)

    @admin.display(description=_("subdomain"), ordering="subdomain")
    def address(self, account: Account) -> str:
        url = conf.url_for(account.subdomain)
        return format_html('<a href="{}" target="_blank" rel="noopener noreferrer">{}</a>', url, account.subdomain)

    @admin.display(description=_("health"), ordering="health")
    def health_badge(self, account: Account) -> str:
        mark = badges.health(account.health)
        if not account.health_reason:
            return mark
        reason = translated(account.health_reason)
        return format_html('{} <span class="ks-reason" title="{}">{}</span>', mark, reason, reason)

    @admin.display(description=_("token expires"), ordering="token_expires_at")
    def token_expiry(self, account: Account) -> str:
        return badges.expires(account, timezone.now())

    @admin.display(description=_("pilot"), ordering="is_pilot")
    def pilot(self, account: Account) -> str:
        return badges.mark(badges.INFO, _("pilot")) if account.is_pilot else ""

    @admin.display(description=_("paused"), ordering="paused")
    def is_paused(self, account: Account) -> str:
        return badges.pause(account)

    @admin.display(description=_("pause"))
    def pause_state(self, account: Account) -> str:
        return badges.pause_in_full(account)

    @admin.display(description=_("stored token"))
    def token_state(self, account: Any) -> str:
        if getattr(account, "has_token", False):
            return str(IS_SET)
        return badges.mark(badges.IDLE if account.uses_oauth else badges.BAD, _("none"))

    @admin.display(description=_("tokens"))
    def pair_state(self, account: Account) -> str:
        pair = TokenPair.objects.filter(pk=account.pk).exclude(refresh_token="").only("obtained_at", "ended_at").first()
        if pair is None:
            return badges.mark(badges.BAD if account.uses_oauth else badges.IDLE, _("none"))
        since = date_format(timezone.localtime(pair.obtained_at), "DATETIME_FORMAT")
        if pair.ended_at:
            return badges.mark(badges.BAD, _("refused by Kommo since %(since)s") % {"since": since})
        return _("%(set)s, renewed %(since)s") % {"set": IS_SET, "since": since}

    @admin.display(description=_("history"))
    def history(self, account: Account) -> str:
        events = account.events.select_related("by")[:EVENTS_SHOWN]
        rows = [
            (
                date_format(timezone.localtime(each.at), "DATETIME_FORMAT"),
                each.get_code_display(),
                translated(each.message),
                each.by or "",
            )
            for each in events
        ]
        return format_html_join("", "<div>{} <strong>{}</strong> {} {}</div>", rows) or "—"

    # -- saving --

    def save_model(self, request: HttpRequest, obj: Account, form: Any, change: bool) -> None:
        field = form.fields.get("new_token")
        if field is not None and field.trimmed:
            messages.info(request, _("Spaces around the token were removed."))
        super().save_model(request, obj, form, change)
        if form.cleaned_data.get("new_token"):
            give_up_pair(obj.pk, by=actor_of(request))

    def response_add(self, request: HttpRequest, obj: Account, post_url_continue: str | None = None) -> HttpResponse:
        """Leads an account that is connected by OAuth on to its connection."""
        plain = "_addanother" not in request.POST and "_continue" not in request.POST
        if plain and obj.uses_oauth and request.user.has_perm("accounts.connect_account"):
            return HttpResponseRedirect(reverse("accounts:connect", args=[obj.pk]))
        return super().response_add(request, obj, post_url_continue)

    # -- action "Make invite links" --

    def has_connect_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.connect_account")

    @admin.action(permissions=["connect"], description=_("Make invite links"))
    def make_invites(self, request: HttpRequest, queryset: QuerySet[Account]) -> HttpResponse:
        """Shows the page that asks how; it is also the one for all that need connecting."""
        accounts = chosen_accounts(list(queryset.values_list("pk", flat=True))).order_by("subdomain")
        return invite_many_page(request, list(accounts), named=True)

    # -- action "Check connection" --

    def has_check_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.check_account")

    @admin.action(permissions=["check"], description=_("Check connection"))
    def check_connection(self, request: HttpRequest, queryset: QuerySet[Account]) -> HttpResponse | None:
        if not is_confirmed(request):
            return ask(
                request,
                self,
                queryset,
                action="check_connection",
                title=str(_("Check connection")),
                question=str(_("Two requests go to each of these accounts; nothing is written.")),
                button=str(_("Check")),
            )
        check = start_check(queryset.values_list("pk", flat=True), by=actor_of(request))
        return HttpResponseRedirect(reverse("accounts:check", args=[check.pk]))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        extra = {"has_check_permission": self.has_check_permission(request), **(extra_context or {})}
        return super().changelist_view(request, extra)
