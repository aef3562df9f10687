"""Attempts to connect: each begins with a one-time state, and is taken up again by the browser that began it."""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from django.db.models import Case, Exists, OuterRef, Q, Value, When
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts import conf
from accounts.actors import ADMIN, Actor
from accounts.kommo.texts import storable
from accounts.models import (
    RELATED_INTEGRATION_SECRETS,
    RELATED_SECRETS,
    Account,
    AccountEvent,
    ConnectAttempt,
    Integration,
    Invite,
)
from accounts.refusals import Refusal
from accounts.services import events

STATE_LIFE = timedelta(minutes=20)  # as long as a code is good (docs/kommo.md 1.2)


class CannotConnect(Refusal):
    """The account was not connected; with the account and the invite, as far as they are known."""

    def __init__(
        self,
        code: str,
        message: str,
        remedy: str,
        *,
        account: Account | None = None,
        invite: Invite | None = None,
    ) -> None:
        super().__init__(code, message, remedy)
        self.account, self.invite = account, invite


@dataclass(frozen=True)
class StartedAttempt:
    """An attempt that has begun: where to send the browser, and the hash that it has to bring back."""

    url: str
    state_hash: str


def begin(account: Account, *, by: Actor | None = None, invite: Invite | None = None) -> StartedAttempt:
    """Begins an attempt with a new one-time state, bound to the account and to `by`, or to the browser with `invite`.

    Raises CannotConnect when the account has no integration that could be asked for.
    """
    integration = invite.integration if invite else account.integration
    integration = check_integration(account, integration)
    state = secrets.token_urlsafe(32)
    attempt = ConnectAttempt.objects.create(
        state_hash=_hashed(state),
        account=account,
        integration=integration,
        user=by.user if by else None,
        invite=invite,
        expires_at=timezone.now() + STATE_LIFE,
    )
    # post_message: the answer comes into the window that asked (docs/kommo.md 1.2).
    query = urlencode({"client_id": integration.client_id, "state": state, "mode": "post_message"})
    return StartedAttempt(f"{conf.oauth_url()}?{query}", attempt.state_hash)


def check_integration(account: Account, integration: Integration | None) -> Integration:
    """Returns the integration; raises CannotConnect unless `account` can be connected with it."""
    problem = obstacle(account, integration)
    if problem is not None:
        raise problem
    assert integration is not None  # that would be the first obstacle
    return integration


def obstacle(account: Account, integration: Integration | None) -> CannotConnect | None:
    """Returns the reason why `account` cannot be connected with the integration, if there is one. Reads no secret."""
    if integration is None:
        return CannotConnect(
            "no_integration",
            _("%(account)s has no integration.") % {"account": account},
            _("Create one under Integrations, then choose it on the page of the account."),
            account=account,
        )
    if not Integration.objects.filter(pk=integration.pk).exclude(client_secret="").exists():
        return CannotConnect(
            "no_secret",
            _("The integration %(name)s has no secret key.") % {"name": integration},
            _("Copy it from Kommo (Keys and scopes of the integration) into the integration's page."),
            account=account,
        )
    other = other_account(integration, account)
    if other is not None:
        return CannotConnect(
            "private_integration",
            _("The integration %(name)s is private and already serves %(other)s.")
            % {"name": integration, "other": other},
            _("Make a private integration in each account, or mark this one as public if it is."),
            account=account,
        )
    return None


def is_connectable() -> Case:
    """Returns the expression that an account has no `obstacle` with its own integration."""
    others = Account.objects.filter(integration=OuterRef("integration")).exclude(pk=OuterRef("pk"))
    is_ready = Q(integration__isnull=False) & ~Q(integration__client_secret="")
    is_free = Q(integration__is_public=True) | ~Exists(others)
    return Case(When(is_ready & is_free, then=Value(True)), default=Value(False))


def other_account(integration: Integration, account: Account) -> Account | None:
    """Returns the other account that a private integration serves (docs/kommo.md 1.1: one account only)."""
    if integration.is_public:
        return None
    return integration.accounts.exclude(pk=account.pk).only("name", "subdomain").first()


def take(state: str, *, by: Actor | None, known: Collection[str]) -> ConnectAttempt:
    """Returns the attempt that this state belongs to, which is used up from now on.

    `by` is who is logged in, `known` the hashes that this browser was given. Raises CannotConnect.
    """
    attempt = (
        ConnectAttempt.objects.select_related("account", "integration", "user", "invite")
        .defer(*RELATED_SECRETS, *RELATED_INTEGRATION_SECRETS)
        .filter(state_hash=_hashed(state))
        .first()
    )
    if attempt is None:
        raise CannotConnect(
            "unknown_state",
            _("Kommo's answer belongs to no connection that was started here."),
            _("Open the account in KommoSync and press Connect; an integration cannot be connected from Kommo's side."),
        )
    _check_owner(attempt, by, known)
    if attempt.expires_at <= timezone.now():
        raise ended(attempt, "expired_state", _("More than 20 minutes have passed since the connection was started."))
    if not ConnectAttempt.objects.filter(pk=attempt.pk, used_at=None).update(used_at=timezone.now()):
        raise ended(attempt, "used_state", _("This answer was used before."))
    return attempt


def _check_owner(attempt: ConnectAttempt, by: Actor | None, known: Collection[str]) -> None:
    """Raises CannotConnect for a state that somebody else was given: it could be planted in this browser."""
    mine = (by is not None and by.user_id == attempt.user_id) if attempt.user_id else attempt.state_hash in known
    if not mine:
        raise CannotConnect(
            "foreign_state",
            _("Another user started this connection, or you are logged out in this browser."),
            _("Log in as the user who started it, in the same browser, and press Connect again.")
            if attempt.user_id
            else _("Open the invite link again, in this browser."),
        )


def who_began(attempt: ConnectAttempt) -> Actor | None:
    """Returns the user who began it; None for somebody with an invite link."""
    return Actor.of_user(attempt.user, ADMIN) if attempt.user else None


def ended(attempt: ConnectAttempt, code: str, message: str, remedy: str = "") -> CannotConnect:
    """Returns the reason why the attempt ends without a connection; unless told otherwise, it may be begun again."""
    again = _("Open the invite link again.") if attempt.invite_id else _("Press Connect again.")
    return CannotConnect(code, message, remedy or again, account=attempt.account, invite=attempt.invite)


def _hashed(state: str) -> str:
    return hashlib.sha256(state.encode("utf-8", "replace")).hexdigest()


def denied(attempt: ConnectAttempt, error: str) -> CannotConnect:
    """Returns the reason why Kommo sends somebody back without a code."""
    if error == "access_denied":
        message = gettext_noop("Access was denied on Kommo's page, so nothing was connected.")
    else:
        message = gettext_noop("Kommo's page ended with the error %(error)s.") % {"error": storable(error)[:60] or "-"}
    events.note(attempt.account_id, AccountEvent.Code.REFUSED, message, by=who_began(attempt))
    return ended(attempt, "denied", message)
