"""Raises Refusal for who may not do something, and for rows with values that their tables do not take."""

from collections.abc import Collection

from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.refusals import Refusal

CHANGE_GROUP, CHANGE_ACCOUNT = "accounts.change_syncgroup", "accounts.change_account"


def require_permission(by: Actor, permission: str) -> None:
    if not by.has(permission):
        message = _("%(who)s may not do this: %(permission)s is missing.") % {"who": by.name, "permission": permission}
        raise Refusal("not_allowed", message, _("Ask somebody who may, or for the permission."))


def require_valid(row: Model, names: Collection[str]) -> None:
    """Raises Refusal that names every one of the columns `names` with a value that its table does not take."""
    others = [field.name for field in row._meta.fields if field.name not in names]
    try:
        row.clean_fields(exclude=others)
    except ValidationError as error:
        wrong = error.error_dict
        sentences = [f"{name}: {_sentence(row, name, errors)}" for name, errors in wrong.items()]
        raise Refusal(f"bad_{next(iter(wrong))}", " ".join(sentences), _("Nothing was changed.")) from error


def _sentence(row: Model, name: str, errors: list[ValidationError]) -> str:
    """Returns what is wrong with a value; of a choice it names the possible ones."""
    choices = [str(value) for value, _label in row._meta.get_field(name).choices or ()]  # type: ignore[union-attr]
    if choices and getattr(row, name):
        facts = {"value": getattr(row, name), "choices": ", ".join(choices)}
        return _("%(value)s is none of %(choices)s.") % facts
    return " ".join(message for each in errors for message in each.messages)
