"""Ask for one item by itself: tells if what a list does not show (any more) is really gone."""

from accounts.kommo.errors import NotFound
from syncing.adapters import endpoints
from syncing.adapters.api import Api
from syncing.adapters.shapes import OddShape, listed
from syncing.engine.refs import Kind, Ref, local_id


def item_exists(api: Api, ref: Ref) -> bool:
    """Asks for one item by the account's own key; what is inside something that is gone is gone as well."""
    try:
        item = api.get(endpoints.item(ref.kind, ref.key))
    except NotFound as error:
        if error.no_account:
            raise
        return False
    if item is None or ref.kind is not Kind.ENUM:
        return item is not None
    try:
        options = listed(item, "enums")
    except OddShape:
        return True  # nobody can tell, and nothing must be thought gone that is not
    return any(isinstance(each, dict) and str(each.get("id")) == local_id(ref.key) for each in options)
