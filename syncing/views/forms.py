"""The forms of what may be given a reason, and of what has to be given one; a field for codes."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy

from syncing.services.audit import LONGEST_REASON

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

REASON = gettext_lazy("Reason")


class CodeInput(forms.TextInput):
    """Asks for a code that works once; a wrong one is not shown again, as nobody corrects it."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__({"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True, **attrs})

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, None, attrs)


def reason_field(
    help_text: "StrOrPromise", *, label: "StrOrPromise" = REASON, rows: int = 3, required: bool = True
) -> forms.CharField:
    """Returns a field of several lines for what is stored with a decision."""
    area = forms.Textarea(attrs={"rows": rows, "cols": 60})
    return forms.CharField(label=label, max_length=LONGEST_REASON, required=required, widget=area, help_text=help_text)


class ReasonForm(forms.Form):
    reason = reason_field(gettext_lazy("Optional. It is stored in the audit."), rows=2, required=False)


class SendBackForm(forms.Form):
    comment = reason_field(
        gettext_lazy("Required. Who asked for the plan reads it on the page of the run."),
        label=gettext_lazy("Comment"),
        rows=2,
    )
