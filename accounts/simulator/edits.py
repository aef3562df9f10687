"""Edits of an account as a person does them in Kommo's interface, by name: free of the API's rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from accounts.simulator.account import SimAccount
from accounts.simulator.model import SimContact, SimEnum, SimField, SimGroup, SimLead, SimPipeline, SimStage

Edited = SimPipeline | SimStage | SimGroup | SimField | SimEnum | SimLead | SimContact | SimAccount
ACCOUNT_FACTS = ("paid", "admin", "language", "name", "super_fields", "account_id")


def change(account: SimAccount, kind: str, key: Any = None, **attributes: Any) -> Edited:
    """Sets attributes of one thing: kind is account, pipeline, stage, group, field, enum, lead, contact or company.

    Key: an id of its own, or [pipeline id, stage id], [entity, group id], [field id, enum id].
    Raises KeyError for an unknown thing, AttributeError for an unknown attribute.
    """
    with account.lock:
        item = _find(account, kind, key)
        for name, value in attributes.items():
            if not hasattr(item, name) or (kind == "account" and name not in ACCOUNT_FACTS):
                raise AttributeError(f"{kind} has no {name!r}")
            if name in ("required_statuses", "hidden_statuses"):
                value = [tuple(each) for each in value]
            setattr(item, name, value)
        if isinstance(item, SimPipeline) and attributes.get("is_main"):
            account.set_main(item)
        if kind == "pipeline":
            account.renumber_stages(account.pipelines[key])
            account.renumber_main_pipeline()
        elif kind == "stage":
            account.renumber_stages(account.pipelines[key[0]])
        return item


def remove(account: SimAccount, kind: str, key: Any) -> None:
    """Deletes one thing of the configuration, with what that does to leads; kinds and keys as in `change`."""
    with account.lock:
        item = _find(account, kind, key)
        if isinstance(item, SimPipeline):
            account.delete_pipeline(item)
        elif isinstance(item, SimStage):
            account.delete_stage(account.pipelines[key[0]], item)
        elif isinstance(item, SimGroup):
            account.delete_group(key[0], item)
        elif isinstance(item, SimField):
            account.delete_field(item)
        elif isinstance(item, SimEnum):
            account.delete_enum(_field(account, key[0]), item)
        else:
            raise KeyError(kind)


def add(account: SimAccount, kind: str, **facts: Any) -> Edited:
    """Adds one thing: the keywords of SimAccount.add_pipeline, add_group, add_field; stage, enum and
    description (pipeline_id, stage_id, level, text) by the ids of their parents.
    """
    with account.lock:
        if kind == "stage":
            return account.add_stage(account.pipelines[facts.pop("pipeline_id")], **facts)
        if kind == "description":
            stage = account.pipelines[facts["pipeline_id"]].stage(facts["stage_id"])
            account.describe(stage, facts["level"], facts["text"])
            return stage
        if kind == "enum":
            return account.add_enum(_field(account, facts.pop("field_id")), **facts)
        makers: dict[str, Callable[..., Edited]] = {
            "pipeline": account.add_pipeline,
            "group": account.add_group,
            "field": account.add_field,
        }
        return makers[kind](**facts)


def _find(account: SimAccount, kind: str, key: Any) -> Edited:
    match kind:
        case "account":
            return account
        case "pipeline":
            return account.pipelines[key]
        case "stage":
            return account.pipelines[key[0]].stage(key[1])
        case "group":
            return account.groups[key[0]][key[1]]
        case "field":
            return _field(account, key)
        case "enum":
            return _field(account, key[0]).enum(key[1])
        case "lead":
            return account.leads[key]
        case "contact":
            return account.contacts[key]
        case "company":
            return account.companies[key]
    raise KeyError(kind)


def _field(account: SimAccount, number: int) -> SimField:
    for fields in account.fields.values():
        if number in fields:
            return fields[number]
    raise KeyError(number)
