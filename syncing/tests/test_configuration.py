"""A wrong value of the environment, as somebody meets it who runs `manage.py`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from syncing.operations.envfile import ROOT, child_environment
from syncing.selectors.documents import failed_document


def manage(tmp_path: Path, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *args],
        cwd=ROOT,
        env={**child_environment(tmp_path / ".env"), "VAR_DIR": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_outgoing_address_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    done = manage(tmp_path, "check", OUTGOING_ADDRESS="203.0.113.7, sync.example.com")
    assert done.returncode == 2
    assert done.stderr.startswith("Configuration error: OUTGOING_ADDRESS: 'sync.example.com' is no IP address")


@pytest.mark.parametrize("value", ["foo", "https://", "ftp://kommo.example/oauth"])
def test_an_oauth_address_that_is_none_is_refused_by_name(tmp_path: Path, value: str) -> None:
    done = manage(tmp_path, "check", KOMMO_OAUTH_URL=value)
    assert done.returncode == 2
    assert done.stderr.startswith("Configuration error: KOMMO_OAUTH_URL must be a URL")
    assert done.stdout == ""


def test_sync_all_prints_its_document_even_when_the_settings_cannot_be_loaded(tmp_path: Path) -> None:
    done = manage(tmp_path, "sync_all", "--json", KOMMO_TIMEOUT="soon")
    assert done.returncode == 2
    assert done.stderr.startswith("Configuration error: KOMMO_TIMEOUT is 'soon'")
    document = json.loads(done.stdout)
    assert document.keys() == failed_document("", "", "").keys()
    assert document["error"].keys() == {"code", "message", "remedy"}
    assert (document["state"], document["error"]["code"]) == ("failed", "configuration")
    assert "KOMMO_TIMEOUT" in document["error"]["message"]


def test_a_second_factor_is_required_or_not_and_nothing_else(tmp_path: Path) -> None:
    done = manage(tmp_path, "check", REQUIRE_2FA="admins")
    assert done.returncode == 2
    assert done.stderr.startswith("Configuration error: REQUIRE_2FA is 'admins'; it must be on or off.")


@pytest.mark.parametrize("value", ["https://127.0.0.1/play", "http://127.0.0.1.evil/play"])
def test_the_page_of_the_demo_is_on_this_machine_or_refused_by_name(tmp_path: Path, value: str) -> None:
    done = manage(tmp_path, "check", DEMO_PLAY_URL=value)
    assert done.returncode == 2
    assert done.stderr.startswith("Configuration error: DEMO_PLAY_URL must be an address of this machine")


READ_EACH = """
import json, sys
from django.core.exceptions import ImproperlyConfigured
from kommosync import environment
found = []
for value in json.load(sys.stdin):
    environment.Environment.ENVIRON["PING_URL"] = value
    try:
        found.append(environment.base_url("PING_URL", "https://hc-ping.com/UUID"))
    except ImproperlyConfigured as error:
        found.append("refused: " + str(error))
print(json.dumps(found))
"""
GOOD_PINGS = {
    "": "",
    " ": "",
    "https://hc-ping.com/5ecret-uuid": "https://hc-ping.com/5ecret-uuid",
    "https://hc-ping.com/5ecret-uuid/ ": "https://hc-ping.com/5ecret-uuid",
    "http://127.0.0.1:8000/ping/5ecret": "http://127.0.0.1:8000/ping/5ecret",
    "http://[::1]:8000/5ecret": "http://[::1]:8000/5ecret",
    "https://me:5ecret@monitor.example": "https://me:5ecret@monitor.example",
}
BAD_PINGS = [
    *("5ecret", "https://", "https:///5ecret", "ftp://host/5ecret", "file:///5ecret", "//host/5ecret"),
    *("https://host:5ecret/x", "https://host:99999/5ecret", "https://[::1/5ecret", "https://host/5ecret with space"),
    *("https://host/5ecret?status=up", "https://host/5ecret#x", "https://:8000/5ecret", "javascript:5ecret"),
]


def test_a_ping_address_is_a_web_address_that_something_can_be_appended_to_and_is_never_shown() -> None:
    values = [*GOOD_PINGS, *BAD_PINGS]
    done = subprocess.run(
        [sys.executable, "-c", READ_EACH],
        input=json.dumps(values),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)

    assert found[: len(GOOD_PINGS)] == list(GOOD_PINGS.values())
    for value, message in zip(BAD_PINGS, found[len(GOOD_PINGS) :], strict=True):
        assert message.startswith("refused: PING_URL must be a URL"), value
        assert "5ecret" not in message


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("NOTIFY_SCHEMES", "slack, dbus", "NOTIFY_SCHEMES: dbus acts on this machine and is never allowed."),
        ("NOTIFY_SCHEMES", "slack,../x", "NOTIFY_SCHEMES: '../x' is no scheme of Apprise, as slack or tgram."),
        ("NOTIFY_PRIVATE", "perhaps", "NOTIFY_PRIVATE is 'perhaps'; it must be on or off."),
        ("PUBLIC_URL", "sync.example.com", "PUBLIC_URL must be a URL that begins with https:// or http://"),
        ("PUBLIC_URL", "https://sync.example.com/?x", "PUBLIC_URL must be a URL with a host and without ? or #"),
    ],
)
def test_a_wrong_setting_of_messages_is_refused_by_name(
    tmp_path: Path, variable: str, value: str, sentence: str
) -> None:
    done = manage(tmp_path, "check", **{variable: value})
    assert done.returncode == 2
    assert done.stderr.startswith(f"Configuration error: {sentence}")
