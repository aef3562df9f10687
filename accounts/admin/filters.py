"""Filters of the list of accounts that are no columns."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import expiry
from accounts.models import NEEDS_CONNECTING

SOON, EXPIRED, CONNECT = "soon", "expired", "connect"


class TokenFilter(admin.SimpleListFilter):
    title = gettext_lazy("token")
    parameter_name = "token"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            (SOON, _("Expires within %(days)d days") % {"days": expiry.SOON}),
            (EXPIRED, _("Expired")),
            (CONNECT, _("Needs connecting")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        now = timezone.now()
        wanted = {
            SOON: expiry.expiring(now),
            EXPIRED: expiry.expired(now),
            CONNECT: NEEDS_CONNECTING,
        }.get(self.value() or "")
        return queryset if wanted is None else queryset.filter(wanted)
