"""The admin pages of integrations: id, secret key (written, never shown), redirect URI, and the accounts they serve."""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from accounts.admin.readonly import without_field
from accounts.forms import SecretField
from accounts.models import Account, ConnectAttempt, Integration, Invite
from accounts.services.credentials import token_pairs
from accounts.services.importing.values import IS_SET

if TYPE_CHECKING:  # generic for the type checker only
    IntegrationModelAdmin = admin.ModelAdmin[Integration]
    IntegrationModelForm = forms.ModelForm[Integration]
else:
    IntegrationModelAdmin = admin.ModelAdmin
    IntegrationModelForm = forms.ModelForm


class IntegrationForm(IntegrationModelForm):
    """One integration; its secret key can be written, never read."""

    redirect_uri = forms.URLField(
        label=_("Redirect URI"),
        max_length=500,
        assume_scheme="https",
        widget=forms.URLInput(attrs={"class": "vURLField"}),
        help_text=_("The exact address that is registered in Kommo. Kommo sends people back to it."),
    )
    new_secret = SecretField(
        label=_("Secret key"),
        required=False,
        help_text=_("Stored encrypted and never shown. Leave it empty to keep the stored one."),
    )

    class Meta:
        model = Integration
        fields = ["name", "client_id", "redirect_uri", "is_public"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "new_secret" in self.fields:
            self.fields["new_secret"].required = self.instance.pk is None
            if getattr(self.instance, "has_secret", False):
                self.fields["new_secret"].widget.attrs["placeholder"] = IS_SET

    def clean_is_public(self) -> bool:
        public: bool = self.cleaned_data["is_public"]
        if not public and self.instance.pk and self.instance.accounts.count() > 1:
            raise ValidationError(
                _("This integration serves several accounts; a private integration can serve only one.")
            )
        return public

    def save(self, commit: bool = True) -> Any:
        if self.cleaned_data.get("new_secret"):
            self.instance.client_secret = self.cleaned_data["new_secret"]
        return super().save(commit)


@admin.register(Integration)
class IntegrationAdmin(IntegrationModelAdmin):
    form = IntegrationForm
    list_display = ("name", "client_id", "is_public", "accounts_link", "connected")
    list_filter = ("is_public",)
    search_fields = (
        "name__finds",
        "client_id__finds",
        "redirect_uri__finds",
        "accounts__subdomain__finds",
        "accounts__name__finds",
    )
    search_help_text = _("Name, id, redirect URI, or an account that it serves")
    fieldsets = (
        (None, {"fields": ("name", "is_public")}),
        (_("As in Kommo: Keys and scopes"), {"fields": ("client_id", "new_secret", "redirect_uri", "hook")}),
    )
    readonly_fields = ("hook",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Integration]:
        well = Q(accounts__health=Account.Health.CONNECTED)
        return (
            super()
            .get_queryset(request)
            .annotate(
                account_count=Count("accounts", distinct=True),
                connected_count=Count("accounts", filter=well, distinct=True),
                has_secret=~Q(client_secret=""),
            )
        )

    def get_fieldsets(self, request: HttpRequest, obj: Integration | None = None) -> Any:
        """Shows no field for the secret key to those who may only look."""
        fieldsets = super().get_fieldsets(request, obj)
        if self.has_change_permission(request, obj) or (obj is None and self.has_add_permission(request)):
            return fieldsets
        return without_field(fieldsets, "new_secret")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        address = request.build_absolute_uri(reverse("accounts:callback"))
        return {"redirect_uri": address, **super().get_changeform_initial_data(request)}

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Lets its invite links go along, though nobody may delete those by themselves."""
        to_delete, counts, lacking, protected = super().get_deleted_objects(objs, request)
        alone = {model._meta.verbose_name for model in (Invite, ConnectAttempt)}
        return to_delete, counts, {name for name in lacking if name not in alone}, protected

    @admin.display(description=_("address of the hook on uninstalling"))
    def hook(self, integration: Integration) -> str:
        parts = urlsplit(integration.redirect_uri)
        return f"{parts.scheme}://{parts.netloc}{reverse('accounts:disabled')}" if parts.netloc else "—"

    @admin.display(description=_("accounts"), ordering="account_count")
    def accounts_link(self, integration: Any) -> str:
        url = reverse("admin:accounts_account_changelist")
        return format_html(
            '<a href="{}?integration__id__exact={}">{}</a>', url, integration.pk, integration.account_count
        )

    @admin.display(description=_("connected"), ordering="connected_count")
    def connected(self, integration: Any) -> int:
        return int(integration.connected_count)

    def save_model(self, request: HttpRequest, obj: Integration, form: Any, change: bool) -> None:
        if form.fields.get("new_secret") and form.fields["new_secret"].trimmed:
            messages.info(request, _("Spaces around the secret key were removed."))
        super().save_model(request, obj, form, change)
        if set(form.changed_data) & {"client_id", "new_secret", "redirect_uri"} and token_pairs.revive(obj):
            text = _("Accounts that needed reconnecting are tried again with the corrected integration.")
            messages.info(request, text)
        if not obj.redirect_uri.endswith(reverse("accounts:callback")):
            facts = {"uri": obj.redirect_uri, "callback": request.build_absolute_uri(reverse("accounts:callback"))}
            text = _(
                "%(uri)s does not look like the address of this KommoSync, which is %(callback)s. Check that "
                "it leads here."
            )
            messages.warning(request, text % facts)
