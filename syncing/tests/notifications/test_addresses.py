"""Addresses of channels: kinds, allowed schemes, and nothing private, however it is written."""

import socket
import time
from typing import Any

import pytest
from pytest_django import Settings

from accounts.refusals import Refusal
from syncing.notifications import networks
from syncing.notifications.addresses import check_address, emails_of, kind_of

SECRET = "s3cr3t-token"


@pytest.fixture(autouse=True)
def _names(monkeypatch: pytest.MonkeyPatch) -> None:
    """What names lead to; no test asks a real name server. Numbers are read as the system does."""
    known = {"hooks.example": "93.184.215.14", "inside.example": "10.1.2.3", "six.example": "fd00::7"}
    known |= {"mapped.example": "::ffff:169.254.169.254", "both.example": "93.184.215.14"}

    def answer(host: str, *_args: Any, **_kwargs: Any) -> list[tuple[Any, ...]]:
        host = host.rstrip(".")
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        found = [known[host], *(["127.0.0.1"] if host == "both.example" else [])]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 0)) for each in found]

    monkeypatch.setattr(networks.socket, "getaddrinfo", answer)


def refusal_of(address: str) -> Refusal:
    with pytest.raises(Refusal) as refused:
        check_address(address)
    assert SECRET not in str(refused.value)
    return refused.value


@pytest.mark.parametrize(
    ("address", "kind"),
    [("a@b.example", "email"), ("SLACK://A/B/C", "slack"), (" json://h ", "json"), ("json:/h", "email"), ("", "email")],
)
def test_the_kind_is_email_or_the_scheme(address: str, kind: str) -> None:
    assert kind_of(address) == kind


@pytest.mark.parametrize(
    "address",
    [
        "ops@franchise.example",
        " ops@franchise.example , boss@franchise.example,",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#ops",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ?footer=no&image=no",
        "tgram://2130706433:AAH-token/123456789",  # its host is a token, though it would be an address of this machine
        "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
        "workflows://hooks.example:443/WORKFLOW/SIGNATURE",
        "evolutions://KEY@hooks.example/instance/5511999999999",
        "jsons://user:pa%40ss@hooks.example:8443/path?+X-Key=1&:extra=2&-q=3",
        "json://93.184.215.14/x",
        "json://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]:8080/x",
        "json://unknown.example/x",  # leads nowhere today; the connection is looked at when there is one
        "ntfy://topic",
    ],
)
def test_these_are_usable(address: str) -> None:
    check_address(address)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "127.0.0.1."),
        *("localhost", "LOCALHOST.", "x.localhost", "printer.local", "metadata.google.internal"),
        *("10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200", "0.0.0.0", "0"),
        *("224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "168.63.129.16"),
        *("[::1]", "[::]", "[fe80::1]", "[fd00:ec2::254]", "[fec0::1]", "[ff02::1]", "[::ffff:127.0.0.1]"),
        *("[::ffff:7f00:1]", "[2002:7f00:1::]", "[64:ff9b::7f00:1]", "[::127.0.0.1]", "[64:ff9b:1::1]"),
        *("inside.example", "inside.example.", "six.example", "mapped.example", "both.example"),
    ],
)
@pytest.mark.parametrize("pattern", ["json://{}/x", "jsons://user:s3cr3t-token@{}:8443/x?format=text"])
def test_no_private_address_in_any_way_of_writing(host: str, pattern: str, settings: Settings) -> None:
    address = pattern.format(host)
    assert refusal_of(address).code == "private_address"
    settings.NOTIFY_PRIVATE = True
    check_address(address)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "",
            "nobody",
            "a@b",
            "a@b.example\nBcc: c@d.example",
            "a@b.example, x",
            "a b@c.example",
            "mailto:a@b.example",
        ),
        ",".join(f"a{number}@b.example" for number in range(21)),
        *("json://", "json:///x", "json:////127.0.0.1/x", "json:\\\\127.0.0.1", "json://\\127.0.0.1/x"),
        *("json://hooks.example@127.0.0.1@hooks.example/x", "json://a@@127.0.0.1/x", "json://127.0.0.1%2f@x@y/"),
        *("json://ho st/x", "json://host\n/x", "json://host:port/x", "json://host:1:2/x", "json://１２７.0.0.1/x"),
        *("json://%31%32%37.0.0.1/", "json://[::1", "json://[::1]x/", "json://" + "a" * 2000),
        *("slack://A/B/C?template=/etc/passwd", "slack://A/B/C#x?TEMPLATE=file:///etc/passwd", "ntfy://t?attach=x"),
        *("slack://A/B/C?footer=no;template=/x", "slack://A/B/C?%74emplate=/x", "json://hooks.example/?redirect=yes"),
        "json://hooks.example/?s3cr3t-token",
        *("json://hooks.example/?rto=600", "json://hooks.example/?retry=9&wait=60", "slack://A/B/C?optional=yes"),
    ],
)
def test_these_are_not_usable_and_say_why(address: str) -> None:
    found = refusal_of(address)
    assert found.code == "bad_address"
    assert found.message.startswith("The address is not usable. ")
    assert len(found.message) > len("The address is not usable. ")


@pytest.mark.parametrize("scheme", ["file", "dbus", "syslog", "exec", "mailto", "http", "https", "smtp", "x" * 50])
def test_another_scheme_is_refused_with_those_that_are_allowed(scheme: str) -> None:
    found = refusal_of(f"{scheme}://{SECRET}@host/x")
    assert found.code == "bad_scheme"
    assert "slack" in found.remedy


def test_the_allowed_schemes_are_a_setting(settings: Settings) -> None:
    settings.NOTIFY_SCHEMES = ["lark"]
    check_address("lark://TOKEN")
    assert refusal_of("slack://A/B/C").remedy == "Allowed are e-mail and: lark."


def test_a_name_server_that_does_not_answer_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "LONGEST_LOOKUP", 0.05)
    monkeypatch.setattr(networks.socket, "getaddrinfo", lambda *_args, **_kwargs: time.sleep(0.3) or [])
    check_address("json://slow.example/x")


def test_emails_are_separated_by_commas() -> None:
    assert emails_of(" a@b.example,, c@d.example ") == ["a@b.example", "c@d.example"]


def test_an_option_is_named_only_if_it_is_one() -> None:
    assert "not allowed: template, wait." in refusal_of(f"slack://A/B/C?wait=1&template=/x&{SECRET}=1").message
    assert "It has an option that is not allowed." in refusal_of(f"slack://A/B/C?{SECRET}").message
