"""The forms of an import and of an export."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from import_export import forms as import_export_forms

from accounts.exchange.uploads import LARGEST_FILE
from accounts.models import SyncGroup

ONLY_FORMAT = "0"  # of the library's list of formats

if TYPE_CHECKING:  # generic for the type checker only
    GroupChoiceField = forms.ModelChoiceField[SyncGroup]
else:
    GroupChoiceField = forms.ModelChoiceField


class GroupField(GroupChoiceField):
    """The group of the rows that name none."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            label=_("Sync group"),
            queryset=SyncGroup.objects.all(),
            required=False,
            empty_label=_("The only group (made if there is none)"),
            **kwargs,
        )


class ImportForm(import_export_forms.ImportForm):  # type: ignore[misc]
    """A file of accounts, CSV or XLSX, and the group they go into."""

    media = forms.Media()  # the library's script guesses the format by the name; we look into the file
    import_file = forms.FileField(
        label=_("CSV or XLSX file"), widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,.xlsx,text/csv"})
    )
    format = forms.CharField(required=False, widget=forms.HiddenInput)
    group = GroupField(help_text=_("For the rows that name no group themselves."))

    def clean_import_file(self) -> Any:
        file = self.cleaned_data["import_file"]
        if file.size > LARGEST_FILE:
            raise ValidationError(_("The file is larger than 10 MB."))
        return file

    def clean_format(self) -> str:
        return ONLY_FORMAT


class ConfirmImportForm(import_export_forms.ConfirmImportForm):  # type: ignore[misc]
    """The file that was looked at, by the name it is kept under, and the same group."""

    original_file_name = forms.CharField(required=False, widget=forms.HiddenInput)
    format = forms.CharField(required=False, widget=forms.HiddenInput)
    group = GroupField(widget=forms.HiddenInput)

    def clean_format(self) -> str:
        return ONLY_FORMAT

    def clean_resource(self) -> str:
        return ""


class ExportForm(import_export_forms.ExportForm):  # type: ignore[misc]
    """The format of an export."""

    def __init__(self, formats: Any, resources: Any, **kwargs: Any) -> None:
        super().__init__(formats, resources, **kwargs)
        choices = [(value, str(label).upper()) for value, label in self.fields["format"].choices if value]
        self.fields["format"] = forms.ChoiceField(
            label=_("Format"), choices=choices, initial=choices[-1][0], widget=forms.RadioSelect
        )
