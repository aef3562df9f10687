"""The list of messages: what was sent, waits and failed, why, and the buttons that send again and try a channel."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags

from accounts.tests.factories import GroupFactory
from syncing.models import AuditEntry, Channel, Message
from syncing.notifications import delivery
from syncing.tests.notifications.channels import new_channel, new_message

pytestmark = pytest.mark.django_db

PAGE = reverse("syncing:messages")
REASON = "The service is in trouble."


@pytest.fixture
def ops() -> Channel:
    """A channel with a message that was sent, one that is tried later, and one that was given up yesterday."""
    ops, now = new_channel(name="Ops"), timezone.now()
    new_message(ops, title="sent", sent_at=now, attempts=3)
    new_message(ops, title="waits", due_at=now + timedelta(hours=1), attempts=2, failure="Too slow.")
    given_up = new_message(ops, title="given up", attempts=5, failure=REASON)
    Message.objects.filter(pk=given_up.pk).update(created_at=now - timedelta(days=2))
    return ops


def shown(client: Client, **asked: str) -> list[str]:
    return [row["message"].title for row in client.get(PAGE, asked).context["rows"]]


def said(client: Client, **asked: str) -> dict[str, str]:
    return {row["message"].title: strip_tags(row["sentence"]) for row in client.get(PAGE, asked).context["rows"]}


def again(client: Client, channel: Channel, **form: Any) -> list[str]:
    answer = client.post(reverse("syncing:send_again", args=[channel.pk]), {"back": PAGE, **form}, follow=True)
    return [str(each) for each in answer.context["messages"]]


def try_it(client: Client, channel: Channel) -> list[str]:
    answer = client.post(reverse("syncing:try_channel", args=[channel.pk]), follow=True)
    return [str(each) for each in answer.context["messages"]]


def test_messages_are_found_by_what_is_in_the_address(admin_client: Client, ops: Channel) -> None:
    boss, group = new_channel(name="Boss"), GroupFactory()
    new_message(boss, title="report", event="weekly_report", group=group, due_at=timezone.now())
    new_message(boss, title="test", event="", sent_at=timezone.now())
    assert shown(admin_client) == ["test", "report", "given up", "waits", "sent"]
    assert shown(admin_client, sort="oldest")[0] == "sent"
    assert shown(admin_client, state="failed") == ["given up"]
    assert shown(admin_client, state="waits", channel=str(ops.pk)) == ["waits"]
    assert shown(admin_client, event="weekly_report") == shown(admin_client, group=str(group.pk)) == ["report"]
    assert shown(admin_client, event="test") == ["test"]
    assert shown(admin_client, q="trouble") == ["given up"]
    assert shown(admin_client, q="boss", since=timezone.localdate().isoformat()) == ["test", "report"]
    assert shown(admin_client, until=(timezone.localdate() - timedelta(days=1)).isoformat()) == ["given up"]


def test_each_state_is_counted_whichever_is_looked_for(admin_client: Client, ops: Channel) -> None:
    counts = admin_client.get(PAGE, {"state": "sent"}).context["counts"]
    assert [(each.state, each.count) for each in counts] == [("failed", 1), ("waits", 1), ("sent", 1)]


def test_each_message_says_what_became_of_it(admin_client: Client, ops: Channel) -> None:
    new_message(ops, title="new", due_at=timezone.now())
    new_message(ops, title="at work", due_at=timezone.now() + timedelta(seconds=45), attempts=1)
    new_message(ops, title="behind", due_at=timezone.now() + timedelta(hours=1))
    new_message(new_channel(name="Off", enabled=False), title="off", due_at=timezone.now())
    sentences = said(admin_client)
    assert sentences["given up"] == REASON
    assert sentences["waits"].startswith("Too slow. Next attempt: ")
    assert sentences["sent"].endswith(", after 3 attempts")
    assert sentences["new"] == "The workers will send it at once."
    assert sentences["at work"] == "It is sent now."
    assert sentences["behind"].startswith("It waits until its channel is tried again, ")
    assert sentences["off"].startswith("Its channel is switched off")


def test_what_was_given_up_is_sent_again(admin_client: Client, ops: Channel) -> None:
    given_up = Message.objects.get(title="given up")
    assert again(admin_client, ops, message=given_up.pk) == [
        "1 message was handed to the workers; this list says when it is sent."
    ]
    assert delivery.send_due() == 1
    given_up.refresh_from_db()
    assert given_up.sent_at is not None
    assert [each.subject for each in mail.outbox] == ["given up"]
    assert AuditEntry.objects.get(action="channel").details == {"channel": "Ops", "sent_again": 1}


def test_all_of_a_channel_that_were_not_sent_are_sent_again(admin_client: Client, ops: Channel) -> None:
    other = new_message(new_channel(name="Boss"), title="of another", failure=REASON)
    again(admin_client, ops)
    assert delivery.send_due() == 2
    assert sorted(each.subject for each in mail.outbox) == ["given up", "waits"]
    other.refresh_from_db()
    assert other.due_at is None


@pytest.mark.parametrize(
    "facts",
    [
        {"sent_at": "2026-05-05T12:00Z"},
        {"due_at": timezone.now() + timedelta(hours=1), "attempts": 1},  # at work
        {"event": "", "failure": REASON},  # a test is made anew, by the button that tries the channel
    ],
)
def test_what_was_sent_is_being_sent_or_only_tried_is_not_sent_again(
    admin_client: Client, facts: dict[str, Any]
) -> None:
    channel = new_channel(name="Ops")
    message = new_message(channel, **facts)
    assert "There is nothing to send again" in again(admin_client, channel, message=message.pk)[0]
    before = Message.objects.filter(pk=message.pk).values().get()
    assert delivery.send_due() == 0
    assert Message.objects.filter(pk=message.pk).values().get() == before
    assert not AuditEntry.objects.exists()


def test_a_channel_that_is_switched_off_is_sent_nothing(admin_client: Client, ops: Channel) -> None:
    Channel.objects.update(enabled=False)
    assert "its channel is switched off" in again(admin_client, ops)[0]
    assert "Send again" not in admin_client.get(PAGE).content.decode()


def test_a_channel_is_tried_from_its_messages(admin_client: Client, ops: Channel) -> None:
    assert try_it(admin_client, ops) == ["Ops: the test message was sent."]
    assert [each.to for each in mail.outbox] == [["ops@franchise.example"]]
    broken = new_channel("slack://s3cr3t", name="Chat")
    assert try_it(admin_client, broken) == [
        "Chat: The address is not complete, or not of this service. See docs/messages.md."
    ]
    html = admin_client.get(PAGE, {"channel": broken.pk}).content.decode()
    assert "The last message could not be sent: The address is not complete" in html
    assert "s3cr3t" not in html


def test_a_form_leads_back_to_the_list_as_it_was_and_nowhere_else(admin_client: Client, ops: Channel) -> None:
    url = reverse("syncing:try_channel", args=[ops.pk])
    backs = (f"{PAGE}?state=failed", "https://elsewhere.example/", "//elsewhere.example")
    leads = [admin_client.post(url, {"back": back})["Location"] for back in backs]
    assert leads == [f"{PAGE}?state=failed", PAGE, PAGE]


def test_who_may_only_look_is_offered_no_button(client: Client, ops: Channel) -> None:
    clerk = User.objects.create_user("clerk", is_staff=True)
    client.force_login(clerk)
    assert client.get(PAGE).status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename="view_channel"))
    html = client.get(PAGE, {"channel": ops.pk}).content.decode()
    assert REASON in html
    assert "Send again" not in html
    assert "Try the channel" not in html
    for name in ("send_again", "try_channel"):
        assert client.post(reverse(f"syncing:{name}", args=[ops.pk])).status_code == 403
    assert mail.outbox == []


def test_the_text_of_a_message_is_shown_as_text(admin_client: Client, ops: Channel) -> None:
    new_message(ops, due_at=timezone.now() + timedelta(hours=1), attempts=1, failure="<i>odd</i>")
    new_message(ops, title="<b>bold</b>", text="<script>")
    html = admin_client.get(PAGE).content.decode()
    assert "<b>bold" not in html
    assert "&lt;i&gt;odd&lt;/i&gt; Next attempt: <time " in html
    assert "&lt;script&gt;" in html


def test_many_messages_cost_no_more_queries(
    admin_client: Client, ops: Channel, django_assert_max_num_queries: Any
) -> None:
    for number in range(60):
        new_message(new_channel(), title=f"{number}", group=GroupFactory(name=f"group {number}"))
    with django_assert_max_num_queries(9):
        assert len(shown(admin_client)) == 50
