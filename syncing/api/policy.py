"""`/api/sync/policy?group=NAME`: the policy of a group as a document; a PATCH sets what its body names, or nothing."""

from django.http import HttpRequest, JsonResponse

from syncing.api.endpoints import READ, TRIGGER
from syncing.api.http import ApiRequest, bad_request, by_method, endpoint, json_body
from syncing.api.request_bodies import group_named
from syncing.services.policy import document_of, read_document, set_policy

KEYS = ("group", "policy")


@endpoint("GET", READ, "accounts.view_syncgroup")
def show(request: HttpRequest) -> JsonResponse:
    return JsonResponse(document_of(group_named(request.GET.get("group"))))


@endpoint("PATCH", TRIGGER, "accounts.change_syncgroup")
def change(request: ApiRequest) -> JsonResponse:
    """Sets the values; answers with the whole policy as it is then. The group of the body has to be that of the URL."""
    named, values = read_document(json_body(request, KEYS))
    asked = request.GET.get("group")
    if None not in (named, asked) and named != asked:
        raise bad_request("other_group", "The body is of another group than the address.", [asked])
    group = group_named(asked if asked is not None else named)
    set_policy(group, values, request.by)
    return JsonResponse(document_of(group))


policy = by_method(GET=show, PATCH=change)
