"""The list of people, with who has a second factor; resets that of somebody who lost their phone."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.confirmation import ask, is_confirmed
from accounts.pages import actor_of, refusals_shown
from syncing.selectors.second_factor import second_factor_of
from syncing.services import second_factor

if TYPE_CHECKING:  # generic for the type checker only
    AnyUserAdmin = UserAdmin[User]
else:
    AnyUserAdmin = UserAdmin

admin.site.unregister(User)


@admin.register(User)
class PeopleAdmin(AnyUserAdmin):
    list_display = ("username", "email", "first_name", "last_name", "is_staff", "has_second_factor")
    readonly_fields = ("has_second_factor",)
    actions = ("reset_second_factors",)

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        found = super().get_fieldsets(request, obj)
        return [*found, (_("Second factor"), {"fields": ["has_second_factor"]})] if obj else found

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).select_related("second_factor")

    @admin.display(description=gettext_lazy("second factor"), boolean=True, ordering="second_factor__confirmed")
    def has_second_factor(self, user: User) -> bool:
        return second_factor_of(user) is not None

    @admin.action(description=gettext_lazy("Reset the second factor"), permissions=["change"])
    def reset_second_factors(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        """Asks, then takes away the second factors of the people chosen, and ends their sessions."""
        if not is_confirmed(request):
            return ask(
                request,
                self,
                queryset,
                action="reset_second_factors",
                title=_("Reset the second factor"),
                question=_("All their sessions end. Their passwords alone let these people in then:"),
                button=_("Yes, reset"),
            )
        for user in queryset:
            with refusals_shown(request):
                second_factor.reset(user, by=actor_of(request))
                text = _("The second factor of %(user)s was reset, and all their sessions were ended.")
                messages.success(request, text % {"user": user.get_username()})
        return None
