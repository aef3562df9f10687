"""The grants of one account: codes, pairs of tokens, and when the old refresh token ends (docs/kommo.md 1.3)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from accounts.simulator.oauth import refusals

if TYPE_CHECKING:
    from accounts.simulator.account import SimAccount

CODE_LIFE = 20 * 60
ACCESS_LIFE = 24 * 3600
# "3 months" in docs/kommo.md 1.3; the shortest three months that a calendar has.
REFRESH_LIFE = 89 * 24 * 3600
GRACE, STRICT = "grace", "strict"


@dataclass(slots=True)
class AuthorizationCode:
    """One authorization code."""

    value: str
    client_id: str
    expires_at: float
    used: bool = False


@dataclass(slots=True)
class GrantedPair:
    """One access token and its refresh token; `parent` is the refresh token that it was got with.

    `expires_at` and `revoked` are the refresh token's: the access token has its own in the account's tokens.
    """

    client_id: str
    access: str
    refresh: str
    expires_at: float
    parent: str = ""
    used: bool = False
    revoked: bool = False


class Grants:
    """The codes and pairs of one account, guarded by its lock; they stay when they are spent, to be told apart."""

    def __init__(self, account: SimAccount) -> None:
        self.account = account
        self.codes: dict[str, AuthorizationCode] = {}
        self.pairs: dict[str, GrantedPair] = {}
        self._by_access: dict[str, GrantedPair] = {}

    def issue_code(self, client_id: str) -> str:
        code = AuthorizationCode(_opaque(240), client_id, self.account.clock() + CODE_LIFE)
        with self.account.lock:
            self.codes[code.value] = code
        return code.value

    def issue(self, client_id: str, parent: str = "") -> GrantedPair:
        """Issues a pair; the access token is one of the account's tokens, as any other."""
        with self.account.lock:
            access = self.account.issue_access_token(client_id, ACCESS_LIFE)
            pair = GrantedPair(client_id, access, _opaque(300), self.account.clock() + REFRESH_LIFE, parent)
            self.add(pair)
        return pair

    def add(self, pair: GrantedPair) -> None:
        self.pairs[pair.refresh] = pair
        self._by_access[pair.access] = pair

    def redeem(self, client_id: str, value: str) -> GrantedPair:
        """Returns the first pair for a code; raises OAuthRefusal."""
        with self.account.lock:
            code = self.codes.get(value)
            # A code belongs to one integration in one account: elsewhere it is just some text.
            if code is None or code.client_id != client_id:
                raise refusals.bad_code("Cannot decrypt the authorization code")
            if code.expires_at <= self.account.clock():
                raise refusals.bad_code("Authorization code has expired")
            if code.used:
                raise refusals.bad_code("Authorization code has been revoked")
            code.used = True
            return self.issue(client_id)

    def refresh(self, client_id: str, value: str) -> GrantedPair:
        """Returns the next pair for a refresh token; raises OAuthRefusal. The rotation is docs/kommo.md 1.3's."""
        with self.account.lock:
            pair = self.pairs.get(value)
            if pair is None or pair.client_id != client_id:
                raise refusals.bad_refresh()
            if pair.revoked:
                raise refusals.revoked_refresh()
            if pair.expires_at <= self.account.clock():
                raise refusals.bad_refresh()
            self._use(pair)
            if self.account.variants.refresh_rotation == STRICT:
                pair.revoked = True
            return self.issue(client_id, value)

    def use_access(self, value: str) -> bool:
        """Notes that a call came with this token; returns whether it was the first use of its pair."""
        pair = self._by_access.get(value)
        if pair is None or pair.used:
            return False
        with self.account.lock:
            self._use(pair)
        return True

    def revoke(self, client_id: str) -> None:
        """Ends everything that the integration holds in this account: codes, access and refresh tokens."""
        with self.account.lock:
            for code in self.codes.values():
                code.used = code.used or code.client_id == client_id
            for pair in self._of(client_id):
                pair.revoked = True
                self.account.revoke_token(pair.access)

    def expire(self, client_id: str | None = None, *, refresh: bool = False) -> int:
        """Puts the expiry of access tokens (and of refresh tokens) into the past; returns the number of pairs."""
        past = self.account.clock() - 1
        with self.account.lock:
            pairs = self._of(client_id)
            for pair in pairs:
                self.account.tokens[pair.access].expires_at = past
                pair.expires_at = past if refresh else pair.expires_at
        return len(pairs)

    def held_by(self, client_id: str) -> bool:
        """Returns whether the integration has a refresh token here that is not revoked."""
        with self.account.lock:
            return any(not pair.revoked for pair in self._of(client_id))

    def _of(self, client_id: str | None) -> list[GrantedPair]:
        return [pair for pair in self.pairs.values() if client_id in (None, pair.client_id)]

    def _use(self, pair: GrantedPair) -> None:
        """Marks the first use of a pair, which ends the refresh token it came from.

        A refresh token that was sent twice (its answer got lost, or two workers at once) has two children. Whichever
        is used first ends the parent, so that no third child can come; the other child stays good, as the sources
        tell only of the old token's end and its holder did nothing wrong.
        """
        pair.used = True
        if pair.parent:
            self.pairs[pair.parent].revoked = True


def _opaque(length: int) -> str:
    """Returns text like that of the examples: "def502" and hexadecimal digits."""
    return "def502" + secrets.token_hex(length)
