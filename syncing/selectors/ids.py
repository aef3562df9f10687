"""The id mappings of one account, for bots, dashboards and other tools."""

from typing import Any

from django.db.models import Q, QuerySet

from accounts.models import Account
from syncing.engine.refs import Kind, local_id
from syncing.models import IdMapping

OF_LEADS = (Kind.PIPELINE, Kind.STAGE)


def id_map(account: Account) -> list[dict[str, Any]]:
    """Returns `{kind, entity, name, parent, master_id, slave_id}` per item; ids are numbers where Kommo's are."""
    mappings = IdMapping.objects.filter(account=account).order_by("kind", "parent", "name", "pk")
    return [
        {
            "kind": mapping.kind,
            # The keys of the other kinds begin with their entity.
            "entity": "leads" if mapping.kind in OF_LEADS else mapping.master_key.partition("/")[0],
            "name": mapping.name,
            "parent": mapping.parent,
            "master_id": _id(mapping.master_key),
            "slave_id": _id(mapping.slave_key),
        }
        for mapping in mappings
    ]


def listed_ids(account: Account, text: str = "") -> QuerySet[IdMapping]:
    """Selects the id mappings of an account; `text`: a part of a name, of the parent, or of an id."""
    mappings = IdMapping.objects.filter(account=account).order_by("kind", "parent", "name", "pk")
    if not text:
        return mappings
    names = Q(name__icontains=text) | Q(parent__icontains=text)
    return mappings.filter(names | Q(master_key__contains=text) | Q(slave_key__contains=text))


def _id(key: str) -> int | str:
    """Returns the account's own id: a number, or of groups a text like `leads_12`."""
    own = local_id(key)
    return int(own) if own.isdecimal() else own
