"""Asking for one item by itself: whether what a list does not show (any more) is really gone."""

from accounts.kommo.errors import NotFound
from syncing.adapters import endpoints
from syncing.adapters.api import Api, Json
from syncing.adapters.shapes import OddShape, listed
from syncing.engine.refs import Kind, Ref, local_id


def item_exists(api: Api, ref: Ref) -> bool:
    """By the account's own key; what is inside something that is gone is gone as well."""
    try:
        found = api.get(_path(ref))
    except NotFound as error:
        if error.no_account:
            raise
        return False
    return found is not None and (ref.kind is not Kind.ENUM or _has_option(found, local_id(ref.key)))


def _has_option(field: Json, option: str) -> bool:
    try:
        options = listed(field, "enums")
    except OddShape:
        return True  # nobody can tell, and nothing must be thought gone that is not
    return any(isinstance(each, dict) and str(each.get("id")) == option for each in options)


def _path(ref: Ref) -> str:
    parts = ref.key.split("/")
    if ref.kind is Kind.PIPELINE:
        return endpoints.pipeline(ref.key)
    if ref.kind is Kind.STAGE:
        return endpoints.status(*parts)
    if ref.kind is Kind.FIELD_GROUP:
        return endpoints.field_group(*parts)
    return endpoints.custom_field(parts[0], parts[1])
