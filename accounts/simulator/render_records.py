"""Leads, contacts and companies as answers show them: the documented keys, as far as they tell who holds what."""

from __future__ import annotations

from typing import Any

from accounts.simulator.account import SimAccount
from accounts.simulator.model import SimContact, SimEnum, SimField, SimLead
from accounts.simulator.render import Body, link


def lead(account: SimAccount, item: SimLead, base: str) -> Body:
    return {
        "id": item.id,
        "name": item.name,
        "price": 0,
        "status_id": item.status_id,
        "pipeline_id": item.pipeline_id,
        "loss_reason_id": None,
        "closed_at": None,
        **_common(account, "leads", item, base),
    }


def deleted_lead(account: SimAccount, item: SimLead, base: str) -> Body:
    """Returns a lead in the trash, without its stage and its values (amoCRM's leads-api, with=only_deleted)."""
    return {
        "id": item.id,
        "updated_by": account.user_id,
        "updated_at": account.created_at,
        "is_deleted": True,
        "_links": link(f"{base}/api/v4/leads/{item.id}"),
    }


def unsorted(account: SimAccount, item: SimLead, base: str) -> Body:
    """Returns an incoming lead: a stub that names the lead by its id, without its values."""
    uid = f"{item.id:040x}"
    url = f"{base}/api/v4/leads"
    return {
        "uid": uid,
        "source_uid": "site",
        "source_name": "Site",
        "category": "forms",
        "pipeline_id": item.pipeline_id,
        "created_at": account.created_at,
        "metadata": {"form_id": "1", "form_name": "Form"},
        "account_id": account.account_id,
        "_links": link(f"{url}/unsorted/{uid}"),
        "_embedded": {
            "leads": [{"id": item.id, "_links": link(f"{url}/{item.id}")}],
            "contacts": [],
            "companies": [],
        },
    }


def contact(account: SimAccount, entity: str, item: SimContact, base: str) -> Body:
    names: Body = {"first_name": "", "last_name": ""} if entity == "contacts" else {}
    return {"id": item.id, "name": item.name, **names, **_common(account, entity, item, base)}


def _common(account: SimAccount, entity: str, item: SimLead | SimContact, base: str) -> Body:
    fields = account.fields[entity]
    values = [_values(fields[number], value) for number, value in item.values.items() if number in fields]
    return {
        "responsible_user_id": account.user_id,
        "group_id": 0,
        "created_by": account.user_id,
        "updated_by": account.user_id,
        "created_at": account.created_at,
        "updated_at": account.created_at,
        "closest_task_at": None,
        "is_deleted": item.is_deleted,
        "custom_fields_values": values or None,
        "account_id": account.account_id,
        "_links": link(f"{base}/api/v4/{entity}/{item.id}"),
        "_embedded": {"tags": [], "companies": []} if entity != "companies" else {"tags": []},
    }


def _values(field: SimField, value: Any) -> Body:
    """Returns the values that a record holds in one field."""
    bodies: list[Body] = []
    for each in value if isinstance(value, list) else [value]:
        option: SimEnum | None
        if field.type == "multitext":
            # A phone or an address whose kind nobody chose has the first kind.
            option, text = field.enums[0], each
        else:
            option = next((enum for enum in field.enums if enum.id == each), None)
            text = option.value if option else each
        chosen = {"enum_id": option.id, "enum_code": option.code} if option else {}
        bodies.append({"value": text, **chosen})
    return {
        "field_id": field.id,
        "field_name": field.name,
        "field_code": field.code,
        "field_type": field.type,
        "values": bodies,
    }
