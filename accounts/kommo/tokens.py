"""The interface that a client takes its access token from, and the simplest class that fits it."""

from collections.abc import Callable
from typing import NamedTuple, Protocol


class TokenSource(Protocol):
    """The source of tokens; refreshing them is the source's business, not the client's."""

    def current(self) -> str:
        """Returns the access token to use now; raises Unauthorised when there is none."""

    def renew_after_refusal(self, token: str) -> bool:
        """Renews `token`, to which Kommo answered 401, where it can be renewed.

        Returns True when `current` now has another, worth one repeat.
        """


class NewAddress(NamedTuple):
    """The address where an account is now; `remember` stores it, once it is sure that the account lives there."""

    address: str
    remember: Callable[[], object]


class FixedToken:
    """A long-lived token: it is what it is, nobody can refresh it (docs/kommo.md 1.5)."""

    def __init__(self, token: str) -> None:
        self._token = token.strip()

    def __repr__(self) -> str:
        return "FixedToken(***)"

    def current(self) -> str:
        return self._token

    def renew_after_refusal(self, token: str) -> bool:
        return False


def fit_for_header(token: str) -> bool:
    """Returns True for what may stand behind "Bearer": one word of printable ASCII."""
    return bool(token) and token.isascii() and token.isprintable() and " " not in token
