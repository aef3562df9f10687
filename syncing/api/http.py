"""Does what every endpoint of the API needs: method, Bearer key, scope, JSON in, JSON errors out."""

import json
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from accounts.actors import Actor
from accounts.refusals import Refusal
from syncing import conf
from syncing.addresses import client_address
from syncing.models import ApiKey, KeyScope
from syncing.services import keys
from syncing.services.actors import of_key

logger = logging.getLogger(__name__)

View = Callable[..., HttpResponse]

# The status of what a service refuses, by its code; all else is a conflict with how things are now.
STATUS_BY_CODE = {
    "not_allowed": 403,
    **dict.fromkeys(("bad_policy", "bad_kind", "bad_cron", "bad_time_zone", "bad_grace", "bad_minutes"), 400),
    **dict.fromkeys(("never_open", "bad_hours", "bad_until"), 400),
}
CONFLICT = 409


class ApiRequest(HttpRequest):
    """A request that an API key makes."""

    by: Actor


class ApiError(Refusal):
    """A refusal of the API itself, with the status of its answer."""

    def __init__(self, status: int, code: str, message: str, remedy: str = "") -> None:
        super().__init__(code, message, remedy)
        self.status = status


def bad_request(code: str, message: str, allowed: Iterable[Any]) -> ApiError:
    """Returns the error of a request that holds what it may not; its remedy lists what it may."""
    return ApiError(400, code, message, f"Allowed: {listed(allowed)}.")


def listed(names: Iterable[Any], limit: int = 200) -> str:
    """Joins the names, each shortened, and no more than `limit` of them."""
    names = [str(name)[:120] for name in names]
    more = f", and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more if names else "none"


def error_response(error: Refusal) -> JsonResponse:
    """Returns the answer to a request that the API or a service refused."""
    status = error.status if isinstance(error, ApiError) else STATUS_BY_CODE.get(error.code, CONFLICT)
    response = JsonResponse({"error": error.document}, status=status)
    if status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="KommoSync"'
    return response


def keyless_endpoint(method: str) -> Callable[[View], View]:
    """Lets in only `method`, without Django's CSRF token, and turns each refusal into its answer."""

    def decorate(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                check_method(request, method)
                return view(request, *args, **kwargs)
            except Refusal as error:
                response = error_response(error)
                if response.status_code == 401:
                    logger.warning("REST API: %s from %s", error.code, client_address(request))
                if response.status_code == 405:
                    response["Allow"] = method
                return response

        return guarded

    return decorate


def endpoint(method: str, scope: KeyScope, permission: str | None) -> Callable[[View], View]:
    """Lets in only `method` with a key of `scope` whose maker has `permission`; the view gets it as `request.by`.

    `permission` None: it depends on the body, and the view asks for it by `require`.
    """

    def decorate(view: View) -> View:
        @keyless_endpoint(method)
        @wraps(view)
        def guarded(request: ApiRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            request.by = of_key(authorise(request, scope))
            if permission is not None:
                require(request, permission)
            return view(request, *args, **kwargs)

        return never_cache(guarded)

    return decorate


def by_method(**views: View) -> View:
    """Returns the view of an address with several methods; each of `views` is the endpoint of one."""
    allowed = ", ".join(views)

    @csrf_exempt
    def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        chosen = views.get("GET" if request.method == "HEAD" else str(request.method))
        if chosen is not None:
            return chosen(request, *args, **kwargs)
        error = ApiError(405, "method_not_allowed", f"{request.method} is not possible here.", f"Use {allowed}.")
        response = error_response(error)
        response["Allow"] = allowed
        return response

    return view


def check_method(request: HttpRequest, method: str) -> None:
    if request.method != method and (request.method, method) != ("HEAD", "GET"):
        raise ApiError(405, "method_not_allowed", f"{request.method} is not possible here.", f"Use {method}.")


def authorise(request: HttpRequest, scope: KeyScope) -> ApiKey:
    """Returns the key of the Authorization header; raises ApiError 401 or 403."""
    kind, _, secret = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not secret.strip():
        raise ApiError(401, "no_key", "This needs an API key.", "Send the header 'Authorization: Bearer KEY'.")
    key = keys.key_for(secret.strip())
    if key is None:
        raise ApiError(401, "bad_key", "This API key is unknown or revoked.", "Make a new one in the admin, API keys.")
    if key.is_orphaned:
        message = "The person who made this API key can no longer log in, so the key no longer works."
        raise ApiError(401, "maker_gone", message, "Ask somebody else to make a new one in the admin (API keys).")
    if scope not in key.scopes:
        raise ApiError(403, "no_scope", f"This API key may not {scope}.", f"Give it the scope '{scope}' in the admin.")
    keys.touch(key)
    return key


def require(request: ApiRequest, permission: str) -> None:
    """Raises ApiError 403 unless the person who made the key of this request has the permission now."""
    if not request.by.has(permission):
        message = f"The person who made this API key may not do this: {permission} is missing."
        raise ApiError(403, "not_allowed", message, "Give that person the permission, or use another's key.")


def too_large() -> ApiError:
    return ApiError(413, "too_large", f"The body is over {conf.API_BODY_LIMIT} bytes.", "Send the JSON object only.")


def unknown_keys(value: Mapping[str, Any], allowed: Collection[str]) -> list[str]:
    """Returns the keys of a JSON object that it may not have, in their order."""
    return [key for key in value if key not in allowed]


def json_body(request: HttpRequest, allowed: Sequence[str], *, name_unknown: bool = False) -> dict[str, Any]:
    """Returns the body as an object with none but the `allowed` keys, {} if it is empty; reads no more than the limit.

    Raises ApiError 400 or 413.
    """
    body = request.read(conf.API_BODY_LIMIT + 1)
    if len(body) > conf.API_BODY_LIMIT:
        raise too_large()
    try:
        value = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "bad_json", "The body is not JSON.", "Send a JSON object, or nothing.") from error
    if not isinstance(value, dict):
        raise ApiError(400, "bad_json", "The body is not a JSON object.", "Send a JSON object, or nothing.")
    if unknown := unknown_keys(value, allowed):
        message = f"Unknown: {listed(unknown)}." if name_unknown else "The body holds a key that is not known."
        raise bad_request("unknown_key", message, allowed)
    return value
