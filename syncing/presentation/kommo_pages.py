"""The pages of a Kommo account on which a person looks after an item."""

from accounts import conf
from syncing.engine.refs import Kind

PIPELINE = "settings/pipeline/leads/{}"  # the funnel's settings, its stages side by side
FIELDS = "{}/add/"  # a new card, whose tab Settings has the fields


def page_in_kommo(subdomain: str, kind: str = "", key: str = "") -> str:
    """Returns the address of the page for an item by the account's own key; without one, of the account."""
    own = key.partition("/")[0]
    if kind in (Kind.PIPELINE, Kind.STAGE):
        path = PIPELINE.format(own if own.isdecimal() else "")
    elif kind and key:
        path = FIELDS.format(own)
    else:
        path = ""
    return f"{conf.url_for(subdomain).rstrip('/')}/{path}"
