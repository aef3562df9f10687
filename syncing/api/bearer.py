"""Who comes in: the API key of a request, its scope, and what the person who made it may now."""

from django.http import HttpRequest
from ninja.security.http import HttpAuthBase

from syncing.api import rates
from syncing.api.http import ApiError, ApiRequest
from syncing.models import ApiKey, KeyScope
from syncing.services import keys
from syncing.services.actors import of_key

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="KommoSync"'}


class ApiKeyBearer(HttpAuthBase):
    """Lets in a key of `scope` whose maker has `permission`; the operation gets it as `request.by`.

    `permission` None: it depends on the body, and the operation asks for it by `require`.
    """

    openapi_scheme = "bearer"

    def __init__(self, scope: KeyScope, permission: str | None) -> None:
        super().__init__()
        self.scope = scope
        self.permission = permission

    def __call__(self, request: ApiRequest) -> ApiKey:  # type: ignore[override]
        key = authorise(request, self.scope)
        request.by = of_key(key)
        if self.permission is not None:
            require(request, self.permission)
        return key


def authorise(request: HttpRequest, scope: KeyScope) -> ApiKey:
    """Returns the key of the Authorization header; raises ApiError 401, 403 or 429."""
    kind, _, secret = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not secret.strip():
        remedy = "Send the header 'Authorization: Bearer KEY'."
        raise ApiError(401, "no_key", "This needs an API key.", remedy, CHALLENGE)
    key = keys.key_for(secret.strip())
    if key is None:
        remedy = "Make a new one in the admin, API keys."
        raise ApiError(401, "bad_key", "This API key is unknown or revoked.", remedy, CHALLENGE)
    if key.is_orphaned:
        message = "The person who made this API key can no longer log in, so the key no longer works."
        remedy = "Ask somebody else to make a new one in the admin (API keys)."
        raise ApiError(401, "maker_gone", message, remedy, CHALLENGE)
    rates.take(key.pk)
    if scope not in key.scopes:
        raise ApiError(403, "no_scope", f"This API key may not {scope}.", f"Give it the scope '{scope}' in the admin.")
    keys.touch(key)
    return key


def require(request: ApiRequest, permission: str) -> None:
    """Raises ApiError 403 unless the person who made the key of this request has the permission now."""
    if not request.by.has(permission):
        message = f"The person who made this API key may not do this: {permission} is missing."
        raise ApiError(403, "not_allowed", message, "Give that person the permission, or use another's key.")
