"""Invite links: the pages of who was invited, and the page that makes many of them at once."""

import csv
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts import conf
from accounts.models import SECRETS, Account, Integration, Invite
from accounts.pages import page, person
from accounts.services.connecting import attempts, invites
from accounts.services.connecting.attempts import CannotConnect
from accounts.views.connect import failed, remember, to_kommo

RISKY = ("=", "+", "-", "@", "\t", "\r")


@require_http_methods(["GET", "POST"])
@never_cache
def invite(request: HttpRequest, token: str) -> HttpResponse:
    """What a branch's administrator sees: GET says what it is about, POST leads to Kommo."""
    try:
        found = invites.read(token)
        if request.method == "POST":
            begun = attempts.begin(found.account, invite=found)
            remember(request, begun)
            return to_kommo(request, begun)
    except CannotConnect as problem:
        return failed(request, problem)
    context = {
        "title": _("Connect %(account)s") % {"account": found.account},
        "invite": found,
        "account": found.account,
    }
    response = render(request, "accounts/invite.html", context)
    response["Referrer-Policy"] = "same-origin"  # the address is the key: no other site may see it
    return response


@require_safe
@never_cache
def thanks(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/thanks.html", {"title": _("Thank you")})


@permission_required("accounts.connect_account", raise_exception=True)
@require_http_methods(["GET", "POST"])
@never_cache
def invite_many(request: HttpRequest) -> HttpResponse:
    """Links for the accounts named by `id`, or for all that need connecting: as CSV or by e-mail."""
    accounts = _accounts(request)
    if request.method == "POST" and accounts:
        return _make(request, accounts)
    return page(request, "accounts/invite_many.html", _question(request, accounts))


def _accounts(request: HttpRequest) -> list[Account]:
    ids = [int(value) for value in (request.POST or request.GET).getlist("id") if value.isdecimal()]
    named = Account.objects.filter(pk__in=ids).select_related("integration").defer(*SECRETS)
    return list((named if ids else invites.needing_connection()).order_by("subdomain"))


def _question(request: HttpRequest, accounts: list[Account]) -> dict[str, Any]:
    integrations = list(Integration.objects.exclude(client_secret=""))
    public = [each for each in integrations if each.is_public]
    return {
        "title": _("Invite links"),
        "accounts": accounts,
        "named": bool(request.GET.getlist("id")),
        "without_integration": [each for each in accounts if each.integration_id is None],
        "without_email": [each for each in accounts if not each.contact_email],
        "integrations": integrations,
        "default": public[0] if len(public) == 1 else None,
        "sends_mail": conf.sends_mail(),
    }


def _make(request: HttpRequest, accounts: list[Account]) -> HttpResponse:
    number = request.POST.get("integration", "")
    fallback = Integration.objects.filter(pk=number).first() if number.isdecimal() else None
    made, problems = invites.invite_all(accounts, fallback, by=person(request))
    for problem in problems[:10]:
        messages.error(request, f"{problem.account}: {problem.message} {problem.remedy}")
    if len(problems) > 10:
        messages.error(request, _("and %(n)d more") % {"n": len(problems) - 10})
    if not made:
        return HttpResponseRedirect(request.get_full_path())
    if request.POST.get("how") == "email" and conf.sends_mail():
        return _by_mail(request, made)
    return _as_csv(made)


def _by_mail(request: HttpRequest, made: list[Invite]) -> HttpResponse:
    count = invites.queue_mails(made)
    text = ngettext("%(n)d invite link is being sent.", "%(n)d invite links are being sent.", count)
    messages.success(request, text % {"n": count})
    if count < len(made):
        text = _("%(n)d accounts have no e-mail address: enter it on their pages, or use the CSV.")
        messages.warning(request, text % {"n": len(made) - count})
    return HttpResponseRedirect(reverse("admin:accounts_invite_changelist"))


def _as_csv(made: list[Invite]) -> HttpResponse:
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="invite-links.csv"'
    response.write("\ufeff")  # or spreadsheets take it for another encoding
    rows = csv.writer(response)
    rows.writerow(["subdomain", "name", "email", "link", "expires"])
    for each in made:
        account = each.account
        cells = (account.subdomain, account.name, account.contact_email, invites.link(each))
        rows.writerow([*map(_harmless, cells), each.expires_at.date().isoformat()])
    return response


def _harmless(text: str) -> str:
    """Spreadsheets would take such a cell for a formula."""
    return f"'{text}" if text.startswith(RISKY) else text
