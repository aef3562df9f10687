"""Who is believed about the scheme of a request."""

from typing import Any

import pytest

from syncing.web.proxies import behind_proxy


def scheme(**environ: Any) -> str:
    seen = {"wsgi.url_scheme": "http", **environ}
    behind_proxy(lambda _environ, _start: [])(seen, None)
    return str(seen["wsgi.url_scheme"])


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("said", ["https", "https, http"])
def test_a_proxy_on_this_machine_is_believed(address: str, said: str) -> None:
    assert scheme(REMOTE_ADDR=address, HTTP_X_FORWARDED_PROTO=said) == "https"


@pytest.mark.parametrize("said", ["http", "", "javascript", "http, https"])
def test_anything_but_https_changes_nothing(said: str) -> None:
    assert scheme(REMOTE_ADDR="127.0.0.1", HTTP_X_FORWARDED_PROTO=said) == "http"


def test_nobody_else_is_believed() -> None:
    assert scheme(REMOTE_ADDR="10.0.0.7", HTTP_X_FORWARDED_PROTO="https") == "http"


def test_what_a_proxy_says_reaches_the_application(serve) -> None:
    """Django reads X-Forwarded-Proto if HTTPS_ONLY is on; waitress alone would take it away."""
    seen: list[Any] = []

    def look(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.extend(environ.get(f"HTTP_X_FORWARDED_{name}") for name in ("PROTO", "FOR"))
        start_response("200 OK", [("Content-Length", "0")])
        return []

    serve(look).ask(b"GET / HTTP/1.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n")
    assert seen == ["https", "203.0.113.9"]
