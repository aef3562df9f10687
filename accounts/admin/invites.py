"""The list of invite links: the addresses they were sent to, their states, and withdrawing them."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts import badges
from accounts.admin.readonly import ReadOnlyAdmin
from accounts.models import RELATED_INTEGRATION_SECRETS, RELATED_SECRETS, Invite, InviteState
from accounts.services.connecting import invites

TONES = {
    InviteState.OPEN: badges.INFO,
    InviteState.USED: badges.OK,
    InviteState.WITHDRAWN: badges.IDLE,
    InviteState.EXPIRED: badges.WARN,
}


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return InviteState.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen: dict[str | None, QuerySet[Any]] = {
            InviteState.OPEN: queryset.filter(invites.usable()),
            InviteState.USED: queryset.exclude(used_at=None),
            InviteState.WITHDRAWN: queryset.filter(used_at=None).exclude(withdrawn_at=None),
            InviteState.EXPIRED: queryset.filter(used_at=None, withdrawn_at=None, expires_at__lte=timezone.now()),
        }
        return chosen.get(self.value(), queryset)


@admin.register(Invite)
class InviteAdmin(ReadOnlyAdmin):
    """Lists invites and withdraws them; they are made on the accounts' pages."""

    list_display = ("account", "state", "link", "mail", "created_by", "created_at", "expires_at", "integration")
    list_display_links = None
    list_filter = (StateFilter, "integration", "account__group")
    list_select_related = ("account", "integration", "created_by")
    search_fields = ("account__name__finds", "account__subdomain__finds", "email__finds", "created_by__username__finds")
    search_help_text = _("Account, e-mail, or who made it")
    list_per_page = 150
    actions = ("withdraw",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Invite]:
        return super().get_queryset(request).defer(*RELATED_SECRETS, *RELATED_INTEGRATION_SECRETS)

    def has_connect_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.connect_account")

    def get_list_display(self, request: HttpRequest) -> Any:
        """Hides the links from those who may only look: they must not be able to use one."""
        columns = self.list_display
        return columns if self.has_connect_permission(request) else tuple(name for name in columns if name != "link")

    @admin.display(description=_("state"))
    def state(self, invite: Invite) -> str:
        state = invite.state(timezone.now())
        return badges.mark(TONES[state], state.label)

    @admin.display(description=_("link"))
    def link(self, invite: Invite) -> str:
        if invite.state(timezone.now()) != InviteState.OPEN:
            return "—"
        return format_html(
            '<input class="ks-link" type="text" readonly value="{}" aria-label="{}">', invites.link(invite), _("link")
        )

    @admin.display(description=_("e-mail"), ordering="sent_at")
    def mail(self, invite: Invite) -> str:
        if invite.send_error:
            return format_html("{} {}", badges.mark(badges.BAD, _("not sent")), invite.send_error)
        if invite.email and not invite.sent_at:
            return format_html("{} {}", badges.mark(badges.IDLE, _("waiting")), invite.email)
        return invite.email or "—"

    @admin.action(permissions=["connect"], description=_("Withdraw selected invite links"))
    def withdraw(self, request: HttpRequest, queryset: QuerySet[Invite]) -> None:
        count = invites.withdraw(queryset)
        text = ngettext("%(n)d invite link withdrawn.", "%(n)d invite links withdrawn.", count)
        self.message_user(request, text % {"n": count})
