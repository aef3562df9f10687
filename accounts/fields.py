"""A text column that is encrypted at rest with the keys of FIELD_ENCRYPTION_KEYS, and opened when it is asked for."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.models.query_utils import DeferredAttribute

from accounts import conf


class WrongEncryptionKey(ImproperlyConfigured):
    """A stored secret cannot be read with any key of FIELD_ENCRYPTION_KEYS."""


@lru_cache(maxsize=8)
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    """Returns what opens secrets by any of the keys and seals by the first; raises ImproperlyConfigured."""
    if not keys:
        raise ImproperlyConfigured("FIELD_ENCRYPTION_KEYS is empty: run `python manage.py setup`, or set it.")
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError as error:
        raise ImproperlyConfigured(
            "FIELD_ENCRYPTION_KEYS holds a value that is not a Fernet key (44 characters)."
        ) from error


def cipher() -> MultiFernet:
    """Returns the cipher of all configured keys; raises ImproperlyConfigured when there is none, or a malformed one."""
    return _cipher(conf.encryption_keys())


class Sealed(str):
    """A secret as it lies in the database."""

    def opened(self) -> str:
        """Returns the secret; raises WrongEncryptionKey when no key opens it."""
        try:
            return cipher().decrypt(self.encode()).decode()
        except InvalidToken as error:
            raise WrongEncryptionKey(
                "A stored secret was encrypted with a key that FIELD_ENCRYPTION_KEYS no longer holds."
            ) from error


class OpenedWhenAsked(DeferredAttribute):
    """Opens the secret of a row when somebody reads it, so that one that no key opens costs its own row alone."""

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        value = super().__get__(instance, cls)
        if isinstance(value, Sealed):
            value = instance.__dict__[self.field.attname] = value.opened()
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


if TYPE_CHECKING:  # generic for the type checker only
    TextField = models.TextField[Any, Any]
else:
    TextField = models.TextField


class EncryptedTextField(TextField):
    """Text in Python, a Fernet token in the database; the empty string stays empty. Cannot be searched.

    Loading a row opens nothing, nor does saving what was not opened; `values` and `values_list` give it `Sealed`.
    Serialised (`dumpdata`) it stays encrypted, and what was serialised is read back (`loaddata`) with the same keys.
    """

    descriptor_class = OpenedWhenAsked

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        return model_instance.__dict__[self.attname]

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, Sealed):
            return str(value)
        text = super().get_prep_value(value)
        return cipher().encrypt(text.encode()).decode() if text else text

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        return Sealed(value) if value else value

    def value_to_string(self, obj: models.Model) -> str:
        value = obj.__dict__.get(self.attname) or self.value_from_object(obj)
        return str(self.get_prep_value(value) or "")

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return text
        try:
            return cipher().decrypt(text.encode()).decode()
        except InvalidToken:
            return text


def is_readable(secrets: Iterable[str]) -> bool:
    """Returns True if all of these, as `values_list` gives them, can be opened."""
    try:
        return all(secret.opened() for secret in secrets if isinstance(secret, Sealed))
    except WrongEncryptionKey:
        return False


def encrypted_columns() -> Iterator[tuple[type[models.Model], list[str]]]:
    """Yields every model that stores secrets, with the names of those fields."""
    for model in apps.get_models():
        names = [each.name for each in model._meta.concrete_fields if isinstance(each, EncryptedTextField)]
        if names:
            yield model, names
