"""The paths of Kommo's API v4 that we use (docs/kommo.md 4 and 5.1)."""

from syncing.engine.refs import Kind

MAX_BATCH = 50  # items per write request that Kommo recommends; 250 is its limit, docs/kommo.md 2

PIPELINES = "/leads/pipelines"
LEADS = "/leads"
UNSORTED = "/leads/unsorted"


def entities(entity: str) -> str:
    """Returns the path of the leads, contacts or companies themselves."""
    return f"/{entity}"


def pipeline(pipeline_id: str | int) -> str:
    return f"{PIPELINES}/{pipeline_id}"


def statuses(pipeline_id: str | int) -> str:
    return f"{PIPELINES}/{pipeline_id}/statuses"


def status(pipeline_id: str | int, status_id: str | int) -> str:
    return f"{statuses(pipeline_id)}/{status_id}"


def custom_fields(entity: str) -> str:
    return f"/{entity}/custom_fields"


def custom_field(entity: str, field_id: str | int) -> str:
    return f"{custom_fields(entity)}/{field_id}"


def field_groups(entity: str) -> str:
    return f"/{entity}/custom_fields/groups"


def field_group(entity: str, group_id: str) -> str:
    return f"{field_groups(entity)}/{group_id}"


def item(kind: Kind, key: str) -> str:
    """Returns the path of one item by the account's own key; that of an option is its field's."""
    parent, _, own = key.partition("/")
    if kind is Kind.PIPELINE:
        return pipeline(key)
    if kind is Kind.STAGE:
        return status(parent, own)
    if kind is Kind.FIELD_GROUP:
        return field_group(parent, own)
    return custom_field(parent, own.partition("/")[0])


def list_of(kind: Kind, parent: str) -> str:
    """Returns the path of the list that an item is created in; `parent`: the key of its pipeline, or its entity."""
    if kind is Kind.PIPELINE:
        return PIPELINES
    if kind is Kind.STAGE:
        return statuses(parent)
    return field_groups(parent) if kind is Kind.FIELD_GROUP else custom_fields(parent)
