"""What every endpoint of the API shares: requests, refusals and their answers, and the door around ninja's views."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from accounts.actors import Actor
from accounts.refusals import Refusal
from syncing import conf
from syncing.addresses import client_address
from syncing.presentation.problems import PROBLEM_TYPE, problem_document

logger = logging.getLogger(__name__)

View = Callable[..., HttpResponseBase]

# The status of what a service refuses, by its code; all else is a conflict with how things are now.
STATUS_BY_CODE = {
    "not_allowed": 403,
    **dict.fromkeys(("bad_policy", "bad_kind", "bad_cron", "bad_time_zone", "bad_grace", "bad_minutes"), 400),
    **dict.fromkeys(("never_open", "bad_hours", "bad_until"), 400),
    **dict.fromkeys(("bad_name", "bad_events", "bad_when", "bad_language"), 400),
    **dict.fromkeys(("bad_scheme", "bad_address", "private_address"), 400),
    "idempotency_mismatch": 422,
}
CONFLICT = 409


class ApiRequest(HttpRequest):
    """A request that an API key makes."""

    by: Actor


class ApiError(Refusal):
    """A refusal of the API itself, with the status and the headers of its answer."""

    def __init__(
        self, status: int, code: str, message: str, remedy: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(code, message, remedy)
        self.status = status
        self.headers = headers or {}


def bad_request(code: str, message: str, allowed: Iterable[Any]) -> ApiError:
    """Returns the error of a request that holds what it may not; its remedy lists what it may."""
    return ApiError(400, code, message, f"Allowed: {listed(allowed)}.")


def listed(names: Iterable[Any], limit: int = 200) -> str:
    """Joins the names, each shortened, and no more than `limit` of them."""
    names = [str(name)[:120] for name in names]
    more = f", and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more if names else "none"


def too_large() -> ApiError:
    return ApiError(413, "too_large", f"The body is over {conf.API_BODY_LIMIT} bytes.", "Send the JSON object only.")


def wrong_method(method: str | None, allowed: Sequence[str]) -> ApiError:
    names = ", ".join(allowed)
    return ApiError(405, "method_not_allowed", f"{method} is not possible here.", f"Use {names}.", {"Allow": names})


def error_response(error: Refusal) -> HttpResponse:
    """Returns the answer to a request that the API or a service refused: a problem document."""
    status = error.status if isinstance(error, ApiError) else STATUS_BY_CODE.get(error.code, CONFLICT)
    document = problem_document(status, error.document)
    response = JsonResponse(document, status=status, content_type=PROBLEM_TYPE)
    if isinstance(error, ApiError):
        for name, value in error.headers.items():
            response[name] = value
    return response


def refused(request: HttpRequest, error: Refusal) -> HttpResponse:
    """Returns the answer to a refused request, as `error_response`; says in the log who could not come in."""
    response = error_response(error)
    if response.status_code == 401:
        logger.warning("REST API: %s from %s", error.code, client_address(request))
    return response


def door(view: View, methods: Sequence[str] | None) -> View:
    """Lets in only `methods` (None: all), without Django's CSRF token, and turns each refusal into its answer.

    HEAD is answered as GET is; the web server leaves out the body. No answer is stored by anybody on the way.
    """

    @csrf_exempt
    @never_cache
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        asked = request.method
        try:
            if asked == "HEAD":
                request.method = "GET"
            if methods is not None and request.method not in methods:
                raise wrong_method(asked, methods)
            return view(request, *args, **kwargs)
        except Refusal as error:
            return refused(request, error)
        finally:
            request.method = asked

    return guarded
