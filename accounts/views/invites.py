"""Pages of invite links: those that the invited see, and one that makes many links at once."""

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts import conf
from accounts.kommo.texts import storable_id
from accounts.models import Integration, Invite
from accounts.pages import actor_of, invite_many_page
from accounts.services.connecting import attempts, invites
from accounts.services.tables.formulas import BOM, csv_line
from accounts.views.connect import CONNECTED, failures_shown, remember, to_kommo


@require_http_methods(["GET", "POST"])
@never_cache
@failures_shown
def invite(request: HttpRequest, token: str) -> HttpResponse:
    """Shows a branch's administrator on GET what it is about; on POST leads to Kommo."""
    link = invites.read(token)
    if request.method == "POST":
        started = attempts.begin(link.account, invite=link)
        remember(request, started)
        return to_kommo(request, started)
    context = {
        "title": _("Connect %(account)s") % {"account": link.account},
        "invite": link,
        "account": link.account,
    }
    response = render(request, "accounts/invite.html", context)
    response["Referrer-Policy"] = "same-origin"  # the address is the key: no other site may see it
    return response


@require_safe
@never_cache
def thanks(request: HttpRequest) -> HttpResponse:
    account = request.session.get(CONNECTED, "")
    return render(request, "accounts/thanks.html", {"title": _("Thank you"), "account": account})


@permission_required("accounts.connect_account", raise_exception=True)
@require_http_methods(["GET", "POST"])
@never_cache
def invite_many(request: HttpRequest) -> HttpResponse:
    """Makes links for the accounts that `ids` names, or for all that need connecting: as CSV or by e-mail."""
    named = (request.POST or request.GET).get("ids", "")  # "3,17"
    parts = named.split(",")
    ids = [number for part in parts if (number := storable_id(part)) is not None]
    if named and len(ids) < len(parts):  # whatever is no id is a mistake, never "all"
        raise Http404
    accounts = invites.chosen_accounts(ids) if named else invites.needing_connection()
    chosen = list(accounts.order_by("subdomain"))
    if request.method != "POST" or not chosen:
        return invite_many_page(request, chosen, named=bool(named))
    number = storable_id(request.POST.get("integration", ""))
    fallback = None if number is None else Integration.objects.filter(pk=number).first()
    new, problems = invites.invite_all(chosen, fallback, by=actor_of(request))
    for problem in problems[:10]:
        messages.error(request, f"{problem.account}: {problem.message} {problem.remedy}")
    if len(problems) > 10:
        messages.error(request, _("and %(n)d more") % {"n": len(problems) - 10})
    if not new:
        return invite_many_page(request, chosen, named=bool(named))
    if request.POST.get("how") == "email" and conf.sends_mail():
        return _send_links(request, new)
    return _csv_of(new)


def _send_links(request: HttpRequest, new: list[Invite]) -> HttpResponse:
    """Leaves the links to the workers to be sent, and says how many go by e-mail."""
    count = invites.ask_for_mails(new)
    text = ngettext(
        "%(n)d invite link was handed to the workers; this list says when it is sent.",
        "%(n)d invite links were handed to the workers; this list says when they are sent.",
        count,
    )
    messages.success(request, text % {"n": count})
    without = len(new) - count
    if without:
        text = ngettext(
            "%(n)d account has no e-mail address: enter it on its page, or use the CSV.",
            "%(n)d accounts have no e-mail address: enter it on their pages, or use the CSV.",
            without,
        )
        messages.warning(request, text % {"n": without})
    return HttpResponseRedirect(reverse("syncing:invites"))


def _csv_of(new: list[Invite]) -> HttpResponse:
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="invite-links.csv"'
    response.write(BOM + csv_line(["subdomain", "name", "email", "link", "expires"]))
    for each in new:
        account = each.account
        cells = (account.subdomain, account.name, account.contact_email, invites.link(each))
        response.write(csv_line([*cells, each.expires_at.date().isoformat()]))
    return response
