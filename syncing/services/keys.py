"""API keys and webhook tokens, which let machines in. Only their hashes are stored; who made them is audited."""

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts.actors import Actor
from accounts.models import SyncGroup
from accounts.refusals import Refusal
from syncing.models import ApiKey, AuditAction, KeyScope, LogEntry, SyncRun
from syncing.services import audit
from syncing.services.actors import COMMAND
from syncing.services.runs.joining import asked_before

# Long enough to be found by hash without a salt: 256 random bits.
SECRET_BYTES = 32
USED_AT_MOST_EVERY = timedelta(minutes=1)
# What the buttons of the admin need for what a scope lets in; every endpoint asks for its own of them.
CHANGES = ("accounts.change_syncgroup", "accounts.change_account", "syncing.change_channel")
PERMISSIONS: Mapping[str, tuple[str, ...]] = {
    KeyScope.READ: (
        *("syncing.view_syncrun", "syncing.view_drift", "syncing.view_channel"),
        *("syncing.view_idmapping", "syncing.view_auditentry", "accounts.view_syncgroup", "accounts.view_account"),
    ),
    KeyScope.TRIGGER: ("syncing.plan_sync", "syncing.start_sync", "syncing.roll_back", *CHANGES),
    KeyScope.APPROVE: ("syncing.approve_plan", "syncing.accept_drift"),
    KeyScope.PROMOTE: ("syncing.promote",),
}
AUDITED = ("name", "scopes", "revoked")


def digest(secret: str) -> str:
    """Returns the SHA-256 of the secret: 64 hex characters."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_key() -> str:
    return f"ks_{secrets.token_urlsafe(SECRET_BYTES)}"


def create_key(
    *, name: str, scopes: Iterable[str], maker: User | None = None, by: Actor = COMMAND
) -> tuple[ApiKey, str]:
    """Makes a key and returns it with its secret, which is stored nowhere; raises Refusal if the name is taken.

    A key without a `maker` belongs to the operators, who have a shell here: nothing but its scopes limits it.
    """
    secret = new_key()
    key = ApiKey(
        name=name, scopes=list(dict.fromkeys(scopes)), made_by=maker, prefix=secret[:8], key_hash=digest(secret)
    )
    key.maker_name = maker.get_username() if maker else ""
    try:
        with transaction.atomic():
            key.save(force_insert=True)
            _note(AuditAction.KEY_MADE, key, by, {"scopes": key.scopes})
    except IntegrityError as error:
        message = f"There is an API key named {name} already; it cannot be shown again."
        raise Refusal("exists_already", message, "Choose another name, or delete it in the admin.") from error
    return key, secret


def change_key(key: ApiKey, *, by: Actor) -> None:
    """Stores another name, other scopes, or that it is revoked or not."""
    with transaction.atomic():
        stored = ApiKey.objects.select_for_update(of=("self",)).get(pk=key.pk)
        changes = audit.changes(vars(stored), vars(key), AUDITED)
        if changes:
            key.save(update_fields=list(changes))
            _note(AuditAction.KEY_CHANGED, stored, by, changes)


def delete_keys(keys: Iterable[ApiKey], *, by: Actor) -> None:
    with transaction.atomic():
        for key in keys:
            _note(AuditAction.KEY_DELETED, key, by, {"scopes": key.scopes})
            key.delete()


def _note(action: str, key: ApiKey, by: Actor, details: Mapping[str, Any]) -> None:
    facts = {"key": key.name, "id": key.pk, "begins_with": key.prefix, "made_by": key.maker_name or None}
    audit.note(action, by=by, details={**facts, **details})


def scopes_of(maker: User) -> set[str]:
    """Returns the scopes with which a key of this person could do anything."""
    return {scope for scope, needed in PERMISSIONS.items() if any(maker.has_perm(each) for each in needed)}


def key_for(secret: str) -> ApiKey | None:
    """Returns the key with this secret, unless it is revoked."""
    wanted = digest(secret)
    key = ApiKey.objects.select_related("made_by").filter(key_hash=wanted, revoked=False).first()
    return key if key and constant_time_compare(key.key_hash, wanted) else None


def touch(key: ApiKey) -> None:
    """Notes that the key was used: at most once a minute, so that reading stays reading."""
    now = timezone.now()
    if key.last_used_at and key.last_used_at > now - USED_AT_MOST_EVERY:
        return
    stale = Q(last_used_at=None) | Q(last_used_at__lte=now - USED_AT_MOST_EVERY)
    ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)


def note_key(run: SyncRun, by: Actor, *, joined: bool) -> None:
    """Notes in the run's log which API key asked for it; each key once, however often it asks."""
    if asked_before(run, by):
        return
    what = "joined" if joined else "requested"
    message = f"{what.capitalize()} with the API key {by.name}."
    LogEntry.objects.create(run=run, code=what, message=message, details={"key": by.key_id})


def make_webhook_token(group: SyncGroup, *, rotate: bool = False, by: Actor = COMMAND) -> str:
    """Makes a new webhook token of the group; the old one ends. Raises Refusal unless `rotate` or there was none."""
    token = secrets.token_urlsafe(SECRET_BYTES)
    groups = SyncGroup.objects.filter(pk=group.pk)
    if not rotate:
        groups = groups.filter(webhook_token_hash="")
    with transaction.atomic():
        if not groups.update(webhook_token_hash=digest(token)):
            message = f"The group {group.name} has a webhook token already; it cannot be shown again."
            raise Refusal("exists_already", message, "Replace it with --rotate.")
        audit.note(AuditAction.KEY_MADE, by=by, group=group, details={"key": "webhook"})
    return token


def group_for_webhook(token: str) -> SyncGroup | None:
    """Returns the group with this webhook token, by one look-up of an index, with what a trigger needs of it."""
    groups = SyncGroup.objects.filter(webhook_token_hash=digest(token)).only("name", "requires_approval")
    return groups.order_by().first()
