"""Compares the account that answered with the one that is meant: by its id, whatever its subdomain is by now."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from accounts.kommo.errors import KommoError, gettext_noop
from accounts.kommo.token_claims import jwt_claims

ALREADY_HERE = gettext_noop("Kommo account %(found)s is already here under another subdomain")


class WrongAccount(KommoError):
    """Another account answered than the one that is meant: nothing (more) may be written."""

    code = "wrong_account"
    remedy = gettext_noop("Check the subdomain and the token of this account, then check its connection.")
    remedy_of_token: ClassVar[str] = gettext_noop(
        "The token belongs to another Kommo account: store this account's own token."
    )


@dataclass(frozen=True)
class Identity:
    """The account that is meant. `account_id` is None until it was met; `others` are the ids of our other accounts."""

    subdomain: str
    account_id: int | None = None
    others: frozenset[int] = frozenset()

    def check(self, seen: Collection[object]) -> None:
        """Raises WrongAccount unless all the ids that answers named can be this account's.

        One that was never met may have any id, but only one, and none that another account of ours has.
        """
        strangers = sorted(map(str, set(seen) - {self.account_id}))
        named = ", ".join(strangers)
        if self.account_id is not None and strangers:
            raise self._wrong(
                gettext_noop("the account behind this address is %(found)s, not %(expected)s")
                % {"found": named, "expected": self.account_id}
            )
        if not self.others.isdisjoint(seen):
            raise self._wrong(ALREADY_HERE % {"found": named})
        if len(strangers) > 1:
            raise self._wrong(
                gettext_noop("the Kommo accounts %(found)s answered, and one is expected") % {"found": named}
            )

    def _wrong(self, detail: str) -> WrongAccount:
        return WrongAccount(detail, account=self.subdomain)


def claimed_account(token: str) -> int | None:
    """Returns the id of the account that a token itself names, unverified (docs/kommo.md 1.4); None: it names none."""
    claimed = jwt_claims(token).get("account_id")
    is_number = isinstance(claimed, int) and not isinstance(claimed, bool)
    return claimed if is_number else None
