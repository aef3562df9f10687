"""Logins: by password, and by a code where there is a second factor; who fails too often waits (django-axes locks).

A session begins only when both were right. Between the two steps its place is taken by a note in the browser's session,
which lets nobody in. Where it began is stored in it.
"""

import logging
import time
from typing import Any

from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission, User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts.actors import Actor
from accounts.pages import person
from accounts.refusals import Refusal
from syncing import conf
from syncing.addresses import client_address
from syncing.models import AuditAction, AuditEntry, Trigger
from syncing.records.text import clean
from syncing.selectors.second_factor import second_factor_of
from syncing.selectors.sessions import LOGIN
from syncing.services import audit, second_factor

logger = logging.getLogger(__name__)

# Never what was typed: people type their password where the name belongs, and an audit entry stays for ever.
UNKNOWN = "unknown user"
LONGEST_AGENT = 300  # characters
FIRST_STEP = "kommosync_first_step"  # the note in a browser's session: user, hash, at
CODE_WITHIN = 10 * 60  # seconds after the password


class Passwords(ModelBackend):
    """Checks passwords as Django does, and codes; loads people with their second factor, which every request needs."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        token: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """Returns the person. By a `token` (a code) only for those whose password was right before, in this browser.

        It is called that because Django hides it then from whoever hears of a failure.
        """
        if token is None:
            return super().authenticate(request, username=username, password=password, **kwargs)
        user = User.objects.filter(username=username or "").first()
        factor = second_factor.use_code(user, token) if user and self.user_can_authenticate(user) else None
        if user is None or factor is None:
            return None
        user.otp_device = factor  # type: ignore[attr-defined]  # django-otp notes it in the session that begins
        return user

    def get_user(self, user_id: Any) -> User | None:
        user = User.objects.select_related("second_factor").filter(pk=user_id).first()
        return user if user is not None and self.user_can_authenticate(user) else None

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """Returns what a person may do, by themselves and by their roles; in one query, where Django asks twice."""
        if obj is None and user_obj.is_active and not user_obj.is_superuser and not hasattr(user_obj, "_perm_cache"):
            own, by_roles = (
                Permission.objects.filter(**{name: user_obj})
                .order_by()
                .values_list("content_type__app_label", "codename")
                for name in ("user", "group__user")
            )
            user_obj._perm_cache = {f"{app}.{codename}" for app, codename in own.union(by_roles)}
        return super().get_all_permissions(user_obj, obj)


def password_was_right(request: HttpRequest, user: User) -> None:
    """Notes in the browser's session that somebody has still to enter a code."""
    request.session.cycle_key()  # who planted the old one does not share the step
    note = {"user": user.pk, "hash": user.get_session_auth_hash(), "at": time.time()}
    request.session[FIRST_STEP] = note


def who_enters_a_code(request: HttpRequest) -> User | None:
    """Returns the person whose password was right in this browser a moment ago, and has not been changed since."""
    note = request.session.get(FIRST_STEP)
    if note is None or not 0 <= time.time() - note["at"] <= CODE_WITHIN:
        return None
    user = User.objects.filter(pk=note["user"], is_active=True, is_staff=True).first()
    if user is None or second_factor_of(user) is None:
        return None
    return user if constant_time_compare(note["hash"], user.get_session_auth_hash()) else None


@sensitive_variables("text")
def check_again(request: HttpRequest, text: str) -> None:
    """Raises Refusal unless the text is the password, or a code of now, of the person who is logged in.

    Failures count as those of logins do: who has found an open browser cannot try passwords in it.
    """
    user = person(request)
    by_code = second_factor.is_app_code(text) and second_factor_of(user) is not None
    if by_code and (refusal := second_factor.obstacle(user, text)):
        raise refusal
    if authenticate(request, username=user.get_username(), **{"token" if by_code else "password": text}) is None:
        raise second_factor.wrong_code() if by_code else Refusal("wrong_password", _("This password is wrong."))


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
    step = {"step": "code"} if "token" in credentials else {}  # the password was right
    logger.warning("%s: %s from %s (failure %s)", what, actor.name, address, failures)
    # Names are free to invent: one entry per address and lock-out, or a stranger could fill the audit.
    since = timezone.now() - conf.login_lock()
    noted = AuditEntry.objects.filter(action=action, at__gt=since, actor=UNKNOWN, details__address=address)
    if is_known or not noted.exists():
        audit.note(action, by=actor, details={"address": address, "failures": failures, **step})


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
