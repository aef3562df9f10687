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
