"""The headers of a proxy about the request that it passes on, and the proxies that are believed."""

from collections.abc import Iterable
from typing import Any

from syncing.web.server import WSGI

LOOPBACK = frozenset({"127.0.0.1", "::1"})


def behind_proxy(application: WSGI) -> WSGI:
    """Takes the scheme from the X-Forwarded-Proto of a proxy on this machine; nobody else is believed.

    With HTTPS_ONLY Django reads the header itself, whoever sends it: the proxy has to set it.
    """

    def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").partition(",")[0].strip()
        if scheme == "https" and environ["REMOTE_ADDR"] in LOOPBACK:
            environ["wsgi.url_scheme"] = scheme
        return application(environ, start_response)

    return serve
