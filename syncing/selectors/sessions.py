"""Who is logged in: sessions that would let somebody in now. The key of a session, which is a secret, never leaves."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.dateparse import parse_datetime

from accounts.text_search import is_in
from syncing.selectors.filters import ListFilters, one_of
from syncing.selectors.second_factor import is_proven

LOGIN = "kommosync_login"  # what `syncing.logins` stores in a session: at (ISO 8601), address, agent


@dataclass(frozen=True)
class OpenSession:
    """A session of somebody; `name` stands for its key. Of one older than this page only the end is known."""

    name: str
    user: User
    ends_at: datetime
    at: datetime | None
    address: str
    agent: str

    @property
    def since(self) -> datetime:
        """Returns when it began, as far as that is known: else when it ends."""
        return self.at or self.ends_at


@dataclass(frozen=True)
class SessionListFilters(ListFilters):
    """What somebody looks for: words of names and addresses."""

    sort: str = one_of("oldest", "person")


def found_sessions(sessions: Iterable[OpenSession], filters: SessionListFilters) -> list[OpenSession]:
    """Returns the sessions with this text, the newest first if no other order is asked for."""
    found = [each for each in sessions if is_in(filters.q, each.user.get_username(), each.address)]
    found.sort(key=lambda each: each.since, reverse=filters.sort != "oldest")
    return sorted(found, key=lambda each: each.user.get_username().casefold()) if filters.sort == "person" else found


def name_of(key: str) -> str:
    """Returns what a session is called on pages: 32 hex characters, from which nobody gets to its key."""
    return sha256(f"session {key}".encode()).hexdigest()[:32]


def open_sessions(user: User | None = None) -> dict[str, OpenSession]:
    """Returns by their keys the sessions of one person or of everybody.

    Left out are those that let nobody in: of people who may not log in any more, whose password was changed since,
    or who have set up a second factor that was not proven there.
    """
    users = {str(each.pk): each for each in User.objects.filter(is_active=True).select_related("second_factor")}
    if user is not None:
        users = {key: each for key, each in users.items() if each.pk == user.pk}
    found = {}
    for row in Session.objects.filter(expire_date__gt=timezone.now()).iterator():
        data = row.get_decoded()
        person = users.get(str(data.get(SESSION_KEY, "")))
        if person is not None and _is_valid(data, person):
            login = data.get(LOGIN, {})
            found[row.session_key] = OpenSession(
                name=name_of(row.session_key),
                user=person,
                ends_at=row.expire_date,
                at=parse_datetime(login.get("at", "")),
                address=login.get("address", ""),
                agent=login.get("agent", ""),
            )
    return found


def _is_valid(data: Mapping[str, Any], person: User) -> bool:
    """Tells whether a session of this person lets them in, by what it holds."""
    is_of_now = constant_time_compare(str(data.get(HASH_SESSION_KEY, "")), person.get_session_auth_hash())
    return is_of_now and is_proven(data, person)
