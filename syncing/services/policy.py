"""The policy of a group as values: read as a whole, set all or nothing, and told in a document that can live in git."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.kommo.texts import storable
from accounts.models import SyncGroup
from accounts.models.pausing import Pausable
from accounts.refusals import Refusal
from syncing.models import AuditAction
from syncing.services import audit, schedules
from syncing.services.runs.create import locked

NOT_POLICY = {"id", "name", *(field.name for field in Pausable._meta.get_fields())}
ON, OFF = {"true", "yes", "on"}, {"false", "no", "off"}
WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")
SHOWN = 60  # characters of a wrong value
EXAMPLE = '{"group": "Branches", "policy": {"watch": "apply"}}'

Change = dict[str, list[Any]]  # key: [old, new]


def fields() -> "dict[str, models.Field[Any, Any]]":
    """Returns the fields of a group that are its policy, by their names: the keys."""
    columns = SyncGroup._meta.concrete_fields
    return {field.name: field for field in columns if field.editable and field.name not in NOT_POLICY}


def policy_of(group: SyncGroup) -> dict[str, Any]:
    """Returns the whole policy."""
    return {key: getattr(group, key) for key in fields()}


def document_of(group: SyncGroup) -> dict[str, Any]:
    """Returns the policy with the group that it is of; `read_document` takes it back."""
    return {"group": group.name, "policy": policy_of(group)}


def read_document(document: Any) -> tuple[str | None, dict[str, Any]]:
    """Returns the group that a document names (None: it names none), and its values as they stand there.

    Raises Refusal for a document of another shape.
    """
    if not isinstance(document, dict) or not isinstance(document.get("policy"), dict):
        raise _wrong(_("This is no policy: it must be a JSON object as %(example)s.") % {"example": EXAMPLE})
    if unknown := sorted(document.keys() - {"group", "policy"}):
        raise _wrong(_("Beside group and policy there is: %(keys)s.") % {"keys": ", ".join(map(_shown, unknown))})
    name = document.get("group")
    if name is not None and not isinstance(name, str):
        raise _wrong(_("The group is no text."))
    return name, document["policy"]


def set_policy(group: SyncGroup, values: Mapping[str, Any], by: Actor) -> Change:
    """Sets all of the values, texts or what JSON has; returns what changed, which is in the audit then.

    Raises Refusal, which names every key that is not known and every value that is wrong; then nothing is changed.
    """
    wrong: list[str] = []
    wanted: dict[str, Any] = {}
    for key, value in values.items():
        try:
            wanted[key] = _value_of(key, value)
        except ValidationError as error:
            wrong.append(" ".join(error.messages))
    if wrong:
        raise _wrong(" ".join(wrong))
    with locked(group) as stored:
        before = policy_of(stored)
        changes = audit.changes(before, wanted, wanted)
        if changes:
            SyncGroup.objects.filter(pk=group.pk).update(**{key: new for key, (_old, new) in changes.items()})
            audit.note(AuditAction.POLICY, by=by, group=stored, details=changes)
        if "time_zone" in changes:
            stored.refresh_from_db(fields=["time_zone"])
            schedules.zone_changed(stored)
    group.refresh_from_db(fields=list(fields()))
    return changes


def _wrong(message: str) -> Refusal:
    return Refusal("bad_policy", message, _("Nothing was changed."))


def _value_of(key: str, value: Any) -> Any:
    """Returns the value of a key in its own type; raises ValidationError, with a sentence that names the key."""
    known = fields()
    if key not in known:
        sentence = _("There is no policy key %(key)s.") % {"key": _shown(key)}
        close = get_close_matches(key, known, n=1)
        guess = _("Did you mean %(key)s?") % {"key": close[0]} if close else ""
        raise ValidationError(f"{sentence} {guess}".strip())
    field = known[key]
    try:
        return field.clean(_typed(field, value), None)
    except ValidationError as error:
        raise ValidationError([f"{key}: {message}" for message in error.messages]) from error


def _typed(field: "models.Field[Any, Any]", value: Any) -> Any:
    """Returns the value in the type of the field; raises ValidationError for one that is written as another type."""
    text = value.strip() if isinstance(value, str) else None
    if isinstance(field, models.BooleanField):
        if isinstance(value, bool):
            return value
        if text is not None and text.lower() in ON | OFF:
            return text.lower() in ON
        raise ValidationError(_("%(value)s is neither on nor off.") % {"value": _shown(value)})
    if isinstance(field, models.IntegerField):
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if text is not None and WHOLE_NUMBER.fullmatch(text):
            return int(text)
        raise ValidationError(_("%(value)s is not a whole number.") % {"value": _shown(value)})
    choices = [choice for choice, _label in field.flatchoices]
    if text is None or storable(text) != text or (choices and text not in choices):
        allowed = _("It must be one of %(choices)s.") % {"choices": ", ".join(choices)} if choices else ""
        wrong = _("%(value)s is not possible.") % {"value": _shown(value)}
        raise ValidationError(f"{wrong} {allowed}".strip())
    return text


def _shown(value: Any) -> str:
    """Returns a foreign value as a message names it."""
    text = value if isinstance(value, str) else repr(value)
    return repr(storable(text)[:SHOWN])


def explained(group: SyncGroup) -> Iterator[tuple[str, str, str]]:
    """Yields each key with its value, as it would be set, and what it means."""
    for key, field in fields().items():
        value = getattr(group, key)
        text = ("true" if value else "false") if isinstance(value, bool) else str(value)
        meaning = str(field.help_text or capfirst(str(field.verbose_name)))
        choices = ", ".join(str(choice) for choice, _label in field.flatchoices)
        yield key, text, f"{meaning} ({choices})" if choices else meaning
