"""Pages that check many connections: one asks, one shows how far the check is and what it found."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.db.models import Case, Count, QuerySet, Value, When
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import badges
from accounts.kommo.texts import storable, storable_id
from accounts.models import (
    HEALTH_FINE,
    HEALTH_NEEDS_CONNECTING,
    RELATED_SECRETS,
    Account,
    CheckedAccount,
    ConnectionCheck,
    is_called,
)
from accounts.pages import actor_of, live_parts, page
from accounts.services.health.bulk_check import start_check

PER_PAGE = 150
LAST = 10
LONGEST = 200  # characters of what is looked for; SQLite fails at patterns that are very much longer
WAITING = "waiting"
PATIENCE = timedelta(seconds=15)  # within it a living worker has taken it up
may_check = permission_required("accounts.check_account", raise_exception=True)


@dataclass(frozen=True)
class HealthCount:
    """The number of accounts with one outcome; `state` is a health, or WAITING."""

    state: str
    label: str
    tone: str
    number: int


@may_check
@require_http_methods(["GET", "POST"])
def start(request: HttpRequest) -> HttpResponse:
    """Asks on GET; on POST starts a check of all accounts (or of those in `accounts`), or leads to the one at it."""
    if request.method == "POST":
        sent = request.POST.get("accounts", "")
        chosen = [number for part in sent.split(",") if (number := storable_id(part)) is not None]
        if sent and len(chosen) < len(sent.split(",")):  # whatever is no id is a mistake, never "all"
            raise Http404
        return _start_and_show(request, chosen if sent else None)
    running = ConnectionCheck.objects.filter(finished_at=None).first()
    ended = ConnectionCheck.objects.filter(finished_at__isnull=False).select_related("requested_by")
    last = ended.annotate(number=Count("items"))[:LAST]
    total = Account.objects.count()
    context = {"title": _("Check all connections"), "total": total, "running": running, "last": last}
    return page(request, "accounts/check_start.html", context)


@may_check
@require_POST
def again(request: HttpRequest, check_id: int) -> HttpResponse:
    """Checks once more the accounts that are not connected, or were not asked."""
    check = get_object_or_404(ConnectionCheck, pk=check_id)
    ids = _items(check.pk).exclude(health=Account.Health.CONNECTED).values_list("account", flat=True)
    return _start_and_show(request, list(ids))


def _start_and_show(request: HttpRequest, account_ids: Sequence[int] | None) -> HttpResponse:
    check = start_check(account_ids, by=actor_of(request))
    if check.requested_by_id != request.user.pk:
        messages.info(request, _("These accounts are already being checked; this is that check."))
    return HttpResponseRedirect(reverse("accounts:check", args=[check.pk]))


@may_check
@require_safe
def check(request: HttpRequest, check_id: int) -> HttpResponse:
    return page(request, "accounts/check.html", _context(request, check_id))


@may_check
@require_safe
def check_live(request: HttpRequest, check_id: int) -> HttpResponse:
    context = _context(request, check_id)
    names = {
        "ks-check-next": "accounts/_check_next.html",
        "ks-check": "accounts/_check.html",
        "ks-checked": "accounts/_checked.html",
    }
    parts = {name: (template, context) for name, template in names.items()}
    return live_parts(request, parts, is_open=context["check"].finished_at is None)


def _items(check_id: int) -> QuerySet[CheckedAccount]:
    return CheckedAccount.objects.filter(check_order=check_id)


def _context(request: HttpRequest, check_id: int) -> dict[str, Any]:
    """Returns all that the page of a check shows."""
    order = get_object_or_404(ConnectionCheck.objects.select_related("requested_by"), pk=check_id)
    asked, query = (storable(request.GET.get(name, "")).strip()[:LONGEST] for name in ("health", "q"))
    state = asked if asked in (WAITING, *Account.Health.values) else ""
    counts = _counts(check_id)
    total = sum(each.number for each in counts)
    numbers = {each.state: each.number for each in counts}
    return {
        "title": _("Connection check #%(number)d") % {"number": order.pk},
        "check": order,
        "counts": counts,
        "total": total,
        "done": total - numbers.get(WAITING, 0),
        "lost": sum(numbers.get(each, 0) for each in HEALTH_NEEDS_CONNECTING),
        "unwell": sum(number for each, number in numbers.items() if each not in (*HEALTH_FINE, WAITING)),
        "missed": numbers.get(WAITING, 0),
        "waits_long": order.finished_at is None
        and order.beat_at is None
        and timezone.now() - order.created_at > PATIENCE,
        "health": state,
        "filters": {"ignored": [f"health={asked}"] if asked != state else []},
        "query": query,
        "items": _one_page(request, _items(check_id), state, query),
    }


def _counts(check_id: int) -> list[HealthCount]:
    """Counts the outcomes that there are, in the order of the healths, those that wait at the end."""
    rows = dict(_items(check_id).order_by().values_list("health").annotate(n=Count("pk")))
    counts = [
        HealthCount(each.value, str(each.label), badges.HEALTH_TONES[each.value], rows[each.value])
        for each in Account.Health
        if each.value in rows
    ]
    return [*counts, HealthCount(WAITING, _("Waiting"), badges.IDLE, rows[""])] if "" in rows else counts


def _one_page(request: HttpRequest, items: QuerySet[CheckedAccount], state: str, query: str) -> Any:
    """Returns a page of the accounts of this state and name; those that need somebody come first as soon as known."""
    if state == WAITING:
        items = items.filter(health="")
    elif state:
        items = items.filter(health=state)
    if query:
        items = items.filter(is_called(query, "account__"))
    is_fine = Case(When(health__in=["", *HEALTH_FINE], then=Value(1)), default=Value(0))
    rows = items.select_related("account").defer(*RELATED_SECRETS).order_by(is_fine, "pk")
    one_page: Any = Paginator(rows, PER_PAGE).get_page(request.GET.get("p"))
    waiting = badges.mark(badges.IDLE, _("Waiting"))
    one_page.object_list = [(item, badges.health(item.health) if item.health else waiting) for item in one_page]
    return one_page
