"""Encrypts every secret anew, and finds those that no key opens."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db import transaction

from accounts.fields import WrongEncryptionKey, encrypted_columns, is_readable
from accounts.models import HAS_CREDENTIAL, Account


@dataclass(frozen=True)
class Rotation:
    """Counts the rows that are encrypted with the first key now, and names those that no key could read."""

    rotated: int
    unreadable: tuple[str, ...]


def rotate() -> Rotation:
    """Encrypts every stored secret anew with the first key; may run beside everything else, and again."""
    rotated, unreadable = 0, []
    for model, names in encrypted_columns():
        for row_id in model._base_manager.order_by("pk").values_list("pk", flat=True):
            try:
                with transaction.atomic():  # one lock, so that a token stored meanwhile is never put back
                    row = model._base_manager.select_for_update().only(*names).filter(pk=row_id).first()
                    opened = [getattr(row, name) for name in names] if row else []  # others are saved as they lie
                    if row is not None and any(opened):
                        row.save(update_fields=names)
                        rotated += 1
            except WrongEncryptionKey:
                unreadable.append(f"{model._meta.label} {row_id}")
    return Rotation(rotated, tuple(unreadable))


def clear(rows: Collection[str]) -> None:
    """Empties the secrets of these rows of `unreadable_secrets`; they have to be stored anew."""
    for model, names in encrypted_columns():
        label = f"{model._meta.label} "
        ids = [row.removeprefix(label) for row in rows if row.startswith(label)]
        model._base_manager.filter(pk__in=ids).update(**dict.fromkeys(names, ""))
    without = Account.objects.exclude(HAS_CREDENTIAL).exclude(health=Account.Health.DISCONNECTED)
    without.update(health=Account.Health.NO_TOKEN, health_reason="", token_expires_at=None)


def unreadable_secrets() -> tuple[str, ...]:
    """Returns the rows whose secrets no key of FIELD_ENCRYPTION_KEYS opens, as "accounts.Account 7"."""
    return tuple(
        f"{model._meta.label} {row_id}"
        for model, names in encrypted_columns()
        for row_id, *secrets in model._base_manager.order_by("pk").values_list("pk", *names)
        if not is_readable(secrets)
    )
