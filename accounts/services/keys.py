"""Encryption keys in use: encrypting every secret anew, and finding those that no key opens."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.apps import apps
from django.db import models, transaction

from accounts.fields import EncryptedTextField, WrongEncryptionKey


@dataclass(frozen=True)
class Rotation:
    """How many rows are encrypted with the first key now, and which could not be read with any."""

    rotated: int
    unreadable: tuple[str, ...]


def rotate() -> Rotation:
    """Encrypts every stored secret anew with the first key; may run beside everything else, and again."""
    rotated, unreadable = 0, []
    for model, names in _secret_fields():
        for row_id in model._base_manager.order_by("pk").values_list("pk", flat=True):
            try:
                rotated += _rotate_row(model, names, row_id)
            except WrongEncryptionKey:
                unreadable.append(f"{model._meta.label} {row_id}")
    return Rotation(rotated, tuple(unreadable))


def unreadable_secrets() -> tuple[str, ...]:
    """The rows whose secrets no key of FIELD_ENCRYPTION_KEYS opens, as "accounts.Account 7"."""
    found = []
    for model, names in _secret_fields():
        for row_id in model._base_manager.order_by("pk").values_list("pk", flat=True):
            try:
                model._base_manager.filter(pk=row_id).values_list(*names).first()
            except WrongEncryptionKey:
                found.append(f"{model._meta.label} {row_id}")
    return tuple(found)


def _secret_fields() -> Iterator[tuple[type[models.Model], list[str]]]:
    for model in apps.get_models():
        names = [each.name for each in model._meta.concrete_fields if isinstance(each, EncryptedTextField)]
        if names:
            yield model, names


def _rotate_row(model: type[models.Model], names: list[str], row_id: object) -> int:
    """Reads and writes under one lock, so that a token stored meanwhile is never put back."""
    with transaction.atomic():
        row = model._base_manager.select_for_update().only(*names).filter(pk=row_id).first()
        if row is None or not any(getattr(row, name) for name in names):
            return 0
        row.save(update_fields=names)
    return 1
