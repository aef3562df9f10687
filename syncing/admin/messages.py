"""Messages in the admin: what every channel was sent, what waits and what failed; nobody edits them."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin.readonly import ReadOnlyAdmin
from accounts.badges import BAD, IDLE, OK, WARN, mark
from accounts.own_words import translated
from syncing.models import Message
from syncing.services.channels import CHANGE_CHANNEL


def in_one_line(text: str) -> SafeString:
    """Shows a sentence that a list has too little room for; the whole of it when the mouse rests there."""
    return format_html('<div class="ks-reason" title="{}">{}</div>', text, text) if text else SafeString("—")


class DeliveryFilter(admin.SimpleListFilter):
    """Sent, waiting for a try, or given up."""

    title = _("state")
    parameter_name = "state"
    conditions: dict[str, dict[str, Any]] = {
        "sent": {"sent_at__isnull": False},
        "waits": {"due_at__isnull": False},
        "failed": {"due_at": None, "sent_at": None},
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("sent", _("Sent")), ("waits", _("Waits")), ("failed", _("Failed"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**self.conditions.get(self.value() or "", {}))


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "channel_name", "event_name", "title", "state", "trouble"]
    list_filter = ["channel", "event", DeliveryFilter, "created_at"]
    search_fields = ["title__finds", "text__finds", "channel__name__finds", "failure__finds"]
    fields = (
        *("channel_name", "event_name", "group", "title", "text", "attachment_name", "created_at", "state"),
        *("attempts", "due_at", "sent_at", "failure"),
    )
    list_per_page = 100
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        rows = super().get_queryset(request).select_related("channel", "group")
        return rows.defer("channel__address", "html", "attachment")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        permissions = ("syncing.view_message", "syncing.view_channel", CHANGE_CHANNEL)
        return any(map(request.user.has_perm, permissions))

    @admin.display(description=_("channel"), ordering="channel__name")
    def channel_name(self, message: Message) -> str:
        return message.channel.name

    @admin.display(description=_("event"), ordering="event")
    def event_name(self, message: Message) -> str:
        return message.get_event_display() if message.event else gettext("Test")

    @admin.display(description=_("state"))
    def state(self, message: Message) -> SafeString:
        if message.sent_at:
            return mark(OK, gettext("Sent"))
        if message.due_at:
            return mark(WARN if message.failure else IDLE, gettext("Waits"))
        return mark(BAD, gettext("Failed"))

    @admin.display(description=_("failure"), ordering="failure")
    def trouble(self, message: Message) -> SafeString:
        return in_one_line(translated(message.failure))
