"""Adds drift to the admin: an entry in the menu that leads to pages of its own, and a list of exceptions."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts import badges
from accounts.admin.readonly import ReadOnlyAdmin
from accounts.models import RELATED_SECRETS
from syncing.models import AcceptedDifference, Drift, Standing
from syncing.presentation.labels import attribute_label, cause_label, kind_label, standing_badge, standing_label
from syncing.selectors.drift import CAUSES, EDITED


@admin.register(Drift)
class DriftAdmin(ReadOnlyAdmin):
    """Adds the entry in the menu; list and account are pages of syncing.views.drift, with unchecked accounts, too."""


class IsActiveFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "active"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("In force")), ("no", _("Withdrawn"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in ("yes", "no"):
            return queryset
        return queryset.filter(withdrawn_at__isnull=self.value() == "yes")


@admin.register(AcceptedDifference)
class AcceptedDifferenceAdmin(ReadOnlyAdmin):
    list_display = [
        "account_link",
        "kind_name",
        "name",
        "parent",
        "what",
        "reason",
        "accepted_by",
        "accepted_at",
        "end",
    ]
    list_display_links = ["name"]
    list_filter = [IsActiveFilter, "kind", "account__group", "accepted_at"]
    search_fields = [
        "name__finds",
        "parent__finds",
        "reason__finds",
        "account__subdomain__finds",
        "account__name__finds",
        "accepted_by__username__finds",
    ]
    list_per_page = 100

    def get_queryset(self, request: HttpRequest) -> QuerySet[AcceptedDifference]:
        rows = super().get_queryset(request).select_related("account", "accepted_by", "withdrawn_by")
        return rows.defer(*RELATED_SECRETS)

    @admin.display(description=_("account"), ordering="account__subdomain")
    def account_link(self, accepted: AcceptedDifference) -> SafeString:
        url = reverse("syncing:drift_account", args=[accepted.account_id])
        return format_html('<a href="{}">{}</a>', url, accepted.account)

    @admin.display(description=_("kind"), ordering="kind")
    def kind_name(self, accepted: AcceptedDifference) -> str:
        return kind_label(accepted.kind)

    @admin.display(description=_("what"), ordering="attribute")
    def what(self, accepted: AcceptedDifference) -> str:
        return attribute_label(accepted.attribute) if accepted.attribute else str(_("The whole item"))

    @admin.display(description=_("state"), ordering="withdrawn_at")
    def end(self, accepted: AcceptedDifference) -> SafeString:
        if accepted.withdrawn_at is None:
            return badges.mark(badges.INFO, _("In force"))
        return badges.mark(badges.IDLE, _("Withdrawn"))


class DriftFilter(admin.SimpleListFilter):
    """Filters the list of accounts."""

    title = _("drift")
    parameter_name = "drift"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        causes = [(cause, cause_label(cause)) for cause in CAUSES]
        standings = [(standing, standing_label(standing)) for standing in Standing.values]
        return [*standings, ("edited", _("Edited by somebody")), *causes]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        asked = self.value()
        if asked in CAUSES:
            return queryset.filter(**{f"drift__by_{asked}__gt": 0})
        if asked in Standing.values:
            return queryset.filter(standing=asked, role="slave")
        if asked == "edited":
            return queryset.filter(EDITED)
        return queryset


def drift_link(account: Any) -> SafeString | str:
    """Returns the cell of the list of accounts; `account` was loaded `with_standing`."""
    if account.role != account.Role.SLAVE:
        return ""
    url = reverse("syncing:drift_account", args=[account.pk])
    return format_html('<a href="{}">{}</a>', url, standing_badge(account))
