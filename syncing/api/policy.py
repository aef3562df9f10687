"""`/api/sync/policy`: the policy of a group as a document; a PATCH sets what its body names, or nothing."""

from typing import Annotated, Any

from ninja import Router
from pydantic import WithJsonSchema

from syncing.api.http import ApiRequest, bad_request
from syncing.api.operations import operation
from syncing.api.request_bodies import GroupName, RequestBody, example, group_named, read_body
from syncing.api.shapes.groups import PolicyShape
from syncing.models import KeyScope
from syncing.services.policy import document_of, read_document, set_policy

router = Router(tags=["policy"])
# The service reads it, and names every key that is wrong.
PolicyValues = Annotated[
    Any,
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": {"type": ["boolean", "integer", "string"]},
            "description": "values by key",
        }
    ),
]


class PolicyBody(RequestBody):
    model_config = example(policy={"watch": "plan", "max_deletes": 5})

    group: GroupName = None
    policy: PolicyValues


@operation(router.get, "/sync/policy", "api_policy", (KeyScope.READ, "accounts.view_syncgroup"), PolicyShape)
def show(request: ApiRequest, group: str | None = None) -> dict[str, Any]:
    """Returns the policy of a group."""
    return document_of(group_named(group))


@operation(
    router.patch,
    "/sync/policy",
    "api_policy",
    (KeyScope.TRIGGER, "accounts.change_syncgroup"),
    PolicyShape,
    body=PolicyBody,
)
def change(request: ApiRequest, group: str | None = None) -> dict[str, Any]:
    """Sets the values that are named, all or none, and returns the whole policy as it is then.

    The group may be named in the address, in the body, or in both; then it has to be the same.
    """
    named, values = read_document(read_body(request, PolicyBody).model_dump(exclude_unset=True))
    if None not in (named, group) and named != group:
        raise bad_request("other_group", "The body is of another group than the address.", [group])
    target = group_named(group if group is not None else named)
    set_policy(target, values, request.by)
    return document_of(target)
