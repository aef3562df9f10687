"""API keys: made here, shown once, revoked."""

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.admin.readonly import AnyModelAdmin
from accounts.pages import page, person
from syncing.models import ApiKey
from syncing.services.decisions.approvals import SCOPES
from syncing.services.keys import lock_with, new_key

if TYPE_CHECKING:  # generic for the type checker only
    KeyModelForm = forms.ModelForm[ApiKey]
else:
    KeyModelForm = forms.ModelForm


class ApiKeyForm(KeyModelForm):
    scopes = forms.MultipleChoiceField(
        label=_("Scopes"),
        choices=ApiKey.Scope.choices,
        widget=forms.CheckboxSelectMultiple,
        help_text=_(
            "Read: status, runs, ids, audit. Trigger: start a plan or a sync. Approve: have a reviewed plan carried "
            "out. Promote: with it, also one that writes the master."
        ),
    )

    class Meta:
        model = ApiKey
        fields = ["name", "scopes", "revoked"]


@admin.register(ApiKey)
class ApiKeyAdmin(AnyModelAdmin):
    form = ApiKeyForm
    list_display = ["name", "prefix", "scope_names", "made_by", "revoked", "created_at", "last_used_at"]
    list_filter = ["revoked"]
    search_fields = ["name", "prefix"]
    list_select_related = ["made_by"]
    readonly_fields = ["prefix", "made_by", "created_at", "last_used_at"]
    actions = ["revoke"]

    def get_form(self, request: HttpRequest, obj: ApiKey | None = None, change: bool = False, **kwargs: Any) -> Any:
        """Nobody gives a key a right to decide that they have not themselves."""
        form = super().get_form(request, obj, change=change, **kwargs)
        lacking = {scope for permission, scope in SCOPES.items() if not request.user.has_perm(permission)}
        if lacking and "scopes" in form.base_fields:
            field = deepcopy(ApiKeyForm.base_fields["scopes"])  # the form's own is everybody's
            field.choices = [choice for choice in ApiKey.Scope.choices if choice[0] not in lacking]  # type: ignore[attr-defined]
            form.base_fields["scopes"] = field
        return form

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        return ["name", "scopes", "revoked", *self.readonly_fields] if obj else ["name", "scopes"]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        return list(self.readonly_fields) if obj else []

    @admin.display(description=_("scopes"))
    def scope_names(self, key: ApiKey) -> str:
        labels = dict(ApiKey.Scope.choices)
        return ", ".join(str(labels.get(scope, scope)) for scope in key.scopes)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        if not change:
            request.new_secret = new_key()  # type: ignore[attr-defined]
            lock_with(obj, request.new_secret)  # type: ignore[attr-defined]
            obj.made_by = person(request)
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: Any = None) -> HttpResponse:
        """Show the key in the answer itself: a message would lie in a cookie."""
        context = {"title": _("API key made"), "key": obj, "secret": request.new_secret}  # type: ignore[attr-defined]
        response = page(request, "syncing/key_made.html", context)
        add_never_cache_headers(response)
        return response

    @admin.action(description=_("Revoke selected API keys"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: Any) -> None:
        count = queryset.filter(revoked=False).update(revoked=True)
        self.message_user(request, ngettext("%(n)d key revoked.", "%(n)d keys revoked.", count) % {"n": count})
