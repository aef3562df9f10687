"""Lists invite links: which can be used and which were; withdraws and renews them, sends their e-mails again."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts import conf
from accounts.models import RELATED_INTEGRATION_SECRETS, RELATED_SECRETS, Integration, Invite, InviteState, SyncGroup
from accounts.pages import actor_of, back_to_list, page, refusals_shown
from accounts.services.connecting import invites as service
from syncing.models import SavedList
from syncing.presentation.invites import invite_sentence, mail_sentence
from syncing.selectors.invites import NOT_SENT, InviteListFilters, found_invites, states_of
from syncing.views.saved_views import list_views

INVITES_PER_PAGE = 50
CONNECT = "accounts.connect_account"
may_connect = permission_required(CONNECT, raise_exception=True)


@permission_required("accounts.view_invite", raise_exception=True)
@require_safe
@never_cache
def invites(request: HttpRequest) -> HttpResponse:
    """Lists the links that are looked for; the addresses, with which one gets in, only to who may connect accounts."""
    filters = InviteListFilters.of(request.GET)
    saved = list_views(request, SavedList.INVITES, filters)
    if saved.opens:
        return HttpResponseRedirect(saved.opens)
    found = Paginator(found_invites(filters), INVITES_PER_PAGE).get_page(request.GET.get("p"))
    counts, not_sent = states_of(filters)
    context = {
        "title": _("Invite links"),
        "saved": saved,
        "filters": filters,
        "found": found,
        "rows": [_row(each, shows_link=request.user.has_perm(CONNECT)) for each in found.object_list],
        "counts": counts,
        "not_sent": not_sent,
        "NOT_SENT": NOT_SENT,
        "groups": SyncGroup.objects.order_by("name"),
        "integrations": Integration.objects.defer("client_secret").order_by("name"),
        "sends_mail": conf.sends_mail(),
    }
    return page(request, "console/invites.html", context)


def _row(invite: Any, *, shows_link: bool) -> dict[str, Any]:
    state = invite.state(timezone.now())
    is_open = state == InviteState.OPEN
    return {
        "invite": invite,
        "state": state,
        "is_open": is_open,
        "link": service.link(invite) if is_open and shows_link else "",
        "sentence": invite_sentence(invite),
        "mail": mail_sentence(invite),
        "is_renewable": state in (InviteState.EXPIRED, InviteState.WITHDRAWN) and not invite.has_newer,
    }


@may_connect
@require_POST
def withdraw(request: HttpRequest, invite_id: int) -> HttpResponse:
    """Takes a link back: whoever has it gets in no more."""
    if service.withdraw(Invite.objects.filter(pk=invite_id)):
        messages.success(request, _("The link is withdrawn: it connects nobody any more."))
    else:
        messages.error(request, _("The link could not be used any more anyway."))
    return back_to_list(request, reverse("syncing:invites"))


@may_connect
@require_POST
def renew(request: HttpRequest, invite_id: int) -> HttpResponse:
    """Makes a link instead of one that cannot be used any more, and sends it if that one was sent."""
    former = _invite_or_404(invite_id)
    account = former.account
    with refusals_shown(request):
        new = service.invite(account, account.integration or former.integration, by=actor_of(request))
        is_mailed = bool(former.email) and conf.sends_mail() and bool(service.ask_for_mails([new]))
        text = (
            _("There is a new link for %(account)s; the workers send it.")
            if is_mailed
            else _("There is a new link for %(account)s: copy it from the list, and send it.")
        )
        messages.success(request, text % {"account": account})
    return back_to_list(request, reverse("syncing:invites"))


@may_connect
@require_POST
def send_mail_again(request: HttpRequest, invite_id: int) -> HttpResponse:
    """Has the e-mail with a link sent once more, to the address that its account has now."""
    invite = _invite_or_404(invite_id)
    if invite.state(timezone.now()) == InviteState.OPEN and service.ask_for_mails([invite]):
        messages.success(request, _("The workers send it to %(address)s.") % {"address": invite.email})
    else:
        messages.error(request, _("It was not sent: the account has no e-mail address, or the link is used up."))
    return back_to_list(request, reverse("syncing:invites"))


def _invite_or_404(invite_id: int) -> Invite:
    found = Invite.objects.select_related("account__integration", "integration")
    secrets = (*RELATED_SECRETS, *RELATED_INTEGRATION_SECRETS, "account__integration__client_secret")
    return get_object_or_404(found.defer(*secrets), pk=invite_id)
