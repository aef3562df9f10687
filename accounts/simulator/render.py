"""An account's configuration as answers show it: the documented keys (docs/kommo.md 4.1, 4.7, 5.2, 5.5, 8)."""

from __future__ import annotations

import time
from typing import Any

from accounts.simulator import spelling
from accounts.simulator.account import SimAccount
from accounts.simulator.model import (
    ENUM_TYPES,
    MAIN_GROUP,
    SimDescription,
    SimField,
    SimGroup,
    SimPipeline,
    SimStage,
    StatusKey,
)

Body = dict[str, Any]


def link(url: str) -> Body:
    return {"self": {"href": url}}


def pipeline(account: SimAccount, item: SimPipeline, base: str) -> Body:
    url = f"{base}/api/v4/leads/pipelines/{item.id}"
    return {
        "id": item.id,
        "name": spelling.shown_name(account.variants, "pipeline", item.name),
        "sort": item.sort,
        "is_main": item.is_main,
        "is_unsorted_on": item.is_unsorted_on,
        "is_archive": item.is_archive,
        "account_id": account.account_id,
        "_links": link(url),
        "_embedded": {"statuses": [stage(account, item, each, base) for each in item.listed]},
    }


def stage(
    account: SimAccount, owner: SimPipeline, item: SimStage, base: str, *, with_descriptions: bool = False
) -> Body:
    body: Body = {
        "id": item.id,
        "name": spelling.shown_name(account.variants, "stage", item.name),
        "sort": item.sort,
        "is_editable": not item.is_system,
        "pipeline_id": owner.id,
        "color": item.color,
        "type": item.type,
        "account_id": account.account_id,
        "_links": link(f"{base}/api/v4/leads/pipelines/{owner.id}/statuses/{item.id}"),
    }
    if with_descriptions:
        body["descriptions"] = [description(account, owner, item, each) for each in item.descriptions.values()]
    return body


def description(account: SimAccount, owner: SimPipeline, item: SimStage, each: SimDescription) -> Body:
    return {
        "id": each.id,
        "account_id": account.account_id,
        "created_at": _moment(each.created_at),
        "updated_at": _moment(each.updated_at),
        "created_by": account.user_id,
        "updated_by": None,
        "pipeline_id": owner.id,
        "status_id": item.id,
        "level": each.level,
        "description": each.description,
    }


def field(account: SimAccount, item: SimField, base: str, *, enums_as_object: bool = False) -> Body:
    hides_group = item.group_id == MAIN_GROUP and account.variants.main_group_shown_as == "null"
    body: Body = {
        "id": item.id,
        "name": spelling.shown_name(account.variants, "field", item.name),
        "type": item.type,
        "account_id": account.account_id,
        "code": item.code,
        "sort": item.sort,
        "is_api_only": item.is_api_only,
        "enums": enums(account, item, as_object=enums_as_object),
        "group_id": None if hides_group else item.group_id,
        "required_statuses": [_status(key) for key in item.required_statuses],
        "is_deletable": not item.is_predefined,
        "is_predefined": item.is_predefined,
        "entity_type": item.entity,
        "tracking_callback": item.tracking_callback,
        "remind": item.remind,
        "triggers": [],
        "currency": item.currency,
        "chained_lists": item.chained_lists,
        "_links": link(f"{base}/api/v4/{item.entity}/custom_fields/{item.id}"),
    }
    if item.entity == "leads" and account.super_fields:
        body["hidden_statuses"] = [_status(key) for key in item.hidden_statuses]
    return body


def enums(account: SimAccount, item: SimField, *, as_object: bool) -> list[Body] | Body | None:
    if item.type not in ENUM_TYPES and not item.enums:
        return None
    bodies: list[Body] = []
    for enum in item.ordered_enums:
        value = spelling.shown_name(account.variants, "enum", enum.value)
        code = {} if enum.code is None else {"code": enum.code}
        bodies.append({"id": enum.id, "value": value, "sort": enum.sort, **code})
    return {str(at): body for at, body in enumerate(bodies)} if as_object else bodies


def group(account: SimAccount, entity: str, item: SimGroup, base: str) -> Body:
    return {
        "id": item.id,
        "name": spelling.shown_name(account.variants, "group", item.name),
        "is_predefined": item.is_predefined,
        "type": item.type,
        "fields": [each.id for each in account.members(entity, item.id)],
        "entity_type": entity,
        "sort": item.sort,
        "_links": link(f"{base}/api/v4/{entity}/custom_fields/groups/{item.id}"),
    }


def _status(key: StatusKey) -> Body:
    return {"status_id": key[1], "pipeline_id": key[0]}


def _moment(at: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))
