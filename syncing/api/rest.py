"""The REST API as a whole: one NinjaAPI with the router of each feature, and the addresses that are made of it."""

import re
from collections import defaultdict
from types import ModuleType
from typing import NoReturn

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from ninja import NinjaAPI
from ninja.errors import ValidationError

from accounts.refusals import Refusal
from syncing.api import (
    accounts,
    approvals,
    audit,
    channels,
    drift,
    pauses,
    policy,
    promotion,
    rollback,
    runs,
    schedules,
    status,
    waves,
    windows,
)
from syncing.api.http import ApiError, door, refused
from syncing.api.request_bodies import wrong_value

FEATURES: tuple[ModuleType, ...] = (
    *(runs, waves, approvals, rollback, promotion, status, accounts, drift, audit),
    *(policy, schedules, windows, pauses, channels),
)
CONVERTED = re.compile(r"{(?:[a-z]+:)?(\w+)}")
METHODS = ("GET", "POST", "PATCH", "DELETE")  # in the order in which Allow names them
DESCRIPTION = (
    "Starts runs, tells how they end, and decides about plans. Errors are problem documents (RFC 9457) with a `code` "
    "for programs and a `remedy` for people. Every POST, PATCH and DELETE takes an Idempotency-Key."
)

# Its own pages load scripts of a CDN, which our policy for browsers forbids: `docs` has ours.
rest = NinjaAPI(title="KommoSync", version="1", description=DESCRIPTION, openapi_url=None, docs_url=None)
for _feature in FEATURES:
    rest.add_router("", _feature.router)


@rest.exception_handler(Refusal)
def _refuse(request: HttpRequest, error: Refusal) -> HttpResponse:
    return refused(request, error)


@rest.exception_handler(ValidationError)
def _wrong_parameter(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """Answers 400 to a parameter that is not as it has to be; ninja has found it before our code ran."""
    wrong = error.errors[0]
    place = [str(step) for step in wrong["loc"] if isinstance(step, str)]
    name = place[-1]
    return refused(request, wrong_value(name, {**wrong, "loc": (name,)}, ""))


@rest.exception_handler(Exception)
def _raise(request: HttpRequest, error: Exception) -> NoReturn:
    """Leaves it to Django, which logs it and asks handler500 for the answer, as for every other page."""
    raise error


def addresses(prefix: str) -> list[URLPattern]:
    """Returns the addresses of all operations below `prefix`, each behind our door, by the names of the operations."""
    methods: dict[str, set[str]] = defaultdict(set)
    for feature in FEATURES:
        for route, view in feature.router.path_operations.items():
            pattern_of_django = route.lstrip("/").replace("{", "<").replace("}", ">")
            methods[pattern_of_django].update(*(each.methods for each in view.operations))
    patterns: dict[str, URLPattern] = {}
    for pattern in rest.urls[0]:
        route = str(pattern.pattern)
        if isinstance(pattern, URLPattern) and route in methods and route not in patterns:
            allowed = [method for method in METHODS if method in methods[route]]
            patterns[route] = path(f"{prefix}{route}", door(pattern.callback, allowed), name=pattern.name)
    return list(patterns.values())


def unknown_endpoint(request: HttpRequest) -> NoReturn:
    """Answers to everything else under /api/ with JSON, not the login page of the admin."""
    known = sorted({_as_people_read_it(route) for feature in FEATURES for route in feature.router.path_operations})
    remedy = f"There are {', '.join(known)}. See /api/docs."
    raise ApiError(404, "no_such_endpoint", "There is nothing here.", remedy)


def _as_people_read_it(route: str) -> str:
    return "/api" + CONVERTED.sub(lambda found: found[1].removesuffix("_id").upper(), route)
