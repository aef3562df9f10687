"""Channels as people add, change, remove and try them."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core import mail
from pytest_django import Settings

from accounts.actors import Actor
from accounts.refusals import Refusal
from accounts.tests.factories import GroupFactory
from syncing.models import AuditEntry, Channel, Event, Message
from syncing.selectors.channels import channel_document, channels_of
from syncing.services import channels
from syncing.services.actors import COMMAND
from syncing.tests.notifications.channels import new_channel
from syncing.tests.notifications.sinks import http_sink

pytestmark = pytest.mark.django_db

SECRET = "s3cr3t"
MAIL = "ops-s3cr3t@franchise.example"


@pytest.fixture(autouse=True)
def _no_name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncing.notifications.networks.addresses_of", lambda host: [])


def unsaved(**facts: Any) -> Channel:
    return Channel(**{"name": "Operations", "address": MAIL, "events": ["run_failed"], **facts})


def noted() -> list[dict[str, Any]]:
    return list(AuditEntry.objects.filter(action="channel").order_by("pk").values_list("details", flat=True))


def refused(**facts: Any) -> Refusal:
    """Returns why a channel is not added; nothing is stored."""
    before = Channel.objects.count()
    with pytest.raises(Refusal) as found:
        channels.add(unsaved(**facts), by=COMMAND)
    assert (Channel.objects.count(), noted()) == (before, [])
    assert SECRET not in str(found.value)
    return found.value


@pytest.mark.parametrize(
    ("facts", "code", "sentence"),
    [
        ({"events": ["run_failed", "nope"]}, "bad_events", "There is no event nope. The events are: run_failed, run_"),
        ({"events": []}, "bad_events", "Name at least one event."),
        ({"events": "run_failed"}, "bad_events", "Name at least one event."),
        ({"events": [{"a": 1}]}, "bad_events", "There is no event {'a': 1}."),
        ({"when": "never"}, "bad_when", "when: never is none of every, changed, newly_bad."),
        ({"language": "de"}, "bad_language", "language: de is none of en, pt-br, es."),
        ({"name": " "}, "bad_name", "name: This field cannot be blank."),
        ({"name": "a/b"}, "bad_name", "no slash"),
        ({"name": ".."}, "bad_name", "no slash"),
        ({"name": "a\nb"}, "bad_name", "no invisible characters"),
        ({"name": "a\x00b"}, "bad_name", "no invisible characters"),
        ({"name": "a\u202eb"}, "bad_name", "no invisible characters"),
        ({"name": "a\ud800b"}, "bad_name", "no invisible characters"),
        ({"name": "x" * 121}, "bad_name", "at most 120 characters"),
        ({"address": "jsons://s3cr3t@10.0.0.1/x"}, "private_address", "NOTIFY_PRIVATE"),
        ({"address": "file:///s3cr3t"}, "bad_scheme", "Allowed are e-mail and: "),
        ({"address": "slack://s3cr3t"}, "bad_address", "The address is not complete, or not of this service."),
        ({"address": "s3cr3t"}, "bad_address", "The e-mail address 1 is none."),
    ],
)
def test_a_wrong_value_is_named_and_nothing_is_stored(facts: dict[str, Any], code: str, sentence: str) -> None:
    found = refused(**facts)
    assert found.code == code
    assert sentence in str(found)


def test_a_channel_is_stored_with_its_kind_and_audited_without_its_address() -> None:
    group = GroupFactory()
    channel = channels.add(
        unsaved(name=" Operações – 1º ", events=["wave_waits", "run_failed", "wave_waits"]), by=COMMAND
    )
    channels.add(unsaved(name="Chat", group=group, address="discord://s3cr3t-id/s3cr3t-token"), by=COMMAND)

    stored = Channel.objects.get(pk=channel.pk)
    assert (stored.name, stored.kind, stored.address) == ("Operações – 1º", "email", MAIL)
    assert stored.events == ["run_failed", "wave_waits"]
    assert Channel.objects.get(name="Chat").kind == "discord"
    assert [each.group for each in channels_of(group)] == [None, group]
    assert [details["added"]["kind"] for details in noted()] == ["email", "discord"]
    assert AuditEntry.objects.filter(action="channel", group=group.name).count() == 1
    assert SECRET not in str(noted())
    assert SECRET not in str([channel_document(each) for each in channels_of(None)])


@pytest.mark.parametrize(
    ("address", "kind", "beginning"),
    [
        ("https://hooks.slack.com/services/T1JJ/A1BR/s3cr3t", "slack", "slack://T1JJ/A1BR/s3cr3t/"),
        ("https://discord.com/api/webhooks/4174216298/s3cr3t", "discord", "discord://4174216298/s3cr3t/"),
        (
            "https://chat.googleapis.com/v1/spaces/ROOM/messages?key=KEY&token=s3cr3t",
            "gchat",
            "gchat://ROOM/KEY/s3cr3t/",
        ),
        (
            "https://x.api.powerplatform.com:443/powerautomate/automations/direct/workflows/abc123/triggers/manual/paths"
            "/invoke?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=s3cr3t",
            "workflow",
            "workflow://x.api.powerplatform.com:443/abc123/s3cr3t/",
        ),
    ],
)
def test_the_address_of_a_webhook_may_be_given_as_its_service_shows_it(address: str, kind: str, beginning: str) -> None:
    stored = Channel.objects.get(pk=channels.add(unsaved(address=address), by=COMMAND).pk)
    assert (stored.kind, stored.address[: len(beginning)]) == (kind, beginning)
    assert "retry=" not in stored.address
    channels.change(stored, ["address"], by=COMMAND)  # what is stored is usable itself
    assert ("pa=yes" in stored.address) is ("powerautomate" in address)


def test_other_web_addresses_are_of_no_kind() -> None:
    for address in (
        "https://hooks.example.com/s3cr3t",
        "https://127.0.0.1/s3cr3t",
        "http://hooks.slack.com/services/s3cr3t",
    ):
        assert refused(address=address).code == "bad_scheme"


def test_a_name_is_there_once() -> None:
    new_channel(name="Operations")
    assert refused().code == "exists_already"


def test_a_change_stores_what_was_changed_alone_and_another_address_forgets_the_failure() -> None:
    channel = new_channel(name="Operations", failure="The service is in trouble.", events=["run_failed"])
    channel.events, channel.when, channel.name = ["overdue"], "every", "Other"
    channels.change(channel, ["events", "when"], by=COMMAND)

    stored = Channel.objects.get()
    assert (stored.name, stored.events, stored.when, stored.failure) == (
        "Operations",
        ["overdue"],
        "every",
        "The service is in trouble.",
    )
    assert noted()[-1] == {
        "channel": "Other",
        "events": [["run_failed"], ["overdue"]],
        "when": ["changed", "every"],
    }
    stored.address = "discord://s3cr3t-id/s3cr3t-token"
    channels.change(stored, ["address"], by=COMMAND)
    stored.refresh_from_db()
    assert (stored.kind, stored.failure) == ("discord", "")
    assert noted()[-1] == {"channel": "Operations", "address": "changed", "kind": "discord"}

    channels.change(stored, ["events"], by=COMMAND)  # nothing is changed
    assert len(noted()) == 2


def test_a_change_is_checked_as_well() -> None:
    new_channel(name="Taken")
    channel = new_channel(name="Operations")
    for name, value, code in [
        ("name", "Taken", "exists_already"),
        ("events", ["x"], "bad_events"),
        ("address", "file:///x", "bad_scheme"),
    ]:
        changed = Channel.objects.get(pk=channel.pk)
        setattr(changed, name, value)
        with pytest.raises(Refusal) as found:
            channels.change(changed, [name], by=COMMAND)
        assert found.value.code == code
    assert noted() == []


def test_a_removed_channel_is_gone_with_its_messages_and_remembered_in_the_audit() -> None:
    channel = new_channel(name="Operations")
    Message.objects.create(channel=channel, title="x", text="y")
    channels.remove(channel, by=COMMAND)
    assert (Channel.objects.count(), Message.objects.count()) == (0, 0)
    assert noted()[0]["channel"] == "Operations"


def test_who_may_not_change_channels_may_not_add_or_try_one_either() -> None:
    user = User.objects.create_user("ann")
    user.user_permissions.add(Permission.objects.get(codename="view_channel"))
    by = Actor.of_user(user, "admin")
    channel = new_channel()
    for act in (
        lambda: channels.add(unsaved(), by=by),
        lambda: channels.change(channel, ["when"], by=by),
        lambda: channels.remove(channel, by=by),
        lambda: channels.test(channel, by=by),
    ):
        with pytest.raises(Refusal) as found:
            act()
        assert found.value.code == "not_allowed"
    assert (Channel.objects.count(), Message.objects.count(), mail.outbox) == (1, 0, [])


def test_a_test_is_sent_in_the_language_of_the_channel_and_seen_there() -> None:
    channel = new_channel(failure="The service is in trouble.", enabled=False)
    channels.test(channel, by=COMMAND)

    channel.refresh_from_db()
    message = channel.messages.get()
    assert mail.outbox[0].subject == "Test message of KommoSync"
    assert (channel.failure, message.due_at, message.attempts) == ("", None, 1)
    assert channel.last_sent_at == message.sent_at is not None
    assert noted() == [{"channel": channel.name, "tested": True}]


def test_a_test_that_fails_says_why_and_is_not_sent_again(settings: Settings) -> None:
    settings.NOTIFY_PRIVATE = True
    with http_sink(status=500, body=b"s3cr3t traceback") as sink:
        channel = new_channel(f"json://s3cr3t@{sink.address}/s3cr3t")
        with pytest.raises(Refusal) as found:
            channels.test(channel, by=COMMAND)

    assert found.value.code == "send_failed"
    assert str(found.value) == "The service is in trouble (HTTP status 500)."
    channel.refresh_from_db()
    assert channel.failure == "The service is in trouble (HTTP status 500)."
    assert channel.messages.get().due_at is None
    assert len(sink.taken) == 1


def test_all_events_have_a_name_that_the_audit_can_hold() -> None:
    channels.add(unsaved(events=list(Event.values)), by=COMMAND)
    assert noted()[0]["added"]["events"] == list(Event.values)
