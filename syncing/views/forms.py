"""The forms of what may be given a reason, and of what has to be given one; a field for codes."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy


class CodeInput(forms.TextInput):
    """Asks for a code that works once; a wrong one is not shown again, as nobody corrects it."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__({"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True, **attrs})

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, None, attrs)


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "cols": 60}),
        help_text=gettext_lazy("Optional. It is stored in the audit."),
    )


class SendBackForm(forms.Form):
    comment = forms.CharField(
        label=gettext_lazy("Comment"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2, "cols": 60}),
        help_text=gettext_lazy("Required. Who asked for the plan reads it on the page of the run."),
    )
