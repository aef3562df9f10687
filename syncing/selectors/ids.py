"""The id map of one account, for bots, dashboards and other tools."""

from typing import Any

from accounts.models import Account
from syncing.engine.refs import Kind, local_id
from syncing.models import IdMapping


def id_map(account: Account) -> list[dict[str, Any]]:
    """`{kind, entity, name, parent, master_id, slave_id}` per item; ids are numbers where Kommo's are."""
    mappings = IdMapping.objects.filter(account=account).order_by("kind", "parent", "name", "pk")
    return [
        {
            "kind": mapping.kind,
            "entity": _entity(mapping),
            "name": mapping.name,
            "parent": mapping.parent,
            "master_id": _id(mapping.master_key),
            "slave_id": _id(mapping.slave_key),
        }
        for mapping in mappings
    ]


def _entity(mapping: IdMapping) -> str:
    """Pipelines and stages belong to leads; the others say it in their key."""
    is_of_leads = mapping.kind in (Kind.PIPELINE, Kind.STAGE)
    return "leads" if is_of_leads else mapping.master_key.partition("/")[0]


def _id(key: str) -> int | str:
    """The account's own id; groups have ids like `leads_12`."""
    own = local_id(key)
    return int(own) if own.isdecimal() else own
