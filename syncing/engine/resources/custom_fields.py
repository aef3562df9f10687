"""Custom fields, their options (enums) and the stages that require or hide them."""

from dataclasses import dataclass

from syncing.engine.refs import group_key
from syncing.engine.resources.field_groups import DEFAULT_GROUP

ENTITIES = ("leads", "contacts", "companies")

# Types by entity, docs/kommo.md 5.3. What is not here becomes a manual item, never another type.
_COMMON_TYPES = frozenset({
    "text", "numeric", "checkbox", "select", "multiselect", "date", "url", "date_time", "textarea", "radiobutton",
    "streetaddress", "file", "monetary", "smart_address", "birthday", "legal_entity",
})  # fmt: skip
CREATABLE_TYPES = {
    "leads": _COMMON_TYPES | {"tracking_data"},
    "contacts": _COMMON_TYPES,
    "companies": _COMMON_TYPES,
}
ENUM_TYPES = frozenset({"select", "multiselect", "radiobutton"})
TRACKING_TYPE = "tracking_data"

StageId = tuple[int, int]  # (pipeline id, stage id)


@dataclass(frozen=True)
class Enum:
    """An option of a select, multiselect or radiobutton field; `value` None: it is there, but came as null."""

    id: int
    value: str | None
    sort: int
    code: str | None = None


@dataclass(frozen=True)
class CustomField:
    """A custom field as one account has it. None in `hidden_statuses` means that the account has no such feature."""

    entity: str
    id: int
    name: str
    type: str
    sort: int
    code: str | None = None
    group_id: str | None = None
    is_api_only: bool = False
    is_predefined: bool = False
    enums: tuple[Enum, ...] = ()
    required_statuses: tuple[StageId, ...] = ()
    hidden_statuses: tuple[StageId, ...] | None = None
    currency: str | None = None
    remind: str | None = None
    tracking_callback: str | None = None

    @property
    def group_key(self) -> str:
        """Returns the key of its group; Kommo puts what names none into the main group."""
        return group_key(self.entity, self.group_id or DEFAULT_GROUP)
