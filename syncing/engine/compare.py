"""Compare: what of an item's attributes differs between the master and an account, in words for people."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from syncing.engine.match import Match
from syncing.engine.normalise import Item, NormalisedSnapshot
from syncing.engine.refs import Kind, Ref, enum_key, field_key
from syncing.engine.sentences import gettext_noop
from syncing.engine.snapshot import Snapshot

OTHER_GROUP = gettext_noop("another group")  # whose name is not known

Fields = dict[str, tuple[Any, Any]]  # attribute -> (old, new)


@dataclass(frozen=True)
class Comparison:
    """Both accounts in refs. `here`: refs of items that are in the account; `blocked`: what the plan does not touch.

    `unknown_options` are as the function of that name gives them; the options of these fields cannot be written.
    """

    ours: NormalisedSnapshot
    theirs: NormalisedSnapshot
    here: Collection[Ref]
    blocked: Collection[Ref]
    unknown_options: Mapping[Ref, Collection[Ref]] = field(default_factory=dict)

    def differences(self, ref: Ref) -> Fields:
        """Compares an item that is in both."""
        theirs = self.theirs.items[ref]
        fields: Fields = {}
        for name, new in self.comparable(ref).items():
            old = theirs.attributes.get(name)
            if name == "enum_codes":  # another code of the slave's option stays: its programs may know it by that
                new = {
                    option: code for option, code in new.items() if option in self.here and option not in (old or {})
                }
            differs = mapping_differs(old or {}, new) if isinstance(new, Mapping) else (old or None) != (new or None)
            if differs:
                fields[name] = (in_words(old, self.theirs), in_words(new, self.ours))
        return fields

    def new_fields(self, ref: Ref) -> Fields:
        """Describes an item that is to be created."""
        attributes = {name: value for name, value in self.comparable(ref).items() if name != "name" and value}
        return {name: (None, in_words(value, self.ours)) for name, value in attributes.items()}

    def comparable(self, ref: Ref) -> dict[str, Any]:
        """Returns the attributes of the master's item that can be brought about in this account."""
        attributes = dict(self.ours.items[ref].attributes)
        group = attributes.get("group")
        item = self.ours.items.get(group) if group else None
        if item is None or group in self.blocked or (item.system and group not in self.here):
            attributes.pop("group", None)
        if ref in self.unknown_options or any(
            other.kind is Kind.ENUM and other.key.rpartition("/")[0] == ref.key for other in self.blocked
        ):
            attributes.pop("enums", None)
            attributes.pop("enum_codes", None)
        return attributes

    def lacks_options(self, ref: Ref) -> bool:
        """Returns True if options of such a field differ, apart from those whose value is not known."""
        unknown, here = self.unknown_options[ref], self.theirs.items[ref].attributes
        wanted = self.ours.items[ref].attributes
        values = {option: value for option, value in wanted.get("enums", {}).items() if option not in unknown}
        return mapping_differs(here.get("enums", {}), values)


def unknown_options(existing: Snapshot, matched: Match) -> dict[Ref, set[Ref]]:
    """Returns the account's fields of which an option has a value that nobody knows.

    With those options, as far as they are the master's too.
    """
    fields: dict[Ref, set[Ref]] = {}
    for item in existing.fields or ():
        ref = matched.names.get((Kind.CUSTOM_FIELD, field_key(item.entity, item.id)))
        unknown = [enum_key(item.entity, item.id, enum.id) for enum in item.enums if enum.value is None]
        if ref is not None and unknown:
            options = (matched.names.get((Kind.ENUM, option)) for option in unknown)
            fields[ref] = {option for option in options if option is not None}
    return fields


def mapping_differs(old: Mapping[Any, str], new: Mapping[Any, str]) -> bool:
    """Compares only what `new` has: extra options and description levels of the slave are kept."""
    if {key: value for key, value in old.items() if key in new} != new:
        return True
    ordered = all(isinstance(key, Ref) for key in new)  # options have an order, description levels none
    return ordered and [key for key in old if key in new] != list(new)


def in_words(value: Any, state: NormalisedSnapshot) -> Any:
    """Returns a value for people: refs by their names, options by their values."""
    if isinstance(value, Ref):
        return state.labels.get(value, OTHER_GROUP)
    if isinstance(value, frozenset):
        return sorted(state.labels.get(ref, ref.key) for ref in value)
    if isinstance(value, Mapping):
        return list(value.values()) if all(isinstance(key, Ref) for key in value) else dict(value)
    return value


def with_account_values(ours: Item, theirs: Item, attributes: Collection[str]) -> Item:
    """Returns the master's item with the account's values of these attributes: they are no difference."""
    merged = {name: value for name, value in ours.attributes.items() if name not in attributes}
    merged |= {name: theirs.attributes[name] for name in attributes if name in theirs.attributes}
    return Item(ours.ref, ours.name, ours.parent, merged, ours.siblings, ours.system)
