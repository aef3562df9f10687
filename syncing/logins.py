"""Logins: where a session began is stored in it; who fails too often waits (django-axes counts and locks)."""

import logging
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import Actor
from syncing import conf
from syncing.addresses import client_address
from syncing.models import AuditAction, AuditEntry, Trigger
from syncing.records.text import clean
from syncing.selectors.sessions import LOGIN
from syncing.services import audit

logger = logging.getLogger(__name__)

# Never what was typed: people type their password where the name belongs, and an audit entry stays for ever.
UNKNOWN = "unknown user"
LONGEST_AGENT = 300  # characters


def on_logged_in(sender: object, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """Stores in the session when and where it began, for the page of sessions."""
    agent = clean(request.headers.get("User-Agent", ""))[:LONGEST_AGENT]
    request.session[LOGIN] = {"at": timezone.now().isoformat(), "address": client_address(request), "agent": agent}


def on_login_failed(
    sender: object, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any
) -> None:
    """Receives Django's signal after django-axes has counted; an attempt during a lock-out is not counted."""
    failures = getattr(request, "axes_failures_since_start", None)
    if request is None or failures is None:
        return
    users = get_user_model()._default_manager
    name = str(credentials.get("username", ""))
    is_known = users.filter(username=name).exists()
    is_locked = bool(request.axes_locked_out)  # type: ignore[attr-defined]
    action = AuditAction.LOCKED_OUT if is_locked else AuditAction.BAD_LOGIN
    actor, address = Actor(name if is_known else UNKNOWN, Trigger.ADMIN), client_address(request)
    what = "locked out" if is_locked else "failed login"
    logger.warning("%s: %s from %s (failure %s)", what, actor.name, address, failures)
    # Names are free to invent: one entry per address and lock-out, or a stranger could fill the audit.
    since = timezone.now() - conf.login_lock()
    noted = AuditEntry.objects.filter(action=action, at__gt=since, actor=UNKNOWN, details__address=address)
    if is_known or not noted.exists():
        audit.note(action, by=actor, details={"address": address, "failures": failures})


def locked_out(
    request: HttpRequest, original_response: HttpResponse | None, credentials: dict[str, Any] | None
) -> HttpResponse:
    """Returns the page for who has failed too often; it is the same for names that do not exist."""
    minutes = int(conf.login_lock().total_seconds() // 60)
    context = {
        "title": _("Too many failed logins"),
        "message": _("Nobody can log in with this name from this address for %(minutes)d minutes.")
        % {"minutes": minutes},
        "remedy": _("An operator can end this at once on the server: manage.py unlock NAME"),
    }
    response = render(request, "syncing/refused.html", context, status=429)
    response["Retry-After"] = str(minutes * 60)
    return response
