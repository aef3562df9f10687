"""Compare: what of an item's attributes differs between the master and an account, in words for people."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from syncing.engine.normalise import Item, NormalisedSnapshot
from syncing.engine.refs import Kind, Ref

Fields = dict[str, tuple[Any, Any]]  # attribute -> (old, new)


@dataclass(frozen=True)
class Comparison:
    """Both accounts in refs. `here`: refs of items that are in the account; `blocked`: what the plan does not touch.

    `sealed`: fields of which an option has a value that nobody knows, so that their options cannot be written: field ->
    those options, as far as they are the master's too.
    """

    ours: NormalisedSnapshot
    theirs: NormalisedSnapshot
    here: Collection[Ref]
    blocked: Collection[Ref]
    sealed: Mapping[Ref, Collection[Ref]] = field(default_factory=dict)

    def differences(self, ref: Ref) -> Fields:
        """Of an item that is in both."""
        theirs = self.theirs.items[ref]
        fields: Fields = {}
        for name, new in self.comparable(ref).items():
            old = theirs.attributes.get(name)
            if name == "enum_codes":
                new = self._codes_to_add(new, old or {})
            if isinstance(new, Mapping):
                if not mapping_differs(old or {}, new):
                    continue
            elif (old or None) == (new or None):
                continue
            fields[name] = (in_words(old, self.theirs), in_words(new, self.ours))
        return fields

    def shown_new(self, ref: Ref) -> Fields:
        """Of an item that is to be created."""
        attributes = {name: value for name, value in self.comparable(ref).items() if name != "name" and value}
        return {name: (None, in_words(value, self.ours)) for name, value in attributes.items()}

    def comparable(self, ref: Ref) -> dict[str, Any]:
        """The attributes of the master's item that can be brought about in this account."""
        attributes = dict(self.ours.items[ref].attributes)
        if not self._reachable_group(attributes.get("group")):
            attributes.pop("group", None)
        if ref in self.sealed or any(
            other.kind is Kind.ENUM and other.key.rpartition("/")[0] == ref.key for other in self.blocked
        ):
            attributes.pop("enums", None)
            attributes.pop("enum_codes", None)
        return attributes

    def lacks_options(self, ref: Ref) -> bool:
        """Whether options of a sealed field differ, apart from those whose value is not known."""
        unknown, here = self.sealed[ref], self.theirs.items[ref].attributes
        wanted = self.ours.items[ref].attributes
        values = {option: value for option, value in wanted.get("enums", {}).items() if option not in unknown}
        return mapping_differs(here.get("enums", {}), values)

    def _reachable_group(self, group: Ref | None) -> bool:
        item = self.ours.items.get(group) if group else None
        return item is not None and group not in self.blocked and (group in self.here or not item.system)

    def _codes_to_add(self, ours: Mapping[Ref, str], theirs: Mapping[Ref, str]) -> dict[Ref, str]:
        """Another code of the slave's option is kept: its own programs may know the option by it."""
        return {option: code for option, code in ours.items() if option in self.here and option not in theirs}


def mapping_differs(old: Mapping[Any, str], new: Mapping[Any, str]) -> bool:
    """Only what `new` has counts: extra options and description levels of the slave are kept."""
    if {key: value for key, value in old.items() if key in new} != new:
        return True
    ordered = all(isinstance(key, Ref) for key in new)  # options have an order, description levels none
    return ordered and [key for key in old if key in new] != list(new)


def in_words(value: Any, state: NormalisedSnapshot) -> Any:
    """A value in words: refs by their names, options by their values."""
    if isinstance(value, Ref):
        return state.labels.get(value, "another group")
    if isinstance(value, frozenset):
        return sorted(state.labels.get(ref, ref.key) for ref in value)
    if isinstance(value, Mapping):
        return list(value.values()) if all(isinstance(key, Ref) for key in value) else dict(value)
    return value


def with_account_values(ours: Item, theirs: Item, attributes: Collection[str]) -> Item:
    """The master's item with the account's own value of these attributes: no difference, and written as it is."""
    merged = {name: value for name, value in ours.attributes.items() if name not in attributes}
    merged |= {name: theirs.attributes[name] for name in attributes if name in theirs.attributes}
    return Item(ours.ref, ours.name, ours.parent, merged, ours.siblings, ours.system)
