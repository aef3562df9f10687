"""What really goes out: bodies as Apprise makes them, e-mails, and why something failed, without any secret."""

import logging
import re
import time
from email import message_from_bytes, policy
from typing import Any

import pytest
import requests
from pytest_django import Settings

from syncing.models import Channel, Message
from syncing.notifications import sender, transport
from syncing.notifications.addresses import check_address, kind_of
from syncing.operations.envfile import ROOT
from syncing.tests.notifications.sinks import HttpSink, dead_port, http_sink, smtp_sink

TITLE = "2 of 119 failed"
TEXT = "branch-01: <token> ended & gone\nbranch_02: *unpaid*\nhttps://sync.example.com/runs/12/"
SECRET = "s3cr3t"
# Apprise loads modules of Python that are deprecated; in the process of its own nobody sees that.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def send(address: str, **facts: Any) -> str:
    channel = Channel(name="Ops", address=address, kind=kind_of(address))
    return transport.send(channel, Message(channel=channel, **{"title": TITLE, "text": TEXT, **facts}))


@pytest.fixture
def private(settings: Settings) -> None:
    settings.NOTIFY_PRIVATE = True


@pytest.fixture
def apprise_to(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sends what a service's fixed host would get to a sink, body and headers as they are; returns path and body."""

    def deliver(url: str, answer: bytes) -> tuple[str, HttpSink]:
        with http_sink(body=answer) as sink:
            real = requests.adapters.HTTPAdapter.send
            asked: list[str] = []

            def rewrite(self: Any, request: Any, **kwargs: Any) -> requests.Response:
                asked.append(request.url)
                request.url = f"http://{sink.address}" + request.path_url
                return real(self, request, **kwargs | {"proxies": {}})

            monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", rewrite)
            assert sender.deliver(url, TITLE, TEXT) is True
        return asked[0], sink

    return deliver


def test_slack_gets_its_webhook_body(apprise_to: Any) -> None:
    url, sink = apprise_to("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/", b"ok")
    assert url == "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
    body = sink.taken[0].json
    (attachment,) = body["attachments"]
    assert attachment["title"] == TITLE
    assert (
        "branch-01: &lt;token&gt; ended &amp; gone\nbranch_02: *unpaid*\nhttps://sync.example.com/"
        in attachment["text"]
    )
    assert attachment["footer"] == "KommoSync"
    assert "icon_url" not in body


def test_teams_gets_an_adaptive_card_by_its_workflow(apprise_to: Any) -> None:
    url, sink = apprise_to(
        "workflows://prod-1.westus.logic.azure.com:443/643e69f83c8944438d68119179a10a64/SIGNATURE", b""
    )
    assert url.startswith(
        "https://prod-1.westus.logic.azure.com:443/workflows/643e69f83c8944438d68119179a10a64/triggers/manual/paths/invoke"
    )
    (attachment,) = sink.taken[0].json["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    texts = [block.get("text") for block in attachment["content"]["body"]]
    assert texts[0] == TITLE
    first, second, link = texts[1].split("\n\n")  # in Markdown one line break is none
    assert [first, second] == TEXT.splitlines()[:2]
    assert link == "[https://sync.example.com/runs/12/](https://sync.example.com/runs/12/)"


def test_telegram_gets_escaped_html(apprise_to: Any) -> None:
    url, sink = apprise_to(
        "tgram://123456789:abcdefg_hijklmnop/12315544/", b'{"ok": true, "result": {"message_id": 1}}'
    )
    assert url == "https://api.telegram.org/bot123456789:abcdefg_hijklmnop/sendMessage"
    body = sink.taken[0].json
    assert body["chat_id"] == 12315544
    assert body["parse_mode"] == "HTML"
    assert TITLE in body["text"]
    assert "branch-01: &lt;token&gt; ended &amp; gone\nbranch_02: *unpaid*" in body["text"].replace("\r", "")


def test_discord_gets_its_webhook_body(apprise_to: Any) -> None:
    url, sink = apprise_to("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", b"")
    assert url.startswith("https://discord.com/api/webhooks/4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js")
    body = sink.taken[0].json
    assert TITLE in body["content"]
    assert "branch-01: <token> ended & gone" in body["content"]


def test_json_gets_title_and_message_by_the_process_of_its_own(private: None) -> None:
    with http_sink() as sink:
        assert send(f"json://user:pa%40ss@{sink.address}/hooks/x?+X-Key=1&:team=ops") == ""
    (taken,) = sink.taken
    assert taken.path == "/hooks/x"
    assert taken.headers["X-Key"] == "1"
    assert {key: taken.json[key] for key in ("title", "message", "type", "team")} == {
        "title": TITLE,
        "message": TEXT,
        "type": "info",
        "team": "ops",
    }


def test_whatsapp_gets_its_text_by_an_evolution_api(private: None) -> None:
    with http_sink(status=201, body=b"{}") as sink:
        assert send(f"evolution://KEY@{sink.address}/branches/5511999999999") == ""
    (taken,) = sink.taken
    assert (taken.path, taken.headers["apikey"]) == ("/message/sendText/branches", "KEY")
    assert taken.json["number"] == "5511999999999"
    assert TITLE in taken.json["text"]


@pytest.mark.parametrize(
    ("manner", "sentence"),
    [
        ({"status": 500}, "The service is in trouble (HTTP status 500)."),
        ({"status": 401}, "The service refuses the token (HTTP status 401). Check it, or make a new one."),
        ({"status": 404}, "The service does not know this address (HTTP status 404). Check it."),
        ({"status": 429}, "The service takes no more messages for now (HTTP status 429)."),
        ({"status": 422}, "The service did not take the message (HTTP status 422). Check the address."),
        (
            {"status": 302, "location": "http://127.0.0.1:9/s3cr3t"},
            "The service sends to another address (HTTP status 302). Enter that address instead.",
        ),
    ],
)
def test_a_failure_names_the_status_and_nothing_secret(
    private: None, manner: dict[str, Any], sentence: str, caplog: pytest.LogCaptureFixture, capfd: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    with http_sink(body=b"s3cr3t traceback", **manner) as sink:
        assert send(f"json://s3cr3t@{sink.address}/s3cr3t") == sentence
    assert len(sink.taken) == 1
    assert SECRET not in caplog.text
    assert SECRET not in str(capfd.readouterr())


def test_nobody_there(private: None) -> None:
    with dead_port() as port:
        assert send(f"json://127.0.0.1:{port}/s3cr3t").startswith("The service could not be reached.")


def test_a_server_without_tls(private: None) -> None:
    with http_sink() as sink:
        assert "TLS" in send(f"jsons://{sink.address}/s3cr3t")


@pytest.mark.parametrize("manner", ["hang", "drip"])
def test_a_hanging_or_dripping_server_ends_within_the_total_time(
    private: None, manner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "DEADLINE", 5.0)
    with http_sink(manner=manner) as sink:
        began = time.monotonic()
        failure = send(f"json://{sink.address}/s3cr3t")
    assert failure == "The service did not answer in time. If that goes on, check the address and the service."
    assert len(sink.taken) == 1
    assert time.monotonic() - began < 10


def test_a_name_that_leads_elsewhere_at_sending_is_refused_before_a_byte_is_sent(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with DNS rebinding: the address was public when it was looked at; the connection itself is refused."""
    monkeypatch.setattr(transport, "check_address", lambda address: None)
    for host in ("localhost", "127.0.0.1"):
        with http_sink() as sink:
            failure = send(f"json://{host}:{sink.port}/s3cr3t")
        assert failure == "The address leads into a private network. Set NOTIFY_PRIVATE=on if that is meant."
        assert sink.taken == []


def test_what_is_forbidden_since_it_was_stored_is_not_sent(settings: Settings) -> None:
    assert "Set NOTIFY_PRIVATE=on" in send("json://127.0.0.1:9/x")
    settings.NOTIFY_SCHEMES = ["slack"]
    assert "not allowed" in send("discord://1/2")


def test_what_apprise_does_not_understand() -> None:
    assert "See docs/messages.md" in send("slack://s3cr3t")


def test_the_process_that_sends_gets_none_of_our_secrets(monkeypatch: pytest.MonkeyPatch, private: None) -> None:
    monkeypatch.setenv("SECRET_KEY", SECRET)
    seen: dict[str, Any] = {}
    real = transport.subprocess.run
    monkeypatch.setattr(transport.subprocess, "run", lambda *a, **k: seen.update(k, arguments=a) or real(*a, **k))
    with http_sink() as sink:
        assert send(f"json://{sink.address}/{SECRET}") == ""
    assert SECRET not in str(seen["env"])
    assert SECRET not in str(seen["arguments"])
    assert not {"DATABASE_URL", "FIELD_ENCRYPTION_KEYS", "EMAIL_URL"} & seen["env"].keys()


def test_a_proxy_of_the_environment_is_used_though_it_is_private(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with http_sink() as proxy:
        monkeypatch.setenv("http_proxy", f"http://{proxy.address}")
        assert send("json://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/hooks/x") == ""
    assert [taken.path for taken in proxy.taken] == ["http://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/hooks/x"]


# -- e-mail --


@pytest.fixture
def by_smtp(settings: Settings) -> Settings:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_USE_TLS = "127.0.0.1", False
    return settings


def test_an_email_has_text_html_and_attachment(by_smtp: Settings) -> None:
    with smtp_sink() as sink:
        by_smtp.EMAIL_PORT = sink.port
        failure = send(
            "ops@franchise.example, boss@franchise.example",
            title="Não: 2 de 119 falharam",
            text="Conta São Paulo: ação necessária\n.\nfim",
            html="<p>Conta <b>São Paulo</b></p>",
            attachment_name="report.csv",
            attachment="account;état\nSão Paulo;ok\n",
        )
    assert failure == ""
    assert sink.recipients == ["ops@franchise.example", "boss@franchise.example"]
    (mail,) = (message_from_bytes(raw, policy=policy.default) for raw in sink.mails)
    assert mail["Subject"] == "Não: 2 de 119 falharam"
    assert mail["To"] == "ops@franchise.example, boss@franchise.example"
    parts = {part.get_content_type(): part.get_content() for part in mail.walk() if not part.is_multipart()}
    assert parts["text/plain"].replace("\r\n", "\n").strip() == "Conta São Paulo: ação necessária\n.\nfim"
    assert "São Paulo" in parts["text/html"]
    assert parts["text/csv"].replace("\r\n", "\n") == "account;état\nSão Paulo;ok\n"


def test_a_title_adds_no_header(by_smtp: Settings) -> None:
    with smtp_sink() as sink:
        by_smtp.EMAIL_PORT = sink.port
        assert send("ops@franchise.example", title="x\r\nBcc: evil@example.com") == ""
    assert sink.recipients == ["ops@franchise.example"]
    assert message_from_bytes(sink.mails[0], policy=policy.default)["Bcc"] is None


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"RCPT": "550 s3cr3t"}, "The mail server refuses the recipients. Check the e-mail addresses of the channel."),
        ({"MAIL": "451 s3cr3t"}, "The mail server did not take the message (SMTP code 451)."),
        ({"DATA": "554 s3cr3t"}, "The mail server did not take the message (SMTP code 554)."),
    ],
)
def test_why_an_email_failed(by_smtp: Settings, answers: dict[str, str], sentence: str) -> None:
    with smtp_sink(answers=answers) as sink:
        by_smtp.EMAIL_PORT = sink.port
        assert send("ops@franchise.example") == sentence


def test_a_mail_server_that_is_not_there_or_does_not_answer(by_smtp: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with dead_port() as port:
        by_smtp.EMAIL_PORT = port
        assert send("ops@franchise.example") == "The mail server could not be reached, or broke off. Check EMAIL_URL."
    monkeypatch.setattr(transport, "DEADLINE", 0.3)
    with smtp_sink(manner="hang") as sink:
        by_smtp.EMAIL_PORT = sink.port
        began = time.monotonic()
        assert send("ops@franchise.example") == "The mail server did not answer in time."
        assert time.monotonic() - began < 2


@pytest.mark.parametrize("backend", ["console", "dummy"])
def test_what_is_only_printed_is_not_sent(settings: Settings, backend: str) -> None:
    settings.EMAIL_BACKEND = f"django.core.mail.backends.{backend}.EmailBackend"
    assert send("ops@franchise.example") == (
        "E-mails are only printed or thrown away here. Set EMAIL_URL to a mail server."
    )


def test_there_is_a_time_limit_for_every_mail_server(settings: Settings) -> None:
    assert 0 < settings.EMAIL_TIMEOUT < transport.DEADLINE


# -- the page --

PAGE = (ROOT / "docs" / "messages.md").read_text(encoding="utf-8")
DOCUMENTED = re.findall(r"`((?!https:)[a-z]+://[^`\s]*[A-Z][^`\s]*)`", PAGE)


def test_every_address_of_the_page_is_one(settings: Settings) -> None:
    kinds = {kind_of(address).removesuffix("s") for address in DOCUMENTED}
    assert {scheme.removesuffix("s") for scheme in settings.NOTIFY_SCHEMES} == kinds
    settings.NOTIFY_PRIVATE = True
    for address in DOCUMENTED:
        check_address(address)
        assert sender.service_of(address) is not None, address
