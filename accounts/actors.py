"""Names who asks for something: the one shape in which doors state it and services are given it."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Protocol, Self

from django.contrib.auth.models import User

ADMIN = "admin"  # `via` of a person at a page; syncing's Trigger has the same value


class Key(Protocol):
    """A key of the REST API, as far as an actor needs it."""

    @property
    def scopes(self) -> Collection[str]: ...

    def maker_may(self, permission: str) -> bool: ...


@dataclass(frozen=True)
class Actor:
    """A person, a key or a machine that asks, and by which door (`via`: a value of syncing's Trigger).

    `name` is shown. The identity stays the same when a key or a user gets another name: the user's id, with their name
    for the time after the user was deleted, and the id of the key. Of a key, these are the user who made it.
    `user` is a person who asks in person, `key` a key that asks; of machines, and of the past, both are None.
    """

    name: str
    via: str
    user_id: int | None = None
    username: str = ""
    key_id: int | None = None
    user: User | None = field(default=None, compare=False, repr=False)
    key: Key | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of_user(cls, user: User, via: str) -> Self:
        return cls(user.get_username(), via, user.pk, user.get_username(), user=user)

    def has(self, permission: str) -> bool:
        """Tells whether they may do it now; of a key, its maker. A machine may do what its door lets it ask for."""
        if self.key is not None:
            return self.key.maker_may(permission)
        if self.user is not None:
            return self.user.has_perm(permission)
        return self.user_id is None and self.key_id is None  # somebody of the past may nothing any more

    def is_same_person_as(self, other: "Actor") -> bool:
        """Returns True for one key, or one user. A user who was deleted may have come back under the same name."""
        if self.key_id is not None and self.key_id == other.key_id:
            return True
        if self.user_id is None or other.user_id is None:
            return False  # machines, and keys of the command line: nobody knows who holds them
        if self.user_id == other.user_id:
            return True
        here = set(User.objects.filter(pk__in=(self.user_id, other.user_id)).values_list("pk", flat=True))
        return len(here) < 2 and self.username.casefold() == other.username.casefold()
