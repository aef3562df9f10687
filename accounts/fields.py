"""A text column that is encrypted at rest with the keys of FIELD_ENCRYPTION_KEYS; a wrong key raises."""

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import models

from accounts import conf


class WrongEncryptionKey(ImproperlyConfigured):
    """A stored secret cannot be read with any key of FIELD_ENCRYPTION_KEYS."""


@lru_cache(maxsize=8)
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    if not keys:
        raise ImproperlyConfigured("FIELD_ENCRYPTION_KEYS is empty: run `python manage.py setup`, or set it.")
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError as error:
        raise ImproperlyConfigured(
            "FIELD_ENCRYPTION_KEYS holds a value that is not a Fernet key (44 characters)."
        ) from error


def cipher() -> MultiFernet:
    """The cipher of all configured keys; raises ImproperlyConfigured when there is none, or a malformed one."""
    return _cipher(conf.encryption_keys())


if TYPE_CHECKING:  # generic for the type checker only
    TextField = models.TextField[Any, Any]
else:
    TextField = models.TextField


class EncryptedTextField(TextField):
    """Text in Python, a Fernet token in the database; the empty string stays empty. Cannot be searched.

    Serialised (`dumpdata`) it stays encrypted, and what was serialised is read back (`loaddata`) with the same keys.
    """

    def get_prep_value(self, value: Any) -> Any:
        text = super().get_prep_value(value)
        return cipher().encrypt(text.encode()).decode() if text else text

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        if not value:
            return value
        try:
            return cipher().decrypt(value.encode()).decode()
        except InvalidToken as error:
            column = f"{self.model._meta.label}.{self.name}"
            raise WrongEncryptionKey(
                f"{column} was encrypted with a key that FIELD_ENCRYPTION_KEYS no longer holds."
            ) from error

    def value_to_string(self, obj: models.Model) -> str:
        return str(self.get_prep_value(self.value_from_object(obj)) or "")

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return text
        try:
            return cipher().decrypt(text.encode()).decode()
        except InvalidToken:
            return text


def encrypted_columns() -> Iterator[tuple[type[models.Model], list[str]]]:
    """Every model that keeps secrets, with the names of those fields."""
    for model in apps.get_models():
        names = [each.name for each in model._meta.concrete_fields if isinstance(each, EncryptedTextField)]
        if names:
            yield model, names
