"""Asks what happens to edits of an item, in every account of its group, and stores the answer."""

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.kommo.texts import storable
from accounts.pages import actor_of, page, refusals_shown
from syncing.models import ItemMode
from syncing.selectors.healing import modes_of
from syncing.services.healing import BY_GROUP, PERMISSION, item_named, set_mode
from syncing.views.lookup import slave_or_404

CHOICES = [
    (BY_GROUP, gettext_lazy("As the group says")),
    (ItemMode.LOCKED.value, gettext_lazy("Put them back")),
    (ItemMode.REPORTED.value, gettext_lazy("Report them, and leave them to the next sync")),
    (ItemMode.LOCAL.value, gettext_lazy("Leave the item to each account: no run changes it where it is already")),
]


class ModeForm(forms.Form):
    kind = forms.CharField(max_length=12, widget=forms.HiddenInput)
    key = forms.CharField(max_length=500, strip=False, widget=forms.HiddenInput)
    mode = forms.ChoiceField(label=gettext_lazy("Edits of this item"), choices=CHOICES, widget=forms.RadioSelect)


@permission_required(PERMISSION, raise_exception=True)
@require_http_methods(["GET", "POST"])
def item_mode(request: HttpRequest, account_id: int) -> HttpResponse:
    """Asks for the mode (GET), sets it (POST); ?kind=&key= name the item, as in the account's drift."""
    account = slave_or_404(account_id)
    back = HttpResponseRedirect(reverse("syncing:drift_account", args=[account.pk]))
    asked = request.POST if request.method == "POST" else request.GET
    kind, key = (storable(asked.get(name, "")) for name in ("kind", "key"))
    with refusals_shown(request):
        name, parent = item_named(account.group, kind, key)
        present = {"kind": kind, "key": key, "mode": modes_of(account.group).get((kind, key), BY_GROUP)}
        form = ModeForm(request.POST) if request.method == "POST" else ModeForm(initial=present)
        if form.is_valid():
            set_mode(account.group, kind=kind, key=key, mode=form.cleaned_data["mode"], by=actor_of(request))
            messages.success(request, _("Stored for %(name)s, in every account of the group.") % {"name": name})
            return back
        context = {
            "title": _("Edits of %(name)s") % {"name": name},
            "account": account,
            "form": form,
            "kind": kind,
            "name": name,
            "parent": parent,
        }
        return page(request, "syncing/item_mode.html", context)
    return back
