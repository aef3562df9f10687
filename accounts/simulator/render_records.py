"""How leads, contacts and companies look in answers: the documented keys, as far as they tell who holds what."""

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
    """A lead in the trash: neither where it stood nor what it holds is told (amoCRM's leads-api, with=only_deleted)."""
    return {
        "id": item.id,
        "updated_by": account.user_id,
        "updated_at": account.created_at,
        "is_deleted": True,
        "_links": link(f"{base}/api/v4/leads/{item.id}"),
    }


def unsorted(account: SimAccount, item: SimLead, base: str) -> Body:
    """An incoming lead: a stub that names the lead by its id; its values are not told."""
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


def card(account: SimAccount, entity: str, item: SimContact, base: str) -> Body:
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
    return {
        "field_id": field.id,
        "field_name": field.name,
        "field_code": field.code,
        "field_type": field.type,
        "values": [_value(field, each) for each in (value if isinstance(value, list) else [value])],
    }


def _value(field: SimField, value: Any) -> Body:
    if field.type == "multitext":
        # A phone or an address whose kind nobody chose has the first kind.
        return {"value": value, **_option(field.enums[0])}
    found = next((enum for enum in field.enums if enum.id == value), None)
    return {"value": value} if found is None else {"value": found.value, **_option(found)}


def _option(enum: SimEnum) -> Body:
    return {"enum_id": enum.id, "enum_code": enum.code}
