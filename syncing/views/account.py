"""Shows one account: its funnels and fields beside the master's, its connection, its history."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db.models import Exists
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.badges import expires
from accounts.kommo.texts import storable
from accounts.models import HEALTH_FINE, SECRETS, Account, Integration
from accounts.pages import actor_of, page
from syncing.presentation.drawing import Mark, Side
from syncing.presentation.painting import draw
from syncing.selectors import drift as reads
from syncing.selectors.account_history import history_of
from syncing.selectors.fleet import with_facts
from syncing.selectors.healing import rules_of, with_modes
from syncing.selectors.needs import needs
from syncing.selectors.pictures import items_of, master_snapshot, picture_of
from syncing.selectors.todo import tasks
from syncing.services import exclusions
from syncing.services.runs.start import allowed_mode
from syncing.views.lookup import slave_or_404
from syncing.views.solutions import SolvableNeed, solvable
from syncing.views.start import may_start

MOST_NAMED = 10  # items in a message
MOST_NEEDS = 3
DRAWN = ("edited", "conflict", "manual")  # needs that the page shows where they are
OF_CONNECTION = (*Account.Health.values, "expires_now", "expires_soon")  # needs that no run tells of
LONGEST_NAME = 100  # characters of each


@permission_required("accounts.view_account", raise_exception=True)
@require_safe
def account(request: HttpRequest, account_id: int) -> HttpResponse:
    """Shows an account; the drift of a slave and its runs to those who may see them."""
    accounts = Account.objects.select_related("group", "integration").defer(*SECRETS, "integration__client_secret")
    public = Integration.objects.filter(is_public=True).exclude(client_secret="")
    accounts = accounts.annotate(can_be_invited=Exists(public))
    account = get_object_or_404(with_facts(accounts, timezone.now()), pk=account_id)
    may = request.user.has_perm
    is_slave, sees_drift = account.role == Account.Role.SLAVE, may("syncing.view_drift")
    drift = reads.drift_of(account) if is_slave and sees_drift else None
    rows = with_modes(reads.differences_of(drift), account.group, rules_of(account.group)) if drift else []
    by_hand = tasks(account=account.pk) if is_slave and may("syncing.view_accountrun") else []
    context = {
        "title": str(account),
        "account": account,
        "is_slave": is_slave,
        "fine": HEALTH_FINE,
        "drift": drift,
        "picture": picture_of(account, drift, rows, by_hand) if sees_drift and (drift or not is_slave) else None,
        "exceptions": reads.exceptions_of(account) if is_slave else [],
        "exclusions": account.exclusions.all(),
        "tasks": by_hand,
        "was_synced": account.account_runs.exists(),
        "history": history_of(account, may),
        "expires": expires(account, timezone.now()),
        "needs": _needs(request, account),
        **_permissions(request, account),
    }
    return page(request, "console/account.html", context)


def _needs(request: HttpRequest, account: Any) -> list[SolvableNeed]:
    """Returns what is wrong with the account, as the overview says it; what differs is drawn on the page."""
    sees_runs = request.user.has_perm("syncing.view_syncrun")
    states = [need for need in needs([account], account.pk) if need.concern.state not in DRAWN]
    told = [need for need in states if sees_runs or need.concern.state in OF_CONNECTION]
    return solvable(told[:MOST_NEEDS], request.user.has_perm)


def _permissions(request: HttpRequest, found: Account) -> dict[str, bool]:
    """Returns what the person may do with the account, by the names that the page knows."""
    may, is_slave = request.user.has_perm, found.role == Account.Role.SLAVE
    return {
        "may_change": may("accounts.change_account"),
        "may_connect": may("accounts.connect_account"),
        "may_plan": is_slave and may("syncing.plan_sync"),
        "may_check": is_slave and may("syncing.plan_sync"),
        "may_revert": is_slave and may_start(request, allowed_mode(found.group)),
        "may_accept": is_slave and may("syncing.accept_drift"),
        "may_promote": is_slave and may("syncing.promote"),
    }


@permission_required("accounts.change_account", raise_exception=True)
@require_http_methods(["GET", "POST"])
def exclude(request: HttpRequest, account_id: int) -> HttpResponse:
    """Draws the master with a box to tick at each item (GET); runs leave out what is ticked (POST)."""
    account = slave_or_404(account_id)
    snapshot = master_snapshot(account.group)
    named = {f"{kind}|{name}" for kind, _key, name in items_of(snapshot[0])} if snapshot else set()
    if request.method == "POST":
        _store_exclusions(request, account, named)
        return HttpResponseRedirect(reverse("syncing:account", args=[account.pk]))
    stored = list(account.exclusions.values_list("kind", "name"))
    context = {
        "title": _("Leave items out of syncs: %(account)s") % {"account": account},
        "account": account,
        "drawing": draw(snapshot[0], (), Side.MASTER) if snapshot else None,
        "chosen": {f"{kind}|{name}" for kind, name in stored},
        "others": [row for row in account.exclusions.all() if f"{row.kind}|{row.name}" not in named],
        "mark": Mark.EXCLUDED,
    }
    return page(request, "console/exclude.html", context)


def _store_exclusions(request: HttpRequest, account: Account, named: set[str]) -> None:
    """Stores which ticks were set and taken away since the page was opened; other pages may have set others."""
    ticked, ticked_before = (set(request.POST.getlist(name)) for name in ("item", "was"))
    new = ticked - ticked_before
    add, drop = ({tuple(item.split("|", 1)) for item in items} for items in (new & named, ticked_before - ticked))
    exclusions.change(account, add=add, drop=drop, by=actor_of(request))
    if gone := new - named:
        names = ", ".join(storable(item.partition("|")[2] or item)[:LONGEST_NAME] for item in sorted(gone)[:MOST_NAMED])
        messages.warning(request, _("Not stored, as the master no longer has it: %(names)s.") % {"names": names})
    if add or drop:
        text = _("Stored: from the next run on, syncs leave out in %(account)s what is ticked.")
        messages.success(request, text % {"account": account})
