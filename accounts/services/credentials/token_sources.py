"""The access token of an OAuth account: renewed by one winner among all threads, processes and machines."""

import logging
import random as _random
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from django.db import InterfaceError, OperationalError
from django.utils import timezone
from django.utils.translation import gettext_noop

from accounts.fields import WrongEncryptionKey
from accounts.kommo import oauth
from accounts.kommo.errors import BadAnswer, GrantRefused, KommoError, Unauthorised, no_account_answers
from accounts.kommo.oauth import Tokens
from accounts.kommo.plain_403 import Plain403Check, RequestRefused
from accounts.kommo.retry import Policy, Repeats
from accounts.kommo.stopping import Stopped
from accounts.kommo.tokens import FixedToken, NewAddress
from accounts.kommo.transport import Transport
from accounts.services.credentials import database_thread, token_pairs
from accounts.services.credentials.relocation import Locator
from accounts.services.credentials.token_pairs import Pair

logger = logging.getLogger(__name__)

POLICY = Policy(attempts=3, max_wait=10)
SHORTEST_LOOK, LONGEST_LOOK = 0.05, 0.5  # seconds between two looks at somebody else's refresh
LEASE_MARGIN = 10.0  # seconds that a lease outlasts the timeouts of the request
LEASES_WAITED = 4  # several may hold it after each other; a clock that was set back must not make it endless
STORE_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)  # seconds


class CredentialProblem(Unauthorised):
    """There is nothing to ask Kommo with; no request was sent."""

    remedy = gettext_noop(
        "Make a long-lived token in this account (Keys and scopes of a private integration) and store it."
    )

    def __init__(self, account: str, remedy: str = "") -> None:
        super().__init__(gettext_noop("no token is stored"), account=account, remedy=remedy or self.remedy)


NOT_CONNECTED = gettext_noop("Connect the account: open it in the admin and press Connect, or send an invite link.")
UNASKED = gettext_noop(
    "A firewall in front of Kommo refused to renew the token, though the account answers: run again later."
)
UNREADABLE = gettext_noop(
    "The stored token cannot be decrypted with any key of FIELD_ENCRYPTION_KEYS. Put the old key "
    "back, or store a new token."
)


class LongLivedToken(FixedToken):
    """A token source of one account whose token a person stored."""

    def __init__(self, token: str, locator: Locator) -> None:
        super().__init__(token)
        self._locator = locator

    def locate(self) -> NewAddress | None:
        """Returns the account's new address, if its token names another place than the one that is known."""
        return self._locator.find(self.current())


class OAuthTokens:
    """A token source of one account (see `kommo.tokens.TokenSource`), over its stored pair.

    `current` and `renew_after_refusal` raise KommoError, never retryable: GrantRefused when the account has to be
    connected again, otherwise the reason why the refresh did not come about, with the old pair kept.
    """

    def __init__(
        self,
        account_id: int,
        transport: Transport,
        locator: Locator,
        plain_403_check: Plain403Check,
        *,
        random: Callable[[], float] = _random.random,
    ) -> None:
        self._account_id = account_id
        self._transport = transport
        self._locator = locator
        self._plain_403_check = plain_403_check
        self._repeats = Repeats(transport.pacer, POLICY, transport.pacer.pause, random)
        self._lease = timedelta(seconds=sum(transport.timeout) + LEASE_MARGIN)
        self._pair: Pair | None = None

    def __repr__(self) -> str:
        return f"<OAuthTokens of account {self._account_id}>"

    def current(self) -> str:
        if self._pair is None or not self._pair.is_fresh(timezone.now()):
            self._pair = self._usable_pair(refused=0)
        return self._pair.access_token

    def renew_after_refusal(self, token: str) -> bool:
        if self._pair is not None and token == self._pair.access_token:
            self._pair = self._usable_pair(refused=self._pair.generation)
        return True

    def locate(self) -> NewAddress | None:
        """Returns the account's new address, if its tokens name another place than the one that is known."""
        pair = self._pair
        return None if pair is None else self._locator.find(pair.access_token, pair.refresh_token)

    def renew(self) -> None:
        """Gets a new pair now, though the access token may be good; for an account that would lie idle too long."""
        pair = self._acquire(refused=0, waited_for=0)
        self._pair = self._renew(pair) if pair.mine else self._usable_pair(refused=pair.generation)

    # -- one winner --

    def _usable_pair(self, refused: int) -> Pair:
        """Returns a pair whose access token may be used: stored by somebody else, or renewed here.

        Raises the failure of the last refresh in the words of who met it.
        """
        waited_for, look = 0, SHORTEST_LOOK
        deadline = time.monotonic() + LEASES_WAITED * self._lease.total_seconds()
        while time.monotonic() < deadline:
            pair = self._acquire(refused, waited_for)
            if pair.ended or pair.failure is not None:
                failure = pair.failure or {}
                kind = GrantRefused if pair.ended else KommoError
                raise kind(
                    failure.get("message", ""),
                    account=self._transport.account,
                    code=failure.get("code", Unauthorised.code),
                    remedy=failure.get("remedy", NOT_CONNECTED),
                )
            if pair.mine:
                return self._renew(pair)
            if not pair.leased:
                return pair
            waited_for = pair.fence
            self._transport.pacer.pause(look)
            look = min(LONGEST_LOOK, 2 * look)
        raise KommoError(
            gettext_noop("nobody ended the refresh of its tokens"), account=self._transport.account, code="unreachable"
        )

    def _acquire(self, refused: int, waited_for: int) -> Pair:
        """Returns the pair, or the lease to renew it (`token_pairs.acquire`); raises KommoError."""
        call = partial(token_pairs.acquire, self._account_id, refused=refused, waited_for=waited_for, lease=self._lease)
        try:
            pair = database_thread.run(call)
        except WrongEncryptionKey as error:
            raise KommoError(str(error), account=self._transport.account, code="internal", remedy=UNREADABLE) from error
        if pair is None:
            raise CredentialProblem(self._transport.account, NOT_CONNECTED)
        return pair

    # -- the winner --

    def _renew(self, pair: Pair) -> Pair:
        """Asks, stores, and only then gives the new pair: until it is used, the old one is still worth something.

        Of a refresh that failed it stores how, and gives the pair that somebody else has stored meanwhile, or raises.
        """
        try:
            tokens = self._refresh(pair)
        except KommoError as error:
            error.retryable = error.outcome_unknown = False  # it was repeated here as often as is good
            problem = {"code": error.code, "message": error.detail[:300], "remedy": error.remedy}
            if isinstance(error, Stopped):
                database_thread.run(partial(token_pairs.release, pair))
            elif not isinstance(error, GrantRefused):
                database_thread.run(partial(token_pairs.store_failure, pair, problem))
            elif not database_thread.run(partial(token_pairs.end, pair, problem)):
                return self._usable_pair(refused=pair.generation)
            raise
        except BaseException:
            database_thread.run(partial(token_pairs.release, pair))
            raise
        return self._store_patiently(pair, tokens) or self._usable_pair(refused=0)

    def _store_patiently(self, pair: Pair, tokens: Tokens) -> Pair | None:
        """Waits for a database that is away: in Kommo's strict reading the old pair is worth nothing by now."""
        for pause in STORE_PAUSES:
            try:
                return database_thread.run(partial(token_pairs.store_renewed, pair, tokens))
            except (OperationalError, InterfaceError):
                logger.error("account %s: the database does not take its new pair", self._transport.account)
                time.sleep(pause)
        return database_thread.run(partial(token_pairs.store_renewed, pair, tokens))

    def _refresh(self, pair: Pair) -> Tokens:
        """Returns new tokens, from where the account has moved to, if it has; raises KommoError."""
        try:
            return self._refresh_patiently(pair)
        except KommoError as error:
            # The account may have moved: then its old address knows neither it nor its tokens (docs/kommo.md 1.6).
            lost = isinstance(error, GrantRefused) or no_account_answers(error)
            moved = self._locator.find(pair.access_token, pair.refresh_token) if lost else None
            if moved is None:
                raise
        self._transport.move_to(moved.address)
        tokens = self._refresh_patiently(pair)
        moved.remember()
        return tokens

    def _refresh_patiently(self, pair: Pair) -> Tokens:
        """Asks for new tokens, again where that may help, and holds the lease meanwhile; raises KommoError."""
        attempt = 1
        while True:
            try:
                return oauth.refresh(self._transport, pair.keys, pair.refresh_token)
            except KommoError as raised:
                error = self._plain_403_check.diagnose(raised, pair.access_token)
                if isinstance(error, RequestRefused):  # of the token endpoint, not of an item
                    raise KommoError(error.detail, code=BadAnswer.code, remedy=UNASKED, **error.request) from raised
                # As a GET is repeated: the old refresh token still works after a lost answer (docs/kommo.md 1.3).
                self._repeats.prepare(error, "GET", attempt)
                attempt += 1
                database_thread.run(partial(token_pairs.extend, pair, self._lease))
