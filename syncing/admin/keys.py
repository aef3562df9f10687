"""Makes API keys, shows each once, and revokes them."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.pages import actor_of, page, person
from syncing.admin.console import InConsole
from syncing.models import ApiKey, KeyScope
from syncing.presentation.labels import scope_label
from syncing.services.keys import change_key, create_key, delete_keys, scopes_of

if TYPE_CHECKING:  # generic for the type checker only
    KeyModelForm = forms.ModelForm[ApiKey]
else:
    KeyModelForm = forms.ModelForm


class ApiKeyForm(KeyModelForm):
    scopes = forms.MultipleChoiceField(
        label=_("Scopes"),
        choices=KeyScope.choices,
        widget=forms.CheckboxSelectMultiple,
        help_text=_(
            "Read: see status, runs, ids and audit. Trigger: start a plan or a sync. Approve: approve a "
            "plan, which is then applied. Promote: approve plans that write to the master, too (together "
            "with Approve)."
        ),
    )

    class Meta:
        model = ApiKey
        fields = ["name", "scopes", "revoked"]

    editor: User  # fills in the form; set by the admin

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offers what the person could do, and what the key has already."""
        super().__init__(*args, **kwargs)
        self.grantable = scopes_of(self.editor)
        if self.instance.pk and not self.instance.maker_name and not self.editor.is_superuser:
            self.grantable = set()  # no person's permissions limit it: it is given nothing more here
        if "scopes" in self.fields:
            offered = {*self.grantable, *self.instance.scopes}
            self.fields["scopes"].choices = [choice for choice in KeyScope.choices if choice[0] in offered]  # type: ignore[attr-defined]
            if not offered:
                self.fields["scopes"].help_text = _(
                    "You have no permission that an API key could use, so you cannot create one."
                )

    def clean(self) -> dict[str, Any] | None:
        """Makes a revoked key work again only for those who could give it its scopes."""
        cleaned = super().clean()
        works_again = "revoked" in self.changed_data and not self.cleaned_data.get("revoked")
        if works_again and not set(self.instance.scopes) <= self.grantable:
            raise forms.ValidationError(_("This key has more permissions than you have. Create a new key instead."))
        return cleaned


@admin.register(ApiKey)
class ApiKeyAdmin(InConsole):
    form = ApiKeyForm
    list_display = ["name", "prefix", "scope_names", "maker", "revoked", "created_at", "last_used_at"]
    list_filter = ["revoked"]
    search_fields = ["name__finds", "prefix__finds", "maker_name__finds", "made_by__username__finds"]
    list_select_related = ["made_by"]
    readonly_fields = ["prefix", "maker", "created_at", "last_used_at"]
    actions = ["revoke"]

    def get_form(self, request: HttpRequest, obj: ApiKey | None = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        form.editor = person(request)
        return form

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        return ["name", "scopes", "revoked", *self.readonly_fields] if obj else ["name", "scopes"]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        return list(self.readonly_fields) if obj else []

    @admin.display(description=_("scopes"))
    def scope_names(self, key: ApiKey) -> str:
        return ", ".join(map(scope_label, key.scopes))

    @admin.display(description=_("made by"), ordering="maker_name")
    def maker(self, key: ApiKey) -> str:
        """Names the person whose permissions limit the key; without a person its scopes alone do."""
        if key.is_orphaned:
            facts = {"name": key.made_by or key.maker_name}
            return gettext("%(name)s, who can no longer log in, so the key no longer works") % facts
        return str(key.made_by or gettext("command line"))

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """Stores the changes, or creates the key; its secret is shown once, by `response_add`."""
        by = actor_of(request)
        if change:
            change_key(obj, by=by)
            return
        key, request.new_secret = create_key(name=obj.name, scopes=obj.scopes, maker=person(request), by=by)  # type: ignore[attr-defined]
        obj.pk = key.pk

    def delete_model(self, request: HttpRequest, obj: ApiKey) -> None:
        self.delete_queryset(request, [obj])

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        delete_keys(queryset, by=actor_of(request))

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: Any = None) -> HttpResponse:
        """Shows the key in the answer itself: a message would lie in a cookie."""
        context = {"title": _("API key made"), "key": obj, "secret": request.new_secret}  # type: ignore[attr-defined]
        response = page(request, "syncing/key_made.html", context)
        add_never_cache_headers(response)
        return response

    @admin.action(description=_("Revoke selected API keys"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: Any) -> None:
        by = actor_of(request)
        working = list(queryset.filter(revoked=False))
        for key in working:
            key.revoked = True
            change_key(key, by=by)
        self.message_user(
            request, ngettext("%(n)d key revoked.", "%(n)d keys revoked.", len(working)) % {"n": len(working)}
        )
