"""Keeps a form from overwriting what somebody else has changed since it was opened, in another tab perhaps."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.crypto import salted_hmac
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

if TYPE_CHECKING:  # a part of a form, for the type checker only
    AnyForm = forms.Form
else:
    AnyForm = object

AS_OPENED = "as_opened"  # what the form showed when it was opened, as "name:digest,name:digest"


class KeepsOtherChanges(AnyForm):
    """Part of a form whose `initial` values are the stored ones, also when it is sent; comes before the form itself.

    It is refused if a value would be overwritten that is not the one it was opened with. It then knows the new
    values, so that saving once more overwrites them.
    """

    @property
    def as_opened(self) -> SafeString:
        """Returns the hidden input that the page puts into the form."""
        digests = ",".join(f"{name}:{self._digest(name)}" for name in self.fields if name in self.initial)
        return format_html('<input type="hidden" name="{}" value="{}">', AS_OPENED, digests)

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        opened = dict(part.split(":", 1) for part in self.data.get(AS_OPENED, "").split(",") if ":" in part)
        for name in self.changed_data:
            if name in opened and opened[name] != self._digest(name):
                message = _("Somebody has changed this to “%(value)s” since you opened the form. Save to overwrite it.")
                self.add_error(name, ValidationError(message, params={"value": self._stored(name)}))
        return cleaned

    def _digest(self, name: str) -> str:
        return salted_hmac(AS_OPENED, "\n".join(self._stored_keys(name))).hexdigest()[:12]

    def _stored_keys(self, name: str) -> list[str]:
        value = self.get_initial_for_field(self.fields[name], name)
        values = value if isinstance(value, list | tuple) else [value]
        return sorted(str(getattr(each, "pk", each)) for each in values if each is not None)

    def _stored(self, name: str) -> str:
        """Returns the stored value as the form shows it."""
        widget, keys = self.fields[name].widget, self._stored_keys(name)
        if isinstance(widget, forms.CheckboxInput):
            return _("yes") if keys == ["True"] else _("no")
        labels = {str(key): str(label) for key, label in getattr(widget, "choices", ())}
        return ", ".join(labels.get(key, key) for key in keys)
