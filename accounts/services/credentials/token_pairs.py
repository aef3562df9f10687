"""The stored token pair of an account: who may renew it, and every change of it, each conditional.

Nothing here speaks with Kommo. A pair is only ever replaced where its generation is still the one that was refreshed,
so a late answer, a second winner or a crash can at worst waste a request.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Self

from django.db import transaction
from django.db.models import F, Q, QuerySet

from accounts import clock
from accounts.kommo.oauth import ClientKeys, Tokens
from accounts.models import Account, AccountEvent, Integration, TokenPair
from accounts.services import events

FRESH = timedelta(seconds=60)  # an access token with less left (or a tenth of its life) is renewed before it is used
LONGEST_LEASE = timedelta(minutes=25)  # the longest KOMMO_TIMEOUT twice, and more
REFRESH_LIFE = timedelta(days=90)  # three months, counted anew at each refresh (docs/kommo.md 1.3)


@dataclass(frozen=True)
class Pair:
    """A pair as it was read; `mine`: the reader holds the lease to renew it."""

    account_id: int
    generation: int
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    access_expires_at: datetime | None
    obtained_at: datetime
    keys: ClientKeys
    fence: int
    mine: bool = False
    leased: bool = False
    failure: Mapping[str, str] | None = None  # of the refresh that was waited for
    ended: bool = False

    @classmethod
    def of(cls, row: TokenPair) -> Self:
        return cls(
            account_id=row.pk,
            generation=row.generation,
            access_token=row.access_token,
            refresh_token=row.refresh_token,
            access_expires_at=row.access_expires_at,
            obtained_at=row.obtained_at,
            keys=keys_of(row.integration),
            fence=row.fence,
            failure=row.failure if row.ended_at else None,
            ended=row.ended_at is not None,
        )

    def is_fresh(self, moment: datetime) -> bool:
        """Returns True if it is good for a request at `moment`, as far as its own time tells."""
        expires = self.access_expires_at
        if not self.access_token or expires is None:
            return bool(self.access_token)
        return expires - min(FRESH, (expires - self.obtained_at) / 10) > moment


def keys_of(integration: Integration) -> ClientKeys:
    return ClientKeys(integration.client_id, integration.client_secret, integration.redirect_uri)


def acquire(account_id: int, *, refused: int = 0, waited_for: int = 0, lease: timedelta) -> Pair | None:
    """Returns the pair if it can be used; else, `mine`, with the lease to renew it; or, `leased`: somebody else has it.

    `refused` is the generation whose access token Kommo refused. `waited_for` is the fence of somebody else's refresh:
    when that failed, its `failure` is given instead of another try. None: there is no pair.
    """
    row = TokenPair.objects.select_related("integration").filter(pk=account_id).first()
    if row is None or not row.refresh_token:
        return None
    moment, pair = clock.now(), Pair.of(row)
    if pair.ended or (row.generation != refused and pair.is_fresh(moment)):
        return pair
    if waited_for and row.failed_fence >= waited_for:
        return replace(pair, failure=row.failure)
    # A lease that ends later than any can is of a clock that was set back.
    over = Q(lease_until=None) | Q(lease_until__lt=moment) | Q(lease_until__gt=moment + LONGEST_LEASE)
    free = TokenPair.objects.filter(over, pk=account_id, fence=row.fence)
    won = free.filter(generation=row.generation).update(fence=F("fence") + 1, lease_until=moment + lease)
    return replace(pair, mine=True, fence=row.fence + 1) if won else replace(pair, leased=True)


def _leased(pair: Pair) -> QuerySet[TokenPair]:
    return TokenPair.objects.filter(pk=pair.account_id, generation=pair.generation, fence=pair.fence)


def _locked(account_id: int) -> QuerySet[Account]:
    """Locks the account's row, before its pair's, as everybody does: or two could wait for each other."""
    entry = Account.objects.filter(pk=account_id)
    entry.select_for_update().values_list("pk").first()
    return entry


def extend(pair: Pair, lease: timedelta) -> bool:
    """Holds the lease for `lease` from now; False when it was lost."""
    return _leased(pair).update(lease_until=clock.now() + lease) == 1


def release(pair: Pair) -> None:
    """Gives the lease back without a word: nothing was asked, or nobody knows how it ended."""
    _leased(pair).update(lease_until=None)


def store_failure(pair: Pair, problem: Mapping[str, str]) -> None:
    """Stores that the refresh failed for now: those who wait for it need not try themselves."""
    _leased(pair).update(lease_until=None, failed_fence=pair.fence, failure=dict(problem))


@transaction.atomic
def store_renewed(pair: Pair, tokens: Tokens) -> Pair | None:
    """Stores the new pair in the place of the one it was refreshed from; returns None when that is gone.

    Whoever holds the lease by now: a pair that Kommo gave is better than none.
    """
    moment = clock.now()
    fresh = _columns(tokens, moment)
    account = _locked(pair.account_id)
    rows = TokenPair.objects.filter(pk=pair.account_id, generation=pair.generation)
    if not rows.update(**fresh, generation=pair.generation + 1):
        return None
    account.update(token_expires_at=moment + REFRESH_LIFE, warned_days=None)
    # A refusal that came in between was of a pair that is not the last: a check or a run will tell.
    account.filter(health=Account.Health.RECONNECT).update(health=Account.Health.UNKNOWN, health_reason="")
    return replace(
        pair,
        generation=pair.generation + 1,
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        access_expires_at=fresh["access_expires_at"],
        obtained_at=moment,
        mine=False,
    )


@transaction.atomic
def end(pair: Pair, problem: Mapping[str, str]) -> bool:
    """Stores that Kommo takes the refresh token no more; False when another pair is stored already, of which that says
    nothing."""
    moment, account = clock.now(), _locked(pair.account_id)
    rows = TokenPair.objects.filter(pk=pair.account_id, generation=pair.generation, ended_at=None)
    stored = rows.select_related("integration").first()
    if stored is None or keys_of(stored.integration) != pair.keys:
        release(pair)  # refused were keys that are corrected by now
        return False
    ended = {"failed_fence": pair.fence, "failure": dict(problem), "lease_until": None}
    if not rows.update(ended_at=moment, **ended):
        return False
    reason = events.with_remedy(problem["message"], problem["remedy"])
    account.update(health=Account.Health.RECONNECT, health_reason=reason[:500], checked_at=moment)
    events.note(pair.account_id, AccountEvent.Code.RECONNECT, reason)
    return True


@transaction.atomic
def store(account: Account, integration: Integration, tokens: Tokens) -> None:
    """Stores the pair of a consent: it replaces whatever was there, also in the hands of others."""
    moment, entry = clock.now(), _locked(account.pk)
    columns = {**_columns(tokens, moment), "integration": integration}
    if not TokenPair.objects.filter(pk=account.pk).update(**columns, generation=F("generation") + 1):
        TokenPair.objects.create(account=account, **columns)
    entry.update(
        credential_kind=Account.CredentialKind.OAUTH,
        integration=integration,
        token_expires_at=moment + REFRESH_LIFE,
        warned_days=None,
    )


def store_refresh_token(account: Account, integration: Integration, refresh_token: str) -> None:
    """Stores a refresh token from a file: the first use of it brings the access token."""
    store(account, integration, Tokens("", refresh_token, 0.0))


def forget(account_id: int) -> None:
    """Empties a pair that is worth nothing any more (uninstalled, or another credential took its place); late answers
    find another generation."""
    TokenPair.objects.filter(pk=account_id).update(
        access_token="", refresh_token="", generation=F("generation") + 1, lease_until=None, ended_at=None, failure=None
    )


def revive(integration: Integration) -> int:
    """Takes the end of pairs back, as the integration's secret or address was corrected; returns their number."""
    return TokenPair.objects.filter(integration=integration, ended_at__isnull=False).update(ended_at=None, failure=None)


def _columns(tokens: Tokens, moment: datetime) -> dict[str, Any]:
    """Returns the columns of a pair that Kommo has just given."""
    return {
        "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token,
        "access_expires_at": moment + timedelta(seconds=tokens.lives) if tokens.access_token else None,
        "obtained_at": moment,
        "lease_until": None,
        "failure": None,
        "ended_at": None,
    }
