"""`GET /metrics` for Prometheus: for an API key with the scope read, and for this very machine.

The numbers are read from the tables at every request, so they are those of all processes and machines, and any web
server gives the same.
"""

import logging
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from accounts.database import trouble_of
from accounts.refusals import Refusal
from syncing import conf
from syncing.addresses import client_address
from syncing.api.bearer import authorise
from syncing.api.http import ApiError, error_response
from syncing.models import KeyScope
from syncing.presentation.metrics import DEFINITIONS, PREFIX, MetricDefinition
from syncing.selectors.metrics import Samples, samples
from syncing.services.actors import of_key

logger = logging.getLogger(__name__)

PERMISSION = "syncing.view_syncrun"
MAKER_MAY_NOT = ApiError(
    403,
    "not_allowed",
    f"The person who made this API key may not do this: {PERMISSION} is missing.",
    "Give that person the permission, or use another's key.",
)
# Whatever is in front of us leaves one of these; then the address that connects is not the visitor's.
FORWARDING = ("forwarded", "via", "x-real-ip", "x-forwarded-")
LOOPBACK_NAME = "localhost"


class TableCollector(Collector):
    """Makes the metrics of the samples that were read."""

    def __init__(self, found: dict[str, Samples]) -> None:
        self._found = found

    def collect(self) -> Iterator[Metric]:
        for definition in DEFINITIONS:
            yield _family(definition, self._found[definition.name])


def _family(definition: MetricDefinition, found: Samples) -> Metric:
    """Returns a metric with its samples, as the library of Prometheus has it."""
    name, about = f"{PREFIX}{definition.name}", definition.help
    if definition.kind == "summary":
        return SummaryMetricFamily(name, about, count_value=int(found[("count",)]), sum_value=found[("sum",)])
    kind = CounterMetricFamily if definition.kind == "counter" else GaugeMetricFamily
    family = kind(name, about, labels=definition.labels)
    for labels, value in found.items():
        family.add_metric(labels, value)
    return family


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Answers in the format that the scraper asks for; 503 in plain text while the database does not serve."""
    try:
        if "Authorization" in request.headers or not is_local_scraper(request):
            by = of_key(authorise(request, KeyScope.READ))
            if not by.has(PERMISSION):
                raise MAKER_MAY_NOT
        values = samples()
    except Refusal as error:
        return _refused(request, error)
    except (DatabaseError, InterfaceError) as error:
        trouble = trouble_of(error)
        if trouble is None:
            raise
        answer = _plain(f"{trouble.message} {trouble.remedy}", status=503)
        answer["Retry-After"] = str(conf.RETRY_AFTER)
        answer._has_been_logged = True  # type: ignore[attr-defined]  # at every scrape; the cause is known otherwise
        return answer
    registry = CollectorRegistry()
    registry.register(TableCollector(values))
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(registry), content_type=content_type)


def is_local_scraper(request: HttpRequest) -> bool:
    """Tells whether a program on this machine asks directly, by an address of this machine: it needs no key.

    A proxy on this machine connects from here, too, but leaves headers, or speaks HTTP/1.0 (nginx as it comes). The
    host has to be the machine's own, or a page in a browser on it could ask through a name that leads here.
    """
    headers = request.headers
    if any(name.lower().startswith(FORWARDING) for name in headers):
        return False
    if request.META.get("SERVER_PROTOCOL") == "HTTP/1.0" or not _is_loopback(str(request.META.get("REMOTE_ADDR", ""))):
        return False
    try:
        host = urlsplit(f"//{headers.get('Host', '')}").hostname or ""
    except ValueError:  # brackets that do not close
        return False
    return host == LOOPBACK_NAME or _is_loopback(host)


def _is_loopback(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _refused(request: HttpRequest, error: Refusal) -> HttpResponse:
    """Returns the refusal in plain text; a wrong key is logged with the address that it came from."""
    answer = error_response(error)
    plain = _plain(f"{error.message} {error.remedy}", status=answer.status_code)
    if plain.status_code == 401:
        logger.warning("metrics: %s from %s", error.code, client_address(request))
        plain._has_been_logged = True  # type: ignore[attr-defined]  # Django's line says less
    for name in ("WWW-Authenticate", "Retry-After"):
        if name in answer:
            plain[name] = answer[name]
    return plain


def _plain(text: str, *, status: int) -> HttpResponse:
    return HttpResponse(f"{text}\n", status=status, content_type="text/plain; charset=utf-8")
