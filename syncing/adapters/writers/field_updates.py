"""Write the changed custom fields of one entity in batches; options keep the ids that they have now."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from accounts.kommo.errors import KommoError, Validation
from syncing.adapters import batches, endpoints
from syncing.adapters.answers import answered_fields, option_keys
from syncing.adapters.api import Json
from syncing.adapters.batch_writer import Answered, Entry
from syncing.adapters.bodies import field_body, present_body, present_enums
from syncing.adapters.context import WriteContext
from syncing.adapters.parsing import parse_field
from syncing.adapters.repairs import (
    ALWAYS_THERE,
    OPTIONAL_OF_FIELD,
    OptionalParts,
    demands_options,
    located_complaints,
    option_name,
    reduce_update,
    split_update,
)
from syncing.adapters.sorting import RefOrKey
from syncing.adapters.writers.change_writer import ChangeWriter
from syncing.engine.changes import Change
from syncing.engine.refs import Ref, field_key
from syncing.engine.resources.custom_fields import CustomField
from syncing.engine.sentences import gettext_noop
from syncing.engine.stored_names import field_as_sent

FRESH = 10.0  # seconds that a reading may be old when options are replaced by it
MOST_PARTS = 20  # of one field that are tried one by one
OPTIONS = gettext_noop("names and order of options")


class FieldUpdates(ChangeWriter):
    """The changed fields of one entity. `theirs` is how they are now, kept up to date as answers come in."""

    checks_updates = True

    def __init__(
        self, context: WriteContext, entity: str, ours: Mapping[str, CustomField], theirs: Mapping[str, CustomField],
        sorts: Mapping[RefOrKey, int],
    ) -> None:  # fmt: skip
        super().__init__(context)
        self.entity, self.ours, self.theirs, self.sorts = entity, ours, dict(theirs), sorts
        self.answered: dict[int, CustomField] = {}  # as the last answer shows them
        self.created: dict[Ref, dict[Ref, str]] = {}  # field -> the keys of its options that came into being
        self.in_doubt = False  # an answer was lost since `theirs` was read

    def write(self, changes: Sequence[Change]) -> None:
        """Writes changes and new numbers.

        Options are replaced as a whole, and what a person has added since we read would go with its values. So nothing
        older than a few seconds is replaced; what is there as it is to be said is not said again.
        """
        updates = self.context.with_renumbered(changes, self.sorts)
        entries: Sequence[Entry[Change]] = [Entry(change, self._body(change)) for change in updates]
        if any(self._may_lose_options(entry) for entry in entries):
            there, entries = self.check_updates(entries)
            self.done(there)
        batches.update(entries, self)

    def _may_lose_options(self, entry: Entry[Change]) -> bool:
        return "enums" in entry.body and self._is_out_of_date()

    def _is_out_of_date(self) -> bool:
        return self.in_doubt or self.context.age(endpoints.custom_fields(self.entity)) >= FRESH

    def _body(self, change: Change) -> Json:
        theirs, item = self._now(change), self.context.item(change.ref)
        shared = self.context.plan.shared_stages
        body = field_body(item, self.ours[change.ref.key], theirs, change.fields, self.context.ids, shared)
        return {**body, "sort": self.sorts[change.ref]} if change.ref in self.sorts else body

    def _now(self, change: Change) -> CustomField:
        return self.theirs[self.context.ids[change.ref]]

    def send(self, bodies: list[Json]) -> list[Json]:
        self.in_doubt = True
        try:
            answer = self.context.api.patch(endpoints.custom_fields(self.entity), bodies)
        except Validation:
            self.in_doubt = False
            raise
        self.in_doubt = False
        self.answered = answered_fields(
            answer, lambda item: field_as_sent(parse_field(self.entity, item), self.context.stored_names)
        )
        return [{} for _ in bodies]

    def keys(self, entry: Entry[Change], answer: Json) -> Mapping[Ref, str]:
        return self.created.get(entry.subject.ref, {})

    def done(self, answered: Sequence[Answered[Change]]) -> None:
        for entry, _ in answered:
            field = self.answered.pop(entry.body["id"], None)
            if field is not None:
                self._note(entry, field, certain=not entry.refused)
        super().done(answered)

    def _note(self, entry: Entry[Change], field: CustomField, *, certain: bool) -> None:
        """Notes the field as it is now, and the keys of the options that came with this entry.

        `certain`: every option that is new is one of ours, so that those with other names pair in order.
        """
        ref, before = entry.subject.ref, _option_ids(self._now(entry.subject))
        ours = self.ours[ref.key]
        keys = option_keys(ours, entry.body, field, before, self.context.ids, certain=certain)
        self.context.ids.update(keys)
        self.created.setdefault(ref, {}).update(keys)
        self.theirs[field_key(self.entity, field.id)] = field

    # -- what was refused --

    def _optional(self, entry: Entry[Change]) -> OptionalParts:
        return OptionalParts(OPTIONAL_OF_FIELD, present=present_body(self._now(entry.subject)))

    def repair(self, entry: Entry[Change], error: Validation) -> Entry[Change] | None:
        """Adds all options, with their ids, where they are or may be demanded; else leaves out what is refused."""
        unexplained = not located_complaints(entry.body, error) and not entry.guesses and self.context.may_guess
        if self._now(entry.subject).enums and "enums" not in entry.body and (demands_options(error) or unexplained):
            if self._is_out_of_date():
                self.check_updates([entry])
            options = present_enums(self._now(entry.subject))
            if not options:
                return None
            return replace(entry, body={**entry.body, "enums": options}, guesses=1)
        return reduce_update(entry, error, self._optional(entry))

    def split(self, entry: Entry[Change], error: KommoError) -> Mapping[str, Callable[[], Json]]:
        """Splits into attributes; options one by one, each beside those that are there by then."""
        if not self.context.may_guess or (isinstance(error, Validation) and located_complaints(entry.body, error)):
            return {}
        plain = {key: value for key, value in entry.body.items() if key != "enums"}
        parts = split_update(replace(entry, body=plain), error, OptionalParts(OPTIONAL_OF_FIELD))
        always = {key: entry.body[key] for key in ALWAYS_THERE & entry.body.keys()}
        kept = [option for option in entry.body.get("enums", ()) if "id" in option]
        if kept and kept != present_enums(self._now(entry.subject)):
            parts[OPTIONS] = partial(dict[str, Any], {**always, "enums": kept})
        for option in entry.body.get("enums", ()):
            if "id" not in option:
                parts[option_name(option)] = partial(self._with_one_option, entry, option["value"])
        return parts if len(parts) <= MOST_PARTS else {}

    def _with_one_option(self, entry: Entry[Change], value: str) -> Json:
        """Returns a body with the options as they are now, those of the parts before among them, and this one."""
        before = self.answered.pop(entry.body["id"], None)
        if before is not None:
            self._note(entry, before, certain=False)
        self.check_updates([entry])
        present = {option["id"]: option["value"] for option in present_enums(self._now(entry.subject)) or ()}
        now = self._renewed(entry)
        options = [
            {**option, "value": present.get(option.get("id"), value)}
            for option in now.get("enums", ())
            if "id" in option or option["value"] == value
        ]
        return {key: now[key] for key in ALWAYS_THERE & now.keys()} | ({"enums": options} if options else {})

    # -- after a lost answer --

    def check_updates(
        self, chunk: Sequence[Entry[Change]]
    ) -> tuple[Sequence[Answered[Change]], Sequence[Entry[Change]]]:
        """Reads the fields again; a field that is not there any more is left to the re-reading.

        A reading without options that were there before may lag behind a write; to believe it deletes them.
        """
        fresh = self._read()
        for entry in chunk:
            field = fresh.get(entry.body["id"])
            if field is not None and not _option_ids(self._now(entry.subject)) <= _option_ids(field):
                self.settle()
                fresh = self._read()
                break
        there: list[Answered[Change]] = []
        missing: list[Entry[Change]] = []
        for entry in chunk:
            if entry.body["id"] not in fresh:
                there.append((entry, {}))
                continue
            self._note(entry, fresh[entry.body["id"]], certain=False)
            renewed = replace(entry, body=self._renewed(entry))
            if self._optional(renewed).changes_nothing(renewed.body):
                there.append((renewed, {}))
            else:
                missing.append(renewed)
        self.theirs |= {field_key(self.entity, field.id): field for field in fresh.values()}
        return there, missing

    def _read(self) -> dict[int, CustomField]:
        self.in_doubt = False
        return {field.id: field for field in self.context.reader.fields(self.entity)}

    def current(self, entry: Entry[Change]) -> Entry[Change]:
        """Returns the entry with every option that is there by now: one that is not named is deleted."""
        if self._may_lose_options(entry):
            self.check_updates([entry])
        named = {option.get("id") for option in entry.body.get("enums", ())}
        there = _option_ids(self._now(entry.subject))
        return replace(entry, body=self._renewed(entry)) if "enums" in entry.body and there - named else entry

    def _renewed(self, entry: Entry[Change]) -> Json:
        """Returns the same body with the ids that are there now, without what was refused of it before."""
        theirs, now = self._now(entry.subject), self._body(entry.subject)
        if "enums" in entry.body and "enums" not in now and (kept := present_enums(theirs)) is not None:
            now["enums"] = kept
        if "enums" in now:
            now["enums"] = [each for each in now["enums"] if "id" in each or option_name(each) not in entry.left_out]
        return {key: value for key, value in now.items() if key in entry.body}


def _option_ids(field: CustomField) -> set[int]:
    return {enum.id for enum in field.enums}
