"""One's own second factor: set up, new recovery codes, switched off; each asks for the password or a code again."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_otp import login as note_as_proven

from accounts.pages import actor_of, page, person, refusals_shown
from accounts.refusals import Refusal
from syncing.logins import check_again
from syncing.models import SecondFactor
from syncing.presentation.second_factor import app_address, in_fours, qr_code
from syncing.selectors.second_factor import must_set_up, second_factor_of
from syncing.services import second_factor as services
from syncing.views.forms import CodeInput

SETTING_UP = "kommosync_setting_up"  # the second factor whose key only this session may see


class ProofForm(forms.Form):
    """The password; who has a second factor may give a code of its app instead."""

    proof = forms.CharField(strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}))


class AppCodeForm(forms.Form):
    code = forms.CharField(label=gettext_lazy("Code from the app"), max_length=16, widget=CodeInput(size=10))


@require_safe
@never_cache
def second_factor(request: HttpRequest) -> HttpResponse:
    """Tells whether the person has a second factor, and offers what can be done."""
    user = person(request)
    factor = second_factor_of(user)
    context = {
        "title": _("Second factor"),
        "factor": factor,
        "left": factor.recovery_codes.count() if factor else 0,
        "form": ProofForm(),
    }
    return _page(request, "console/second_factor.html", context)


@sensitive_post_parameters("proof")
@require_POST
def begin(request: HttpRequest) -> HttpResponse:
    """Makes a key, which this session alone may see, and leads to it."""
    with refusals_shown(request):
        check_again(request, request.POST.get("proof", ""))
        request.session[SETTING_UP] = services.begin(person(request)).pk
        return HttpResponseRedirect(reverse("syncing:set_up_second_factor"))
    return _back()


@sensitive_post_parameters("code")
@require_http_methods(["GET", "POST"])
@never_cache
def set_up(request: HttpRequest) -> HttpResponse:
    """Shows the key (GET); with a code of the app makes it count, and shows the recovery codes once (POST)."""
    begun = SecondFactor.objects.filter(pk=request.session.get(SETTING_UP), user=person(request), confirmed=False)
    factor = begun.first()
    if factor is None:
        messages.warning(request, _("This set-up was ended, in another tab perhaps. What is in use now stands here."))
        return _back()
    form = AppCodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        own = request.session.session_key or ""
        try:
            codes = services.confirm(form.cleaned_data["code"], by=actor_of(request), own_session=own)
        except Refusal as error:
            form.add_error("code", str(error))
        else:
            return _in_use_now(request, factor, codes)
    address = app_address(factor, request.get_host())
    context = {
        "title": _("Set up the second factor"),
        "form": form,
        "address": address,
        "qr": qr_code(address),
        "pieces": in_fours(factor.key),
    }
    return _page(request, "console/second_factor_set_up.html", context)


def _in_use_now(request: HttpRequest, factor: SecondFactor, codes: list[str]) -> HttpResponse:
    """Lets this session, under a new key, be the one in which the second factor was proven; shows the codes."""
    del request.session[SETTING_UP]
    request.session.cycle_key()
    note_as_proven(request, factor)
    messages.success(request, _("Your second factor is on. All your other sessions were ended."))
    return _codes_page(request, codes)


@sensitive_post_parameters("proof")
@require_POST
@never_cache
def make_codes(request: HttpRequest) -> HttpResponse:
    """Makes new recovery codes, and shows them once."""
    with refusals_shown(request):
        check_again(request, request.POST.get("proof", ""))
        codes = services.make_codes(by=actor_of(request))
        messages.success(request, _("You have new recovery codes. The old ones no longer work."))
        return _codes_page(request, codes)
    return _back()


@sensitive_post_parameters("proof")
@require_POST
def switch_off(request: HttpRequest) -> HttpResponse:
    with refusals_shown(request):
        check_again(request, request.POST.get("proof", ""))
        services.switch_off(by=actor_of(request))
        messages.success(request, _("Your second factor is off: from now on your password alone lets you in."))
    return _back()


def _codes_page(request: HttpRequest, codes: list[str]) -> HttpResponse:
    context = {"title": _("Recovery codes"), "codes": codes}
    return page(request, "console/recovery_codes.html", context)


def _page(request: HttpRequest, template: str, context: dict[str, object]) -> HttpResponse:
    """Shows the page; to who must set up a second factor without the ways to pages that they may not open."""
    must = must_set_up(person(request))
    if must:
        context["has_permission"] = False
    return page(request, template, {**context, "must_set_up": must})


def _back() -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("syncing:second_factor"))
