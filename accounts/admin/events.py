"""The list of connection events, to be looked at only."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts import badges
from accounts.admin.readonly import ReadOnlyAdmin
from accounts.models import RELATED_SECRETS, AccountEvent
from accounts.own_words import translated

Code = AccountEvent.Code
TONES = {
    Code.CONNECTED: badges.OK,
    Code.RENAMED: badges.INFO,
    Code.INVITED: badges.INFO,
    Code.EXPIRES: badges.WARN,
    Code.REFUSED: badges.WARN,
}


@admin.register(AccountEvent)
class AccountEventAdmin(ReadOnlyAdmin):
    list_display = ("at", "what", "account_link", "words", "by")
    list_display_links = None
    list_filter = ("code", "at", "account__group")
    list_select_related = ("account", "by")
    search_fields = ("account__subdomain__finds", "account__name__finds", "message__finds")
    search_help_text = _("Subdomain, name or words of the message")
    date_hierarchy = "at"
    list_per_page = 100
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[AccountEvent]:
        return super().get_queryset(request).defer(*RELATED_SECRETS)

    @admin.display(description=_("what"), ordering="code")
    def what(self, event: AccountEvent) -> SafeString:
        return badges.mark(TONES.get(Code(event.code), badges.BAD), event.get_code_display())

    @admin.display(description=_("message"), ordering="message")
    def words(self, event: AccountEvent) -> str:
        return translated(event.message)

    @admin.display(description=_("account"), ordering="account__subdomain")
    def account_link(self, event: AccountEvent) -> SafeString:
        url = reverse("admin:accounts_account_change", args=[event.account_id])
        return format_html('<a href="{}">{}</a>', url, event.account)
