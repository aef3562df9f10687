"""Secrets that let machines in: API keys and webhook tokens. Only their hashes are kept."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts.models import SyncGroup
from syncing.models import ApiKey, LogEntry, SyncRun

# Long enough to be found by hash without a salt: 256 random bits.
SECRET_BYTES = 32
USED_AT_MOST_EVERY = timedelta(minutes=1)


class AlreadyExists(Exception):
    """The key or token is there already; it is never shown again."""


def digest(secret: str) -> str:
    """64 hex characters."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_key() -> str:
    return f"ks_{secrets.token_urlsafe(SECRET_BYTES)}"


def lock_with(key: ApiKey, secret: str) -> ApiKey:
    """Put the hash and the first characters of `secret` into the unsaved `key`."""
    key.prefix, key.key_hash = secret[:8], digest(secret)
    return key


def create_key(*, name: str, scopes: Sequence[str]) -> tuple[ApiKey, str]:
    """A new key and its secret, which is kept nowhere; raises AlreadyExists if the name is taken."""
    secret = new_key()
    try:
        with transaction.atomic():
            key = lock_with(ApiKey(name=name, scopes=sorted(set(scopes))), secret)
            key.save(force_insert=True)
    except IntegrityError as error:
        raise AlreadyExists(name) from error
    return key, secret


def key_for(secret: str) -> ApiKey | None:
    """The key with this secret, unless it is revoked."""
    wanted = digest(secret)
    key = ApiKey.objects.filter(key_hash=wanted, revoked=False).first()
    return key if key and constant_time_compare(key.key_hash, wanted) else None


def touch(key: ApiKey) -> None:
    """Note that the key was used: at most once a minute, so that reading stays reading."""
    now = timezone.now()
    if key.last_used_at and key.last_used_at > now - USED_AT_MOST_EVERY:
        return
    stale = Q(last_used_at=None) | Q(last_used_at__lte=now - USED_AT_MOST_EVERY)
    ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)


def sign(run: SyncRun, key: ApiKey, *, joined: bool) -> None:
    """Note in the run's log whose key asked for it."""
    what = "joined" if joined else "requested"
    LogEntry.objects.create(run=run, code=what, message=f"{what.capitalize()} with the API key {key.name}.")


def make_webhook_token(group: SyncGroup, *, rotate: bool = False) -> str:
    """A new webhook token of the group; the old one dies. Raises AlreadyExists unless `rotate` or there was none."""
    token = secrets.token_urlsafe(SECRET_BYTES)
    groups = SyncGroup.objects.filter(pk=group.pk)
    if not rotate:
        groups = groups.filter(webhook_token_hash="")
    if not groups.update(webhook_token_hash=digest(token)):
        raise AlreadyExists(group.name)
    return token


def group_for_webhook(token: str) -> SyncGroup | None:
    """The group with this webhook token; one look-up by index."""
    return SyncGroup.objects.filter(webhook_token_hash=digest(token)).first()
