"""The login in two steps: the password, and a code for those who have a second factor. Then the session begins."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import REDIRECT_FIELD_NAME, authenticate
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, redirect_to_login
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from syncing.logins import FIRST_STEP, password_was_right, who_enters_a_code
from syncing.selectors.second_factor import must_set_up, second_factor_of
from syncing.services.second_factor import is_app_code, obstacle, wrong_code
from syncing.views.forms import CodeInput

UNSENT = "unsent"  # parameter of the login's address: a form was sent after its session had ended


class CodeForm(forms.Form):
    """A code of the app, or a recovery code, of the person whose password was right."""

    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=32,
        required=False,
        widget=CodeInput(),
    )
    recovery_code = forms.CharField(
        label=gettext_lazy("Recovery code"),
        max_length=32,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )

    def __init__(self, request: HttpRequest, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request, self.user, self.proven = request, user, user

    def clean(self) -> dict[str, Any]:
        text = self.cleaned_data.get("recovery_code") or self.cleaned_data.get("code") or ""
        if not text:
            raise ValidationError(_("Enter a code."))
        if refusal := obstacle(self.user, text):
            raise ValidationError(str(refusal))
        proven = authenticate(self.request, username=self.user.get_username(), token=text)
        if not isinstance(proven, User):
            raise ValidationError(str(wrong_code()))
        self.proven = proven
        return self.cleaned_data

    def get_user(self) -> User:
        """Returns the person, with the second factor that was proven."""
        return self.proven

    @property
    def is_recovered(self) -> bool:
        """Tells whether a recovery code was used."""
        return not is_app_code(self.cleaned_data["recovery_code"] or self.cleaned_data["code"])


class LoginStep(LoginView):
    """What both steps share: the frame of the admin, and where they lead to."""

    next_page = "admin:index"  # unless the form names another page of this host

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        self.request.current_app = admin.site.name
        frame = {**admin.site.each_context(self.request), "app_path": self.request.get_full_path(), "subtitle": None}
        frame |= {
            "title": _("Log in"),
            "username": self.request.user.get_username(),
            "unsent": UNSENT in self.request.GET,
        }
        return super().get_context_data(**frame, **kwargs)


class PasswordStep(LoginStep):
    """Asks for name and password; who has no second factor is logged in then."""

    authentication_form = AdminAuthenticationForm
    template_name = "admin/login.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not admin.site.has_permission(request):
            return super().get(request, *args, **kwargs)
        page = "syncing:second_factor" if must_set_up(request.user) else "admin:index"  # type: ignore[arg-type]
        return HttpResponseRedirect(reverse(page))

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        user = form.get_user()
        if second_factor_of(user) is None:
            return super().form_valid(form)
        password_was_right(self.request, user)
        query = urlencode({REDIRECT_FIELD_NAME: self.get_redirect_url()})
        return HttpResponseRedirect(f"{reverse('syncing:login_code')}?{query}")


class CodeStep(LoginStep):
    """Asks those whose password was right for a code, and logs them in."""

    form_class = CodeForm  # type: ignore[assignment]  # it has what a login asks of a form: `get_user`
    template_name = "syncing/login_code.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.who = who_enters_a_code(request)
        if self.who is None:
            return redirect_to_login(self.get_redirect_url(), reverse("admin:login"))
        return super().dispatch(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "user": self.who}

    def form_valid(self, form: CodeForm) -> HttpResponse:  # type: ignore[override]
        self.request.session.pop(FIRST_STEP, None)
        response = super().form_valid(form)  # type: ignore[arg-type]
        if form.is_recovered:
            factor = second_factor_of(form.get_user())
            left = factor.recovery_codes.count() if factor else 0
            text = ngettext("%(n)d recovery code is left.", "%(n)d recovery codes are left.", left) % {"n": left}
            messages.warning(self.request, _("Each recovery code works only once.") + " " + text)
        return response
