"""`channel`, as somebody meets it at the command line."""

import json
import subprocess
import sys

import pytest
from django.conf import settings as project
from pytest_django import Settings

from accounts.tests.factories import GroupFactory
from syncing.models import Channel, Event
from syncing.tests.commands import command, command_document
from syncing.tests.notifications.channels import new_channel
from syncing.tests.notifications.sinks import dead_port, http_sink

pytestmark = pytest.mark.django_db

DISCORD = "discord://s3cr3t-id/s3cr3t-token"


def test_a_channel_is_added_listed_tried_and_removed_and_its_address_is_never_shown(settings: Settings) -> None:
    settings.NOTIFY_PRIVATE = True
    group = GroupFactory(name="North")
    with http_sink() as sink:
        url = f"json://s3cr3t@{sink.address}/s3cr3t"
        said = [
            command("channel", "add", "Boss", "--email", "s3cr3t@franchise.example", "--when", "every"),
            command("channel", "add", "Ops", "--url", url, "--group", "North", "--events", "run_failed, overdue"),
            command("channel", "list"),
            command("channel", "list", "--json"),
            command("channel", "test", " Ops "),
            command("channel", "remove", "Boss"),
        ]
    assert [code for code, _, _ in said] == [0] * 6
    assert said[0][1] == "Channel Boss added. Try it: `channel test`.\n"
    assert json.loads(said[3][1]) == [
        {
            **{"name": "Boss", "group": None, "kind": "email", "events": list(Event.values), "when": "every"},
            **{"language": "en", "enabled": True, "last_sent_at": None, "failure": ""},
        },
        {
            **{"name": "Ops", "group": "North", "kind": "json", "events": ["run_failed", "overdue"]},
            **{"when": "changed", "language": "en", "enabled": True, "last_sent_at": None, "failure": ""},
        },
    ]
    assert said[4][1] == "A test message was sent by the channel Ops.\n"
    assert sink.taken[0].json["title"] == "Test message of KommoSync"
    assert Channel.objects.get().group == group
    assert "s3cr3t" not in str(said)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--email", "x"], "The e-mail address 1 is none."),
        (["--email", DISCORD], "--email takes e-mail addresses"),
        (["--url", "ops@franchise.example"], "--url an address of Apprise with ://"),
        (["--url", "syslog://s3cr3t"], "Allowed are e-mail and: discord, evolution"),
        (["--url", "slack://s3cr3t"], "The address is not complete"),
        (["--url", "json://127.0.0.1/s3cr3t"], "Set NOTIFY_PRIVATE=on"),
        (
            ["--url", DISCORD, "--events", "run_failed,nope"],
            "There is no event nope. The events are: run_failed, run_w",
        ),
        (["--url", DISCORD, "--events", ","], "Name at least one event."),
        (["--url", DISCORD, "--when", "never"], "never is none of every, changed, newly_bad."),
        (["--url", DISCORD, "--language", "de"], "de is none of en, pt-br, es."),
        (["--url", DISCORD, "--group", "South"], "There is no sync group 'South'. Groups: North."),
    ],
)
def test_a_wrong_argument_is_named_and_nothing_is_stored(arguments: list[str], sentence: str) -> None:
    GroupFactory(name="North")
    code, out, errors = command("channel", "add", "Ops", *arguments)
    assert (code, out, Channel.objects.count()) == (2, "", 0)
    assert sentence in errors
    assert "s3cr3t" not in errors


def test_an_address_is_needed_and_only_one(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["--email", "a@b.example", "--url", DISCORD]):
        assert command("channel", "add", "Ops", *arguments)[0] != 0
    assert Channel.objects.count() == 0


def test_a_test_that_fails_exits_1_and_says_why(settings: Settings) -> None:
    settings.NOTIFY_PRIVATE = True
    with dead_port() as port:
        new_channel(f"json://127.0.0.1:{port}/s3cr3t", name="Ops")
        code, out, errors = command("channel", "test", "Ops")
    assert (code, out) == (1, "")
    assert "The service could not be reached. Check its host and port, and the network of this machine." in errors
    assert "s3cr3t" not in errors
    assert command_document("channel", "list")[1][0]["failure"].startswith("The service could not be reached.")


@pytest.mark.parametrize("action", ["test", "remove"])
def test_a_channel_that_is_not_there_is_said_so(action: str) -> None:
    code, _, errors = command("channel", action, "Nobody")
    assert code == 2
    assert "There is no channel 'Nobody'. See `channel list`." in errors


def test_nothing_but_the_process_that_sends_loads_apprise() -> None:
    script = """
import django, sys
django.setup()
import kommosync.urls, syncing.tasks, syncing.worker.supervisor, syncing.worker.cluster, syncing.web.server
import syncing.notifications.delivery, syncing.services.channels, syncing.management.commands.channel
print(sorted(name for name in sys.modules if name.split(".")[0] == "apprise"))
"""
    environment = {"DJANGO_SETTINGS_MODULE": "kommosync.settings_test", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=project.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
