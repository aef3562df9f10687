"""What is due is sent once, in order, by one process at a time; what fails is tried again, and then given up."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from cryptography.fernet import Fernet
from django.core import mail
from django.db import connection
from django.utils import translation
from pytest_django import Settings

from syncing.models import Channel, Message
from syncing.notifications import delivery, transport
from syncing.presentation.messages import delivery_sentence
from syncing.tests.notifications.channels import new_channel, new_message
from syncing.tests.notifications.sinks import HttpSink, dead_port, http_sink

NOW = datetime(2026, 5, 5, 12, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def sink(settings: Settings) -> Iterator[HttpSink]:
    settings.NOTIFY_PRIVATE = True
    with http_sink() as running:
        yield running


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Puts what is sent into a list instead, as (channel, title); a channel called "dead..." fails."""
    sent: list[tuple[str, str]] = []

    def send(channel: Channel, message: Message) -> str:
        sent.append((channel.name, message.title))
        return "The service is in trouble (HTTP status 500)." if channel.name.startswith("dead") else ""

    monkeypatch.setattr(transport, "send", send)
    return sent


def due_message(channel: Channel, title: str = "x", **facts: Any) -> Message:
    return new_message(channel, **{"title": title, "due_at": datetime.now(UTC), **facts})


def test_what_is_due_is_sent_to_a_real_server_and_not_again(sink: HttpSink) -> None:
    channel = new_channel(f"json://{sink.address}/x", failure="The service is in trouble.", failed_at=NOW)
    message = due_message(channel, "2 of 119 failed")
    assert delivery.is_due()

    assert delivery.send_due() == 1
    assert delivery.send_due() == 0

    message.refresh_from_db()
    channel.refresh_from_db()
    assert [taken.json["title"] for taken in sink.taken] == ["2 of 119 failed"]
    assert (message.due_at, message.attempts, message.failure) == (None, 1, "")
    assert (channel.failure, channel.failed_at) == ("", None)
    assert channel.last_sent_at == message.sent_at is not None
    assert not delivery.is_due()


def test_five_tries_within_six_hours_then_it_is_given_up(
    told: list[tuple[str, str]], clock: time_machine.Traveller
) -> None:
    channel = new_channel(name="dead")
    message = due_message(channel)
    tried: list[timedelta] = []
    for minute in range(0, 24 * 60):
        clock.move_to(NOW + timedelta(minutes=minute), tick=False)
        before = len(told)
        assert delivery.send_due() == 0
        tried += [timedelta(minutes=minute)] * (len(told) - before)

    message.refresh_from_db()
    channel.refresh_from_db()
    assert [tried_at.total_seconds() / 60 for tried_at in tried] == [0, 2, 15, 75, 315]
    assert (message.due_at, message.sent_at, message.attempts) == (None, None, 5)
    assert message.failure == channel.failure == "The service is in trouble (HTTP status 500)."
    assert channel.failed_at == NOW + tried[-1]


def test_messages_of_a_channel_are_sent_in_order(told: list[tuple[str, str]]) -> None:
    first, second = new_channel(name="a"), new_channel(name="b")
    for number in range(4):
        due_message(first, str(number))
        due_message(second, str(number))
    assert delivery.send_due() == 8
    for name in "ab":
        assert [title for channel, title in told if channel == name] == list("0123")


def test_a_dead_channel_is_tried_twice_and_its_other_messages_wait_without_losing_a_try(
    told: list[tuple[str, str]], clock: time_machine.Traveller
) -> None:
    dead, well = new_channel(name="dead"), new_channel(name="well")
    messages = [due_message(dead, str(number)) for number in range(4)]
    due_message(well)
    assert delivery.send_due() == 1
    assert sorted(told) == [("dead", "0"), ("dead", "1"), ("well", "x")]
    assert not delivery.is_due()
    stored = [Message.objects.get(pk=message.pk) for message in messages]
    assert [message.attempts for message in stored] == [1, 1, 0, 0]
    assert {message.due_at for message in stored} == {NOW + timedelta(minutes=2)}


def test_one_message_that_a_service_refuses_does_not_hold_the_next(
    told: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "send", lambda channel, message: "no" if message.title == "bad" else "")
    channel = new_channel()
    for title in ("bad", "good", "bad", "good"):
        due_message(channel, title)
    assert delivery.send_due() == 2
    assert set(Message.objects.exclude(sent_at=None).values_list("title", flat=True)) == {"good"}


def test_a_hanging_channel_does_not_hold_back_another(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.NOTIFY_PRIVATE = True
    monkeypatch.setattr(transport, "DEADLINE", 6.0)
    with http_sink(manner="hang") as hanging, http_sink() as well, dead_port() as port:
        hung = due_message(new_channel(f"json://{hanging.address}/x"))
        dead = due_message(new_channel(f"json://127.0.0.1:{port}/x"))
        sent = due_message(new_channel(f"json://{well.address}/x"))
        assert delivery.send_due() == 1
    for message in (hung, dead, sent):
        message.refresh_from_db()
    assert sent.sent_at is not None
    assert dead.failure.startswith("The service could not be reached.")
    assert hung.failure.startswith("The service did not answer in time.")
    assert Channel.objects.get(pk=sent.channel_id).last_sent_at < Channel.objects.get(pk=hung.channel_id).failed_at


def test_a_channel_that_is_switched_off_is_sent_nothing_and_later_nothing_old(
    told: list[tuple[str, str]], clock: time_machine.Traveller
) -> None:
    channel = new_channel(enabled=False)
    old = [due_message(channel, "old") for _ in range(5)]
    assert not delivery.is_due()
    assert delivery.send_due() == 0
    clock.move_to(NOW + timedelta(days=2), tick=False)
    Channel.objects.update(enabled=True)
    due_message(channel, "new")

    assert delivery.send_due() == 1

    channel.refresh_from_db()
    assert told == [(channel.name, "new")]
    assert channel.failure == ""
    for message in old:
        message.refresh_from_db()
        assert (message.due_at, message.failure) == (None, "It waited for more than a day and is no longer sent.")


def test_a_message_whose_sender_was_killed_is_sent_after_its_lease(
    told: list[tuple[str, str]], clock: time_machine.Traveller
) -> None:
    channel = new_channel()
    due_message(channel, "first")
    due_message(channel, "second")
    assert delivery._claim(channel.pk) is not None  # and its process is killed

    assert delivery.send_due() == 0  # the second one waits for the first
    clock.shift(delivery.LEASE + timedelta(seconds=1))
    assert delivery.send_due() == 2
    assert [title for _, title in told] == ["first", "second"]


def test_a_message_that_kills_its_sender_each_time_is_given_up(
    told: list[tuple[str, str]], clock: time_machine.Traveller
) -> None:
    channel = new_channel()
    message = due_message(channel)
    for _ in range(5):
        assert delivery._claim(channel.pk) is not None
        clock.shift(delivery.LEASE + timedelta(seconds=1))
    assert delivery.send_due() == 0
    message.refresh_from_db()
    assert (message.due_at, told) == (None, [])
    assert message.failure == "The process that sent it ended again and again before it was done."


def test_a_clock_that_was_set_back_holds_no_message(told: list[tuple[str, str]], clock: time_machine.Traveller) -> None:
    due_message(new_channel(), due_at=NOW + timedelta(hours=5))
    assert delivery.send_due() == 1


def test_a_key_that_is_missing_costs_its_own_channel_alone(settings: Settings) -> None:
    keys = settings.FIELD_ENCRYPTION_KEYS
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    lost = new_channel()
    settings.FIELD_ENCRYPTION_KEYS = keys
    message = due_message(lost)
    due_message(new_channel("boss@franchise.example"))

    assert delivery.send_due() == 1

    message.refresh_from_db()
    assert [each.to for each in mail.outbox] == [["boss@franchise.example"]]
    assert message.failure.startswith("The address cannot be read: its key is missing in FIELD_ENCRYPTION_KEYS.")
    assert Channel.objects.defer("address").get(pk=lost.pk).failure == message.failure


PRIVATE = ("It leads to this machine, or into a private network.", "Set NOTIFY_PRIVATE=on if that is meant.")


def test_why_a_message_was_not_sent_is_stored_in_english_and_read_in_the_language_of_its_reader(settings) -> None:
    settings.NOTIFY_PRIVATE = False
    message = due_message(new_channel("json://127.0.0.1:1/x"))
    with translation.override("pt-br"):
        delivery.send_once(message)
        message.refresh_from_db()
        read = delivery_sentence(message)
        said = [translation.gettext(text) for text in PRIVATE]
    assert message.failure == " ".join(PRIVATE)
    assert read == " ".join(said)


def test_an_error_of_our_own_is_a_failure_and_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(channel: Channel, message: Message) -> str:
        raise KeyError("s3cr3t")

    monkeypatch.setattr(transport, "send", broken)
    message = due_message(new_channel())
    assert delivery.send_due() == 0
    message.refresh_from_db()
    assert message.failure.startswith("An error of KommoSync: KeyError in test_delivery.py")


@pytest.mark.django_db(transaction=True)
def test_two_processes_never_send_the_same_message(monkeypatch: pytest.MonkeyPatch) -> None:
    channels = [new_channel() for _ in range(3)]
    messages = [due_message(channel, str(number)) for channel in channels for number in range(5)]
    sent: list[int] = []
    at_work: dict[int, int] = {}
    crowds: list[int] = []

    def send(channel: Channel, message: Message) -> str:
        at_work[channel.pk] = at_work.get(channel.pk, 0) + 1
        crowds.append(at_work[channel.pk])
        sent.append(message.pk)
        threading.Event().wait(0.02)
        at_work[channel.pk] -= 1
        return ""

    monkeypatch.setattr(transport, "send", send)

    def work() -> None:
        for _ in range(20):
            delivery.send_due()
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(sent) == sorted(message.pk for message in messages)
    assert max(crowds) == 1  # of one channel one at a time
    for channel in channels:
        own = set(channel.messages.values_list("pk", flat=True))
        assert [pk for pk in sent if pk in own] == sorted(own)


def test_what_becomes_due_while_a_channel_hangs_is_sent_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, well = new_channel(name="slow"), new_channel(name="well")
    over, sent = threading.Event(), list[str]()

    def send(channel: Channel, message: Message) -> str:
        if channel.name == "slow":
            assert over.wait(30)
        else:
            over.set()
        sent.append(channel.name)
        return ""

    def meanwhile() -> None:
        if not well.messages.exists():
            due_message(well)

    monkeypatch.setattr(transport, "send", send)
    due_message(slow)
    assert delivery.send_due(meanwhile) == 2
    assert sent == ["well", "slow"]
