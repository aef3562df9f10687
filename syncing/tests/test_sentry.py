"""What Sentry is told: the error and where it happened; never a secret, a request, or anything at all without a DSN."""

import gzip
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
import sentry_sdk
from django.db import OperationalError
from django.test import Client
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from accounts.log_context import log_ids
from accounts.models import Account
from accounts.simulator.faults import Fault
from accounts.tests.factories import AccountFactory
from syncing import conf, sentry
from syncing.api import webhooks
from syncing.error_boundary import survived
from syncing.operations.envfile import ROOT, child_environment
from syncing.tests.house import House

DSN = "https://5e0c12ad3f7b4d1c@sentry.example/7"
# As they are: a long-lived token, one of OAuth, a key of the REST API, of a bot, of an integration, a password.
TOKEN = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQiOiI1ZDQ3In0.c2lnbmF0dXJlLW9mLW5vcnRo"
REFRESH = "def50200a1f3c9e2b7d4" * 6
API_KEY = "ks_3kq9Z0vTn1Wm7YbR5sXd2Lf8"
BOT = "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
CLIENT_SECRET = "Vn3cK0q8SdyEzL5mTf7wXa2GhRb9uPjN4iQoYlZ6tBsCeWxMrDk1vUgHpAfJ"
PASSWORD = "hunter-two-three"
SECRETS = (TOKEN, REFRESH, API_KEY, BOT, CLIENT_SECRET, PASSWORD)

logger = logging.getLogger("syncing.tests.sentry")


class Captured(Transport):
    """Keeps the envelopes instead of sending them."""

    def __init__(self) -> None:
        super().__init__()
        self.envelopes: list[Envelope] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.envelopes.append(envelope)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for each in self.envelopes if (event := each.get_event()) is not None]  # type: ignore[misc]

    @property
    def text(self) -> str:
        """All that would be sent, byte by byte."""
        return "\n".join(envelope.serialize().decode() for envelope in self.envelopes)


@pytest.fixture
def sent() -> Iterator[Captured]:
    captured = Captured()
    with sentry_sdk.isolation_scope(), sentry_sdk.new_scope():
        sentry.start(DSN, captured)
        yield captured
    sentry_sdk.get_client().close()
    sentry_sdk.get_global_scope().set_client(None)


def leak(text: str) -> None:
    """Has an error of our own whose text, and whose variables, are `text`."""
    kept_by_the_frame = text
    with survived("the test", run=7, group=3, account=5):
        raise RuntimeError(kept_by_the_frame)


def test_an_error_of_ours_comes_with_its_place_and_its_ids(sent: Captured) -> None:
    logger.warning("before that")
    leak("no such thing as 3 apples")
    (event,) = sent.events
    assert event["tags"] == {"run": "7", "group": "3", "account": "5"}
    (exception,) = event["exception"]["values"]
    assert (exception["type"], exception["value"]) == ("RuntimeError", "no such thing as 3 apples")
    assert exception["stacktrace"]["frames"][-1]["function"] == "leak"
    assert event["breadcrumbs"]["values"][-1]["message"] == "before that"
    assert event["release"].startswith("kommosync@")
    assert "vars" not in sent.text


TEXTS = [
    "{}",
    "refused: {}",
    "'token': '{}'",
    '{{"refresh_token": "{}", "x": 1}}',
    "client_secret={}&grant_type=refresh_token",
    "https://hooks.example/services/T00/{}",
    "https://user:{}@proxy.example:3128/path",
    "postgres://kommosync:{}@db.example/kommosync",
    "tgram://{}/4711",
    "jsons://{}@host/path",
    "GET /api/sync/webhook/{}",
    "/invite/12:{}",
    "{{'Authorization': 'Bearer {}', 'User-Agent': 'x'}}",
    "Authorization: Bearer {}",
    "sent Bearer {} and was refused",
    "Cookie: sessionid={}; csrftoken=x",
    "duplicate key\nDETAIL:  Key (token)=({}) already exists.",
    "password='{}'",
    "smtp_password: {}",
]
SHAPED = [text for text in TEXTS if text not in ("{}", "refused: {}")]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("secret", SECRETS[:-1], ids=["token", "refresh", "key", "bot", "client_secret"])
def test_no_secret_leaves_in_whatever_text_it_stands(sent: Captured, text: str, secret: str) -> None:
    filled = text.format(secret)
    logger.warning("line before: %s", filled)  # a breadcrumb
    logger.warning(filled, extra={"token": secret})
    logger.error("with values: %s %s", filled, {"note": filled})
    leak(filled)
    assert len(sent.events) == 2
    assert secret not in sent.text
    assert secret[-12:] not in sent.text


@pytest.mark.parametrize("text", SHAPED)
def test_a_short_password_does_not_leave_where_its_place_tells_what_it_is(sent: Captured, text: str) -> None:
    leak(text.format(PASSWORD))
    assert sent.events
    assert PASSWORD not in sent.text


def test_settings_that_are_secret_do_not_leave_whatever_they_look_like(sent: Captured, settings: Any) -> None:
    settings.SECRET_KEY, settings.REDIS_URL = "all words no digits", "redis://:quite.plain@127.0.0.1/0"
    settings.DATABASES["default"]["PASSWORD"] = "open sesame"
    try:
        for secret in (settings.SECRET_KEY, *settings.FIELD_ENCRYPTION_KEYS, "quite.plain", "open sesame"):
            leak(f"odd: <{secret}>")
            assert secret in conf.secrets()
            assert secret not in sent.text
    finally:
        del settings.DATABASES["default"]["PASSWORD"]


def test_people_are_not_named(sent: Captured) -> None:
    leak("no mail to anna.silva@example.com.br")
    assert "anna" not in sent.text


def test_words_and_places_stay_readable(sent: Captured) -> None:
    text = "run 12: POST /leads/custom_fields answered 402, north ended as failed (unpaid) after 14 requests"
    assert sentry.clean_text(text) == text
    assert sentry.clean_text("see https://north.kommo.com/api/v4/leads") == "see https://north.kommo.com/***"


@pytest.mark.django_db
def test_a_request_that_fails_is_told_without_the_request(sent: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(token: str) -> None:
        raise RuntimeError("odd")

    monkeypatch.setattr(webhooks, "group_for_webhook", fail)
    client = Client(raise_request_exception=False)
    client.cookies["sessionid"] = REFRESH
    headers = {"Authorization": f"Bearer {API_KEY}", "X-Api-Key": API_KEY}
    path = f"/api/sync/webhook/{CLIENT_SECRET}?code={BOT}"
    answer = client.post(path, {"password": PASSWORD}, headers=headers)
    assert answer.status_code == 500
    (event,) = sent.events
    assert event["exception"]["values"][0]["value"] == "odd"
    assert not {"request", "user", "extra", "modules"} & event.keys()
    for secret in SECRETS:
        assert secret not in sent.text


@pytest.mark.django_db
def test_stored_secrets_do_not_leave_with_an_error_of_a_row(sent: Captured) -> None:
    """The error of a database may quote the row, and the variables of the frames hold it."""
    account = AccountFactory(subdomain="north", token=TOKEN)
    with survived("the row"):
        Account.objects.create(group=account.group, subdomain="north", token=TOKEN + "x")
    assert sent.events[0]["exception"]["values"][-1]["type"] == "IntegrityError"
    assert TOKEN[:40] not in sent.text


def test_a_run_with_errors_tells_none_of_its_tokens(house: House, sent: Captured) -> None:
    house.world.faults.add(Fault("402", subdomain="south", times=None))
    house.start()

    def break_down(*args: Any) -> Any:
        client = args[1]
        client.get("/account")
        raise ValueError(f"odd {client._headers}")

    house.work(break_down)
    assert {event["tags"]["account"] for event in sent.events} >= {str(house.accounts["north"].pk)}
    for account in house.world.accounts.values():
        assert account.token not in sent.text


def test_a_database_that_is_away_does_not_flood_it(sent: Captured) -> None:
    for _ in range(5):
        try:
            raise OperationalError("connection refused, password authentication failed for user x")
        except OperationalError as error:
            logger.error("not ready", exc_info=error)
    assert all("exception" not in event for event in sent.events)
    assert len(sent.events) <= 1


def test_what_strangers_send_is_no_error_of_ours(sent: Captured, caplog: pytest.LogCaptureFixture) -> None:
    assert Client().get("/", headers={"Host": "evil.example"}).status_code == 400
    assert [record.levelname for record in caplog.records if record.name.startswith("django.security")] == ["ERROR"]
    assert sent.envelopes == []


def test_nothing_but_errors_is_sent(sent: Captured) -> None:
    """No sessions, no transactions, no reports of the client."""
    with log_ids(run=1):
        logger.warning("only a warning")
    Client().get("/healthz")
    sentry_sdk.get_client().flush()
    assert sent.envelopes == []


def test_requests_to_others_get_no_header_of_it(sent: Captured) -> None:
    """A trace would be continued in Kommo's log."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.extend(name.lower() for name in self.headers)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    requests.get(f"http://127.0.0.1:{server.server_port}/", timeout=10)
    thread.join()
    server.server_close()
    assert "user-agent" in seen
    assert not {"sentry-trace", "baggage", "traceparent"} & set(seen)


# -- in processes of their own --

SETUP = "import django; django.setup(); import logging, sys"


def run(tmp_path: Path, code: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    own = {"VAR_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "kommosync.settings", "SECRET_KEY": "x" * 50}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**child_environment(tmp_path / ".env"), **own, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_without_a_dsn_it_is_not_even_loaded(tmp_path: Path) -> None:
    done = run(tmp_path, f"{SETUP}; print('sentry_sdk' in sys.modules)")
    assert (done.stdout, done.returncode) == ("False\n", 0)


MISSING = (
    "import sys; sys.modules['sentry_sdk'] = None; sys.argv = ['manage.py', 'check']; import manage; manage.main()"
)


def test_a_dsn_without_the_package_is_refused_at_the_start(tmp_path: Path) -> None:
    done = run(tmp_path, MISSING, SENTRY_DSN=DSN)
    assert done.returncode == 2
    assert done.stderr.startswith("Configuration error: SENTRY_DSN is set, but sentry-sdk is not installed")
    assert "pip install -r requirements-sentry.txt" in done.stderr
    assert "5e0c12ad" not in done.stderr


@pytest.mark.parametrize("value", ["sentry", "https://sentry.example/7", "https://key@sentry.example/", "ftp://k@h/7"])
def test_a_dsn_that_is_none_is_refused_by_name(tmp_path: Path, value: str) -> None:
    done = run(tmp_path, MISSING.replace("sys.modules['sentry_sdk'] = None; ", ""), SENTRY_DSN=value)
    assert done.returncode == 2
    assert done.stderr.startswith("Configuration error: SENTRY_DSN must be")


@pytest.fixture
def sink() -> Iterator[tuple[str, list[bytes]]]:
    """A Sentry on this machine: its DSN, and the bodies that came."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://5e0c12ad@127.0.0.1:{server.server_port}/7", bodies
    server.shutdown()
    thread.join()
    server.server_close()


FORKED = f"""
{SETUP}, os
pid = os.fork()
logging.getLogger("x").error("of the %s", "parent" if pid else "child")
if pid:
    os.waitpid(pid, 0)
import sentry_sdk; sentry_sdk.flush(10)
"""


def test_a_process_and_its_fork_send_to_the_dsn_and_print_nothing_of_it(
    tmp_path: Path, sink: tuple[str, list[bytes]]
) -> None:
    dsn, bodies = sink
    done = run(tmp_path, FORKED, SENTRY_DSN=dsn, NO_PROXY="127.0.0.1", no_proxy="127.0.0.1")
    assert done.returncode == 0, done.stderr
    assert "entry" not in done.stdout + done.stderr
    events = [json.loads(gzip.decompress(body).splitlines()[-1]) for body in bodies]
    assert sorted(event["logentry"]["formatted"] for event in events) == ["of the child", "of the parent"]


@pytest.mark.parametrize("format", ["line", "json"])
def test_what_ends_a_process_is_told_once(tmp_path: Path, sink: tuple[str, list[bytes]], format: str) -> None:
    """With JSON it is logged as well, which is an event of its own for Sentry."""
    dsn, bodies = sink
    environment = {"SENTRY_DSN": dsn, "LOG_FORMAT": format, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    done = run(tmp_path, f"{SETUP}; raise RuntimeError('odd')", **environment)
    assert done.returncode == 1
    (body,) = bodies
    event = json.loads(gzip.decompress(body).splitlines()[-1])
    assert event["exception"]["values"][0]["value"] == "odd"
