"""What every endpoint of the API does: method, Bearer key, scope, JSON in, JSON errors out."""

import json
import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from accounts.actors import Actor
from syncing import conf
from syncing.addresses import client_address
from syncing.models import ApiKey
from syncing.services import keys
from syncing.services.actors import of_key

logger = logging.getLogger(__name__)

View = Callable[..., HttpResponse]


class ApiRequest(HttpRequest):
    """A request that an API key makes."""

    by: Actor


class ApiError(Exception):
    """An answer that is not what was asked for."""

    def __init__(self, status: int, code: str, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.remedy = status, code, message, remedy

    def response(self) -> JsonResponse:
        error = {"code": self.code, "message": self.message, "remedy": self.remedy}
        response = JsonResponse({"error": error}, status=self.status)
        if self.status == 401:
            response["WWW-Authenticate"] = 'Bearer realm="KommoSync"'
        return response


def endpoint(method: str, scope: ApiKey.Scope, permission: str | None) -> Callable[[View], View]:
    """Let in only `method` with a key of `scope` whose maker has `permission`; the view gets it as `request.by`.

    `permission` None: it depends on the body, and the view asks for it by `require`.
    """

    def decorate(view: View) -> View:
        @csrf_exempt
        @never_cache
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                check_method(request, method)
                request.by = of_key(authorise(request, scope))  # type: ignore[attr-defined]
                if permission is not None:
                    require(cast(ApiRequest, request), permission)
                return view(request, *args, **kwargs)
            except ApiError as error:
                response = error.response()
                if error.status == 401:
                    logger.warning("REST API: %s from %s", error.code, client_address(request))
                if error.status == 405:
                    response["Allow"] = method
                return response

        return guarded

    return decorate


def check_method(request: HttpRequest, method: str) -> None:
    if request.method != method and (request.method, method) != ("HEAD", "GET"):
        raise ApiError(405, "method_not_allowed", f"{request.method} is not possible here.", f"Use {method}.")


def authorise(request: HttpRequest, scope: ApiKey.Scope) -> ApiKey:
    """The key of the Authorization header; raises ApiError 401 or 403."""
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


def json_body(request: HttpRequest) -> dict[str, Any]:
    """The body as an object, {} if it is empty; raises ApiError 400 or 413. Reads no more than the limit."""
    body = request.read(conf.API_BODY_LIMIT + 1)
    if len(body) > conf.API_BODY_LIMIT:
        raise too_large()
    try:
        value = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "bad_json", "The body is not JSON.", "Send a JSON object, or nothing.") from error
    if not isinstance(value, dict):
        raise ApiError(400, "bad_json", "The body is not a JSON object.", "Send a JSON object, or nothing.")
    return value
