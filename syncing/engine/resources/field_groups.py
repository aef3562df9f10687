"""Groups of custom fields."""

from dataclasses import dataclass

DEFAULT_GROUP = "default"
PREDEFINED_GROUPS = (DEFAULT_GROUP, "statistic")  # docs/kommo.md 5.5
LINKED_GROUP = "linked_group"  # product groups: not ours to copy, docs/kommo.md 5.5


@dataclass(frozen=True)
class FieldGroup:
    """A field group as one account has it; `fields` are the ids of its members."""

    entity: str
    id: str
    name: str
    sort: int
    is_predefined: bool
    fields: tuple[int, ...]
