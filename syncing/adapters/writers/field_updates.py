"""Write the changed custom fields of one entity in batches; options keep the ids that they have now."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from accounts.kommo.errors import KommoError, Validation
from syncing.adapters import batches, endpoints
from syncing.adapters.answers import answered_fields, option_keys
from syncing.adapters.api import Json
from syncing.adapters.batches import Entry, Pieces, UpdateCheck
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
from syncing.engine.changes import Change
from syncing.engine.refs import Ref, field_key
from syncing.engine.resources.custom_fields import CustomField
from syncing.engine.stored_names import field_as_sent

FRESH = 10.0  # seconds that a reading may be old when options are replaced by it
MOST_PARTS = 20  # of one field that are tried one by one


class FieldUpdates:
    """The changed fields of one entity. `theirs` is how they are now, kept up to date as answers come in."""

    def __init__(
        self, context: WriteContext, entity: str, ours: Mapping[str, CustomField], theirs: Mapping[str, CustomField],
        sorts: Mapping[RefOrKey, int],
    ) -> None:  # fmt: skip
        self.context, self.entity, self.ours, self.theirs, self.sorts = context, entity, ours, dict(theirs), sorts
        self.answered: dict[int, CustomField] = {}  # what the last answer shows
        self.made: dict[Ref, dict[Ref, str]] = {}  # field -> the keys of its options that came into being
        self.in_doubt = False  # an answer was lost since `theirs` was read

    def write(self, changes: Sequence[Change]) -> None:
        others = self.context.renumbered(self.sorts, [change.ref for change in changes])
        entries = self._up_to_date([Entry(change, self._body(change)) for change in [*changes, *others]])
        batches.update(
            entries, self._send, self._done, self.context.fail_entry, self.context.settle,
            self._repair, self._look, self._parts, self._current,
        )  # fmt: skip

    def _up_to_date(self, entries: list[Entry[Change]]) -> list[Entry[Change]]:
        """Options are replaced as a whole, and what a person has added since we read would go with its values.

        So nothing older than a few seconds is replaced; what is there as it is to be said is not said again.
        """
        if not any(self._may_lose_options(entry) for entry in entries):
            return entries
        there, missing = self._look(entries)
        self._done(there)
        return list(missing)

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

    def _send(self, bodies: list[Json]) -> list[Json]:
        self.in_doubt = True
        try:
            answer = self.context.api.patch(endpoints.custom_fields(self.entity), bodies)
        except Validation:
            self.in_doubt = False
            raise
        self.in_doubt = False
        self.answered = answered_fields(answer, self._parse)
        return [{} for _ in bodies]

    def _done(self, answered: Sequence[tuple[Entry[Change], Json]]) -> None:
        for entry, _ in answered:
            shown = self.answered.pop(entry.body["id"], None)
            if shown is not None:
                self._note(entry, shown, certain=not entry.refused)
        self.context.report([
            self.context.succeeded(entry.subject, self.made.get(entry.subject.ref)) for entry, _ in answered
        ])  # fmt: skip
        for entry, _ in answered:
            self.context.report_refused_parts(entry)

    def _note(self, entry: Entry[Change], shown: CustomField, *, certain: bool) -> None:
        """The field as it is now, and the keys of the options that came with this entry.

        `certain`: every option that is new is one of ours, so that those with other names pair in order.
        """
        ref, before = entry.subject.ref, {enum.id for enum in self._now(entry.subject).enums}
        ours = self.ours[ref.key]
        keys = option_keys(ours, entry.body, shown, before, self.context.ids, certain=certain)
        self.context.ids.update(keys)
        self.made.setdefault(ref, {}).update(keys)
        self.theirs[field_key(self.entity, shown.id)] = shown

    def _parse(self, item: Json) -> CustomField:
        return field_as_sent(parse_field(self.entity, item), self.context.stored_names)

    # -- what was refused --

    def _optional(self, entry: Entry[Change]) -> OptionalParts:
        return OptionalParts(OPTIONAL_OF_FIELD, present=present_body(self._now(entry.subject)))

    def _repair(self, entry: Entry[Change], error: Validation) -> Entry[Change] | None:
        """Where the options are demanded, or may be, all of them go, with their ids; else without what is refused."""
        unexplained = not located_complaints(entry.body, error) and not entry.guesses and self.context.may_guess
        if self._now(entry.subject).enums and "enums" not in entry.body and (demands_options(error) or unexplained):
            if self._is_out_of_date():
                self._look([entry])
            options = present_enums(self._now(entry.subject))
            if not options:
                return None
            return replace(entry, body={**entry.body, "enums": options}, guesses=1)
        return reduce_update(entry, error, self._optional(entry))

    def _parts(self, entry: Entry[Change], error: KommoError) -> Pieces:
        """Its attributes one by one; options one by one, each beside those that are there by then."""
        if not self.context.may_guess or (isinstance(error, Validation) and located_complaints(entry.body, error)):
            return {}
        plain = {key: value for key, value in entry.body.items() if key != "enums"}
        parts = split_update(replace(entry, body=plain), error, OptionalParts(OPTIONAL_OF_FIELD))
        always = {key: entry.body[key] for key in ALWAYS_THERE & entry.body.keys()}
        kept = [option for option in entry.body.get("enums", ()) if "id" in option]
        if kept and kept != present_enums(self._now(entry.subject)):
            parts["names and order of options"] = partial(dict[str, Any], {**always, "enums": kept})
        for option in entry.body.get("enums", ()):
            if "id" not in option:
                parts[option_name(option)] = partial(self._with_one, entry, option["value"])
        return parts if len(parts) <= MOST_PARTS else {}

    def _with_one(self, entry: Entry[Change], value: str) -> Json:
        """The options as they are now, those of the parts before among them, and this one."""
        before = self.answered.pop(entry.body["id"], None)
        if before is not None:
            self._note(entry, before, certain=False)
        self._look([entry])
        present = {option["id"]: option["value"] for option in present_enums(self._now(entry.subject)) or ()}
        now = self._renewed(entry)
        options = [
            {**option, "value": present.get(option.get("id"), value)}
            for option in now.get("enums", ())
            if "id" in option or option["value"] == value
        ]
        return {key: now[key] for key in ALWAYS_THERE & now.keys()} | ({"enums": options} if options else {})

    # -- after a lost answer --

    def _look(self, chunk: Sequence[Entry[Change]]) -> UpdateCheck[Change]:
        """What is there now as it was said, and the rest under the ids that are there now.

        A field that is not there any more is left to the re-reading.
        """
        fresh = self._read()
        if any(self._hides_options(entry, fresh) for entry in chunk):
            self.context.settle()
            fresh = self._read()
        there: list[tuple[Entry[Change], Json]] = []
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

    def _hides_options(self, entry: Entry[Change], fresh: Mapping[int, CustomField]) -> bool:
        """A reading without options that were there before may lag behind a write; to believe it deletes them."""
        shown = fresh.get(entry.body["id"])
        return shown is not None and not {enum.id for enum in self._now(entry.subject).enums} <= {
            enum.id for enum in shown.enums
        }

    def _current(self, entry: Entry[Change]) -> Entry[Change]:
        """The entry with every option that is there by now: one that is not named is deleted."""
        if self._may_lose_options(entry):
            self._look([entry])
        named = {option.get("id") for option in entry.body.get("enums", ())}
        there = {enum.id for enum in self._now(entry.subject).enums}
        return replace(entry, body=self._renewed(entry)) if "enums" in entry.body and there - named else entry

    def _renewed(self, entry: Entry[Change]) -> Json:
        """The same body with the ids that are there now, without what was refused of it before."""
        now = self._body(entry.subject)
        if (
            "enums" in entry.body
            and "enums" not in now
            and (kept := present_enums(self._now(entry.subject))) is not None
        ):
            now["enums"] = kept
        if "enums" in now:
            now["enums"] = [each for each in now["enums"] if "id" in each or option_name(each) not in entry.left_out]
        return {key: value for key, value in now.items() if key in entry.body}
