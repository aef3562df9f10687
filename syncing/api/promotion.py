"""`POST /api/accounts/SUBDOMAIN/promote`: proposes items of a slave for the master; approving the plan does it."""

from typing import Annotated, Any

from ninja import Router
from pydantic import ConfigDict, Field, model_validator

from syncing.api.http import ApiRequest
from syncing.api.lookups import accepted, slave_or_404
from syncing.api.operations import operation
from syncing.api.request_bodies import Reason, RequestBody, example, read_body
from syncing.api.shapes.runs import StartedShape
from syncing.models import KeyScope
from syncing.purposes import PROMOTE
from syncing.services import promotion

router = Router(tags=["plans"])
ShortText = Annotated[str, Field(max_length=500)]
ITEMS = "a list of objects with kind, name or slave_key, and attribute, as /api/drift tells them"


def _called_by(name: str) -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"minLength": 1}}}


class PromotedItem(RequestBody):
    """An item of the slave, called by its name or its slave_key; without an attribute the whole item."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [_called_by("name"), _called_by("slave_key")]})

    kind: ShortText
    name: ShortText = ""
    slave_key: ShortText = ""
    attribute: ShortText = ""

    @model_validator(mode="after")
    def _is_called(self) -> "PromotedItem":
        if not (self.name or self.slave_key):
            raise ValueError("an item needs a name or a slave_key")
        return self


class PromotionBody(RequestBody):
    model_config = example(items=[{"kind": "pipeline", "name": "Renewals"}], reason="All branches need it")

    items: list[PromotedItem] = Field(min_length=1, description=ITEMS)
    reason: Reason = ""


@operation(
    router.post,
    "/accounts/{subdomain}/promote",
    "api_promote",
    (KeyScope.PROMOTE, PROMOTE),
    StartedShape,
    status=202,
    body=PromotionBody,
    errors=(409,),
)
def promote(request: ApiRequest, subdomain: str) -> dict[str, Any]:
    """Plans to bring items of a slave to the master. Approving that plan does it."""
    body, source = read_body(request, PromotionBody), slave_or_404(subdomain)
    items = [item.model_dump(exclude_unset=True) for item in body.items]
    picked = promotion.by_name(source, items)
    return accepted(request, promotion.propose(source, picked, by=request.by, reason=body.reason))
