"""The forms of the accounts' admin pages; a stored secret never goes into a page."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from accounts.models import Account, Integration, SyncGroup
from accounts.refusals import Refusal
from accounts.services.connecting.attempts import other_account
from accounts.services.credentials.clients import can_be_secret, forget_health, store_token
from accounts.services.exporting import FORMATS, FileFormat
from accounts.services.importing import ImportReport, preview_table
from accounts.services.importing.tokens import owners_of
from accounts.services.importing.values import IS_SET
from accounts.services.subdomains import subdomain_of
from accounts.services.tables.lines import bare
from accounts.services.tables.table import Table, read_table
from accounts.uploads import LARGEST_FILE

if TYPE_CHECKING:  # generic for the type checker only
    AccountModelForm = forms.ModelForm[Account]
else:
    AccountModelForm = forms.ModelForm


def use_words(form: forms.BaseForm, words: Mapping[str, tuple[Any, Any]]) -> None:
    """Gives the fields of a form other labels and help texts, each by its name; the rest keep theirs."""
    for name, field in form.fields.items():
        field.label, field.help_text = words.get(name, (field.label, field.help_text))


class RefusalsAsErrors:
    """Makes an error of the form, or of the field, of what is refused inside."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Refusal):
            raise ValidationError(str(error)) from error


class SecretField(forms.CharField):
    """A secret that is written and never shown; spaces and what nobody sees are removed, and `trimmed` says so."""

    trimmed = False

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.PasswordInput(attrs={"class": "vTextField", "autocomplete": "new-password"})
        super().__init__(widget=widget, strip=False, **kwargs)

    def clean(self, value: Any) -> str:
        text = str(super().clean(value) or "")
        stripped = bare(text)
        self.trimmed = stripped != text
        if self.required and not stripped:
            raise ValidationError(self.error_messages["required"], code="required")
        if text and not stripped:
            raise ValidationError(_("The value has only spaces; copy it again."))
        if not can_be_secret(stripped):
            raise ValidationError(
                _("The value must be one word of letters, digits and signs, without accents; copy it again.")
            )
        return stripped


class AccountForm(AccountModelForm):
    """One account; the token can be written, never read: an empty input keeps the stored one."""

    subdomain = forms.CharField(
        label=_("Subdomain"),
        max_length=200,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        help_text=_("The first part of SUBDOMAIN.kommo.com. You can also paste the whole address of the account."),
    )
    new_token = SecretField(
        label=_("Long-lived token"),
        required=False,
        help_text=_("Stored encrypted and never shown. Leave it empty to keep the stored one."),
    )

    class Meta:
        model = Account
        fields = ["group", "role", "name", "subdomain", "is_pilot", "paused", "integration", "contact_email"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "new_token" in self.fields and getattr(self.instance, "has_token", False):
            self.fields["new_token"].widget.attrs["placeholder"] = IS_SET
        if "group" in self.fields and not SyncGroup.objects.exists():
            link = format_html('<a href="{}">{}</a>', reverse("admin:accounts_syncgroup_add"), _("Add a group"))
            self.fields["group"].help_text = format_html(str(_("There is no group yet. {link} first.")), link=link)

    def clean_subdomain(self) -> str:
        with RefusalsAsErrors():
            return subdomain_of(self.cleaned_data["subdomain"])

    def clean_new_token(self) -> str:
        token: str = self.cleaned_data["new_token"]
        owners = owners_of(token, besides=self.instance) if token else []
        if owners:
            message = _("This token belongs to %(others)s: copy this account's own.")
            raise ValidationError(message, params={"others": ", ".join(owners)})
        return token

    def clean_integration(self) -> Integration | None:
        integration: Integration | None = self.cleaned_data["integration"]
        other = other_account(integration, self.instance) if integration is not None else None
        if other is not None:
            message = _("This integration is private and already serves %(other)s.")
            raise ValidationError(message, params={"other": other})
        return integration

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        data = self.cleaned_data
        if data.get("role") == Account.Role.MASTER and data.get("group") is not None:
            masters = Account.objects.filter(group=data["group"], role=Account.Role.MASTER)
            master = masters.exclude(pk=self.instance.pk).only("subdomain").first()
            if master is not None:
                message = _("This group already has the master %(master)s; make that one a slave first.")
                self.add_error("role", ValidationError(message, params={"master": master.subdomain}))
        return cleaned

    def save(self, commit: bool = True) -> Any:
        token = self.cleaned_data.get("new_token")
        if token:
            store_token(self.instance, token)
        elif self.cleaned_data.get("integration") and not getattr(self.instance, "has_token", False):
            self.instance.credential_kind = Account.CredentialKind.OAUTH
        if not token and "subdomain" in self.changed_data and self.instance.pk:
            forget_health(self.instance)
        return super().save(commit)


class ImportForm(forms.Form):
    """A file of accounts and the group they go into; once it is valid, `report` says what it would do."""

    table: Table
    report: ImportReport
    import_file = forms.FileField(
        label=_("CSV or XLSX file"), widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,.xlsx,text/csv"})
    )
    group = forms.ModelChoiceField(
        SyncGroup.objects.all(),
        label=_("Sync group"),
        required=False,
        empty_label=_("The only group (created if there is none)"),
        help_text=_("Used for lines that do not name a group."),
    )

    def clean_import_file(self) -> Any:
        file = self.cleaned_data["import_file"]
        if file.size > LARGEST_FILE:
            raise ValidationError(_("The file is larger than 10 MB."))
        with RefusalsAsErrors():
            self.table = read_table(file.read())
        if not self.table.rows and not self.table.errors:
            raise ValidationError(_("The file has a line with column names and no accounts below it."))
        return file

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if not self.errors:
            with RefusalsAsErrors():
                self.report = preview_table(self.table, group_name(self))
        return cleaned


class ConfirmImportForm(forms.Form):
    """The name of the stored file that was looked at, and the same group."""

    import_file_name = forms.CharField(widget=forms.HiddenInput)
    group = forms.ModelChoiceField(SyncGroup.objects.all(), required=False, widget=forms.HiddenInput)


def group_name(form: ImportForm | ConfirmImportForm) -> str | None:
    """Returns the name of the group that was chosen, if one was."""
    group = form.cleaned_data["group"]
    return group.name if group else None


class ExportForm(forms.Form):
    """The format of an export, by its place in FORMATS."""

    format = forms.ChoiceField(
        label=_("Format"),
        choices=[(str(at), each.extension.upper()) for at, each in enumerate(FORMATS)],
        initial=str(len(FORMATS) - 1),
        widget=forms.RadioSelect,
    )

    def clean_format(self) -> FileFormat:
        return FORMATS[int(self.cleaned_data["format"])]
