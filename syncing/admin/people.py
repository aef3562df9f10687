"""People: who may log in, by which roles they may do what, and who has a second factor (docs/people.md)."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import UserChangeForm, UserCreationForm
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.confirmation import ask, is_confirmed
from accounts.forms import use_words
from accounts.pages import actor_of, refusals_shown
from syncing.admin.console import InConsole
from syncing.presentation.labels import role_label
from syncing.presentation.navigation import page_above
from syncing.selectors.second_factor import second_factor_of
from syncing.services import second_factor

WORDS: dict[str, tuple[Any, Any]] = {
    "is_active": (
        _("May log in"),
        _("Off: the person is kept out from the next click on. Do this instead of deleting."),
    ),
    "is_staff": (_("May use this console"), _("Without it nobody sees a page.")),
    "is_superuser": (
        _("⚠ May do everything"),
        _("Whatever the roles say: policies, tokens, deletions, other people. Give it to one or two people."),
    ),
    "groups": (_("Roles"), _("Who has several may do all of it.")),
    "user_permissions": (_("Single permissions"), _("Beside those of the roles. Hardly anybody needs them.")),
    "username": (_("Name to log in with"), _("Letters, digits and @ . + - _ only.")),
    "email": (_("E-mail"), ""),
}


class PersonForm(UserChangeForm):  # type: ignore[type-arg]
    """A login with its roles; the password is on a page of its own."""

    password = None  # type: ignore[assignment]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        use_words(self, WORDS)


class NewPersonForm(UserCreationForm):  # type: ignore[type-arg]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        use_words(self, WORDS)


admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class PersonAdmin(InConsole, UserAdmin):  # type: ignore[type-arg]
    form = PersonForm
    add_form = NewPersonForm
    add_form_template = "admin/change_form.html"
    list_display = ("username", "is_staff", "has_second_factor", "email", "first_name", "last_name")
    actions = ("reset_second_factors",)
    readonly_fields = ("new_password", "has_second_factor", "last_login", "date_joined")
    filter_horizontal = ()
    fieldsets = (
        (_("Who is it?"), {"fields": ("username", "first_name", "last_name", "email", "new_password")}),
        (
            _("May this person log in?"),
            {"fields": ("is_active", "is_staff", "has_second_factor", "last_login", "date_joined")},
        ),
        (_("What may this person do?"), {"fields": ("groups", "is_superuser")}),
        (_("Exceptions"), {"fields": ("user_permissions",), "classes": ("collapse",)}),
    )

    add_fieldsets = (
        (_("Who is it?"), {"fields": ("username", "first_name", "last_name", "email")}),
        (
            _("Password"),
            {
                "fields": ("password1", "password2"),
                "description": _("Tell it to the person, who can change it after the first login."),
            },
        ),
        (_("What may this person do?"), {"fields": ("groups",)}),
    )

    @admin.display(description=_("password"))
    def new_password(self, user: User) -> SafeString:
        url = reverse("admin:auth_user_password_change", args=[user.pk])
        return format_html('<a href="{}">{}</a>', url, _("Set a new password"))

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any) -> Any:
        if db_field.name == "groups":
            field: Any = super().formfield_for_manytomany(
                db_field, request, widget=forms.CheckboxSelectMultiple(), **kwargs
            )
            field.label_from_instance = lambda role: role_label(role.name)
            return field
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Lets a new person in: there is nothing here but the console."""
        obj.is_staff = obj.is_staff or not change
        super().save_model(request, obj, form, change)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).select_related("second_factor")

    @admin.display(description=_("second factor"), boolean=True, ordering="second_factor__confirmed")
    def has_second_factor(self, user: User) -> bool:
        return second_factor_of(user) is not None

    @admin.action(description=_("Reset the second factor"), permissions=["change"])
    def reset_second_factors(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse:
        """Asks, then takes away the second factors of the people chosen, and ends their sessions."""
        if not is_confirmed(request):
            return ask(
                request,
                self,
                queryset,
                action="reset_second_factors",
                title=gettext("Reset the second factor"),
                question=gettext("All their sessions end. Their passwords alone let these people in then:"),
                button=gettext("Yes, reset"),
            )
        for user in queryset:
            with refusals_shown(request):
                second_factor.reset(user, by=actor_of(request))
                text = gettext("The second factor of %(user)s was reset, and all their sessions were ended.")
                messages.success(request, text % {"user": user.get_username()})
        return HttpResponseRedirect(page_above(self.opts))

    def response_add(self, request: HttpRequest, obj: User, post_url_continue: str | None = None) -> HttpResponse:
        """Goes back to the list, as everything was asked; Django's own goes on to the form."""
        return super(UserAdmin, self).response_add(request, obj, post_url_continue)


@admin.register(Group)
class RoleAdmin(InConsole, GroupAdmin):
    """A role; its permissions are ticked in one list, which needs no script."""

    filter_horizontal = ()

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any) -> Any:
        return super().formfield_for_manytomany(db_field, request, widget=forms.CheckboxSelectMultiple(), **kwargs)
