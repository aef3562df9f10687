"""Ends sessions: one's own, and for who may change people those of everybody; the next request has to log in again."""

from collections.abc import Callable

from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.refusals import Refusal
from syncing.models import AuditAction
from syncing.selectors.sessions import OpenSession, open_sessions
from syncing.services import audit

OF_OTHERS = "auth.change_user"


def end_session(name: str, *, by: Actor) -> OpenSession:
    """Ends the session that a page calls `name`; raises Refusal, also for one that is not theirs."""
    ended = _end(by, None if by.has(OF_OTHERS) else by.user, lambda _key, session: session.name == name)
    if not ended:
        message = _("This session has ended already, or is not yours.")
        raise Refusal("unknown_session", message, _("Load the page again."))
    return ended[0]


def end_other_sessions(own_key: str, *, by: Actor) -> int:
    """Ends all sessions of the one who asks but the one in which they do (`own_key`); returns how many."""
    return len(_end(by, by.user, lambda key, _session: key != own_key))


def end_sessions_of(user: User, *, by: Actor) -> None:
    """Ends all sessions of a person; the caller has checked that they may."""
    _end(by, user, lambda _key, _session: True)


def _end(by: Actor, owner: User | None, is_meant: Callable[[str, OpenSession], bool]) -> list[OpenSession]:
    """Ends the sessions of `owner` (None: of everybody) that are meant, and writes down whose they were."""
    ending = {key: session for key, session in open_sessions(owner).items() if is_meant(key, session)}
    with transaction.atomic():
        Session.objects.filter(pk__in=ending).delete()
        for session in ending.values():
            details = {"user": session.user.get_username(), "address": session.address}
            audit.note(AuditAction.SESSION, by=by, details=details)
    return list(ending.values())
