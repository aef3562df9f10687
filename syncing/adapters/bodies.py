"""Make request bodies of engine values: only documented, writable keys, never an object as it was read."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from syncing.adapters.api import Json
from syncing.engine.normalise import Item
from syncing.engine.refs import Kind, Ref, enum_key, local_id, stage_key
from syncing.engine.resources.custom_fields import ENUM_TYPES, CustomField
from syncing.engine.resources.field_groups import DEFAULT_GROUP
from syncing.engine.resources.stages import Stage, palette_color

Ids = Mapping[Ref, str]  # ref -> the account's own key


def stage_body(
    item: Item, sort: int, theirs: Stage | None = None, *, described: bool = True, coloured: bool = True
) -> Json:
    """Returns name, colour and sort together always: a PATCH without the name blanks it (docs/kommo.md 4.1).

    Where the master's colour is not known the account keeps its own.
    """
    own = palette_color(theirs.color) if theirs and theirs.color else None
    color = item.attributes.get("color", own) if coloured else None
    body: Json = {"name": item.attributes["name"], "sort": max(1, sort), **({"color": color} if color else {})}
    texts = item.attributes.get("descriptions")
    if texts and described:
        known = {text.level: text for text in (theirs.descriptions or ())} if theirs else {}
        changed = []
        for level, text in texts.items():
            own_text = known.get(level)
            if own_text is None or own_text.text != text:
                own_id = {"id": own_text.id} if own_text and own_text.id else {}
                changed.append({**own_id, "level": level, "description": text})
        if changed:
            body["descriptions"] = changed
    return body


def pipeline_body(item: Item, sort: int, stages: Sequence[Json]) -> Json:
    return {
        "name": item.attributes["name"],
        "is_main": bool(item.attributes.get("is_main")),
        "is_unsorted_on": item.attributes["is_unsorted_on"],
        "sort": sort,
        "_embedded": {"statuses": list(stages)},
    }


def new_field_body(item: Item, field: CustomField, sort: int, ids: Ids) -> Json:
    """Returns the body of a field to create; references to what is not in `ids` are left out."""
    wanted = item.attributes
    body: Json = {"name": field.name, "type": field.type, "sort": sort}
    group = wanted.get("group")
    if group is not None and group in ids and local_id(ids[group]) != DEFAULT_GROUP:  # no group means the main one
        body["group_id"] = local_id(ids[group])
    optional = {
        "code": field.code,
        "is_api_only": wanted["is_api_only"],
        "currency": wanted.get("currency"),
        "remind": field.remind if field.type == "birthday" else None,
        "tracking_callback": wanted.get("tracking_callback"),
        "required_statuses": status_list(wanted.get("required_statuses", ()), ids),
        "hidden_statuses": status_list(wanted.get("hidden_statuses", ()), ids),
    }
    body |= {key: value for key, value in optional.items() if value}
    if field.type in ENUM_TYPES:
        ordered = sorted(field.enums, key=lambda enum: enum.sort)  # numbered anew, as the master's may be all alike
        numbered = enumerate(ordered, start=1)
        body["enums"] = [_enum(enum.value, 10 * at, enum.code) for at, enum in numbered if enum.value is not None]
    return body


def field_body(
    item: Item, field: CustomField, theirs: CustomField, changed: Iterable[str], ids: Ids, shared: frozenset[Ref]
) -> Json:
    """Returns the body that brings `changed` attributes of the slave's field to the master's."""
    wanted = item.attributes
    body: Json = {"id": theirs.id}
    for name in set(changed) & {"name", "is_api_only", "remind", "tracking_callback"}:
        body[name] = wanted[name]
    if body.get("tracking_callback") == "":
        body["tracking_callback"] = None  # an empty text is refused
    decided = {ids[ref] for ref in shared if ref in ids}  # in stages that only the slave has, the slave decides
    for name in set(changed) & {"required_statuses", "hidden_statuses"}:
        own = [stage for stage in getattr(theirs, name) or () if stage_key(*stage) not in decided]
        body[name] = [_status(*stage) for stage in own] + status_list(wanted[name], ids)
    if "group" in changed:
        body["group_id"] = local_id(ids[wanted["group"]])
    if {"enums", "enum_codes"} & set(changed):
        options = merged_enums(item, field, theirs, ids)
        body |= {} if options is None else {"enums": options}
    return body | always_sent(theirs, wanted.get("currency"))


def present_body(theirs: CustomField) -> Json:
    """Returns a field as it is, as a PATCH of it would say it."""
    statuses = {"required_statuses": theirs.required_statuses, "hidden_statuses": theirs.hidden_statuses or ()}
    return {
        "id": theirs.id,
        "name": theirs.name,
        "sort": theirs.sort,
        "group_id": theirs.group_id or DEFAULT_GROUP,
        "is_api_only": theirs.is_api_only,
        "remind": theirs.remind,
        "currency": theirs.currency,
        "tracking_callback": theirs.tracking_callback,
        "enums": present_enums(theirs),
        **{name: [_status(*stage) for stage in stages] for name, stages in statuses.items()},
    }


def always_sent(theirs: CustomField, currency: str | None = None) -> Json:
    """Returns what a PATCH needs by type: the currency of monetary fields (docs/kommo.md 5.2), or the slave's own."""
    return {"currency": currency or theirs.currency} if theirs.type == "monetary" else {}


def present_enums(theirs: CustomField) -> list[Json] | None:
    """Returns the options as they are, with their ids: a list without ids deletes values in leads (docs/kommo.md 5.4).

    None when the value of one is not known: without it the list cannot be written, not even as it is.
    """
    known = [_enum(enum.value, enum.sort, enum.code, enum.id) for enum in theirs.enums if enum.value is not None]
    return known if len(known) == len(theirs.enums) else None


def merged_enums(item: Item, field: CustomField, theirs: CustomField, ids: Ids) -> list[Json] | None:
    """Returns the master's options in order under the slave's ids, then the slave's own; None as in `present_enums`."""
    if present_enums(theirs) is None:
        return None
    present = {enum_key(theirs.entity, theirs.id, enum.id): enum for enum in theirs.enums}
    of_new = {Ref(Kind.ENUM, enum_key(field.entity, field.id, enum.id)): enum.code for enum in field.enums}
    merged = []
    for ref, value in item.attributes["enums"].items():
        existing = present.pop(ids.get(ref, ""), None)
        if existing is None:
            merged.append(_enum(value, 0, of_new.get(ref)))
        else:
            code = existing.code or item.attributes["enum_codes"].get(ref)
            merged.append(_enum(value, 0, code, existing.id))
    merged += [_enum(enum.value or "", 0, enum.code, enum.id) for enum in present.values()]
    return [{**body, "sort": 10 * position} for position, body in enumerate(merged, start=1)]


def _enum(value: str, sort: int, code: str | None = None, enum_id: int | None = None) -> Json:
    body: dict[str, Any] = {} if enum_id is None else {"id": enum_id}
    body |= {"value": value, "sort": sort}
    return body | ({"code": code} if code else {})


def status_list(refs: Iterable[Ref], ids: Ids) -> list[Json]:
    """Returns stages as Kommo names them, in a fixed order; those that the account does not have are left out."""
    keys = sorted(ids[ref] for ref in refs if ref in ids)
    return [_status(*map(int, key.split("/"))) for key in keys]


def _status(pipeline: int, stage: int) -> Json:
    return {"pipeline_id": pipeline, "status_id": stage}
