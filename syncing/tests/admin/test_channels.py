"""Channels in the admin: added, changed and tried by those who may; the address is never shown."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core import mail
from django.test import Client
from django.urls import reverse

from accounts.tests.factories import GroupFactory
from syncing.models import AuditEntry, Channel, Event, Message
from syncing.tests.notifications.channels import new_channel, new_message

pytestmark = pytest.mark.django_db

LIST = reverse("admin:syncing_channel_changelist")
ADD = reverse("admin:syncing_channel_add")
MESSAGES = reverse("admin:syncing_message_changelist")
SECRET = "s3cr3t"
MAIL = "s3cr3t@franchise.example"


def page_of(channel: Channel) -> str:
    return reverse("admin:syncing_channel_change", args=[channel.pk])


def form(**facts: Any) -> dict[str, Any]:
    usual = {"name": "Operations", "group": "", "new_address": MAIL, "events": ["run_failed", "overdue"]}
    return {**usual, "when": "changed", "language": "pt-br", "enabled": "on", **facts}


def client_with(client: Client, *codenames: str) -> Client:
    user = User.objects.create_user("ann", password="-", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    assert user.user_permissions.count() == len(codenames)
    client.force_login(user)
    return client


def said(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def test_a_channel_is_added_and_its_address_is_never_shown_again(admin_client: Client) -> None:
    group = GroupFactory()
    added = admin_client.post(ADD, form(group=group.pk), follow=True)

    channel = Channel.objects.get()
    assert (channel.kind, channel.address, channel.group) == ("email", MAIL, group)
    assert channel.events == ["run_failed", "overdue"]
    pages = [
        added,
        admin_client.get(LIST),
        admin_client.get(page_of(channel)),
        admin_client.get(page_of(channel) + "history/"),
    ]
    assert [SECRET in page.content.decode() for page in pages] == [False] * 4
    assert "A run failed or is incomplete, Something did not happen in time" in pages[1].content.decode()
    details = AuditEntry.objects.get(action="channel").details
    assert SECRET not in str(details)


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"new_address": ""}, "This field is required."),
        ({"new_address": "jsons://s3cr3t@10.0.0.1/"}, "It leads to this machine, or into a private network."),
        ({"new_address": "slack://s3cr3t"}, "The address is not complete, or not of this service."),
        ({"new_address": "file:///s3cr3t"}, "Channels of this kind are not allowed."),
        ({"events": []}, "This field is required."),
        ({"name": "a/b"}, "The name of a channel holds no slash"),
        ({"name": "Taken"}, "Channel with this Name already exists."),
    ],
)
def test_what_is_wrong_stands_at_the_form(admin_client: Client, facts: dict[str, Any], sentence: str) -> None:
    new_channel(name="Taken")
    response = admin_client.post(ADD, form(**facts))
    assert response.status_code == 200
    assert sentence in response.content.decode()
    assert SECRET not in response.content.decode()
    assert Channel.objects.count() == 1


TELEGRAM = {"token": "123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc", "chat": "-1001234"}
SLACK = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
EVOLUTION = {
    "server": "https://evo.example.com:8080/",
    "instance": "my shop",
    "key": "k/1",
    "number": "+55 (11) 9999-9999",
}


def values(**facts: str) -> dict[str, Any]:
    return {**{name: value for name, value in form().items() if name != "new_address"}, **facts}


@pytest.mark.parametrize(
    ("service", "entered", "address"),
    [
        ("email", {"emails": "a@example.com, b@example.com"}, "a@example.com, b@example.com"),
        ("telegram", TELEGRAM, "tgram://123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc/-1001234"),
        (
            "whatsapp",
            {"token": "EAAG123", "sender": "123456789012345", "number": "+55 11 99999-9999"},
            "whatsapp://EAAG123@123456789012345/5511999999999",
        ),
        ("evolution", EVOLUTION, "evolutions://k%2F1@evo.example.com:8080/my%20shop/551199999999"),
        ("json", {"url": "https://hooks.example.com/a/b"}, "jsons://hooks.example.com/a/b"),
        ("other", {"new_address": "ntfys://topic"}, "ntfys://topic"),
    ],
)
def test_a_service_and_its_few_values_make_the_address(
    admin_client: Client, service: str, entered: dict[str, str], address: str
) -> None:
    assert f'href="?service={service}"' in admin_client.get(ADD).content.decode()
    page = admin_client.get(ADD, {"service": service}).content.decode()
    assert all(f'name="{name}"' in page for name in entered)
    assert ('name="new_address"' in page) is (service == "other")

    admin_client.post(f"{ADD}?service={service}", values(**entered))

    channel = Channel.objects.get()
    assert channel.address == address
    assert channel.kind == address.partition("://")[0] if "://" in address else "email"


def test_the_address_of_a_webhook_is_pasted_as_its_service_shows_it(admin_client: Client) -> None:
    admin_client.post(f"{ADD}?service=slack", values(url=SLACK))
    assert Channel.objects.get().kind == "slack"


@pytest.mark.parametrize(
    ("service", "entered", "sentence"),
    [
        ("discord", {"url": SLACK}, "This is not an address of Discord."),
        ("telegram", {**TELEGRAM, "token": "s3cr3t"}, "It does not look like that"),
        ("telegram", {**TELEGRAM, "chat": "x/../y"}, "It does not look like that"),
        ("telegram", {"token": TELEGRAM["token"]}, "This field is required."),
        (
            "evolution",
            {**EVOLUTION, "server": "http://10.0.0.1"},
            "It leads to this machine, or into a private network.",
        ),
        ("json", {"url": "https://hooks.example.com/?redirect=s3cr3t"}, "The address is not usable."),
        ("email", {"emails": "slack://s3cr3t@x/y"}, "It does not look like that"),
    ],
)
def test_values_that_make_no_address_are_refused(
    admin_client: Client, service: str, entered: dict[str, str], sentence: str
) -> None:
    html = admin_client.post(f"{ADD}?service={service}", values(**entered)).content.decode()
    assert sentence in html
    assert TELEGRAM["token"] not in html
    assert SLACK not in html
    assert not Channel.objects.exists()


def test_only_what_is_worrying_is_ticked_at_first(admin_client: Client) -> None:
    html = admin_client.get(ADD, {"service": "email"}).content.decode()
    ticked = {
        event
        for event in Event.values
        if f'value="{event}"' in html and "checked" in html.split(f'value="{event}"')[1][:60]
    }
    assert ticked == set(Event.values) - {"master_changed", "pause_ended", "weekly_report"}


def test_the_readers_language_is_suggested(admin_client: Client) -> None:
    page = admin_client.get(ADD, {"service": "email"}, headers={"accept-language": "pt-br"}).content.decode()
    assert '<option value="pt-br" selected>' in page


def test_services_that_are_not_allowed_are_not_offered(admin_client: Client, settings: Any) -> None:
    settings.NOTIFY_SCHEMES = ["slack"]
    html = admin_client.get(ADD).content.decode()
    assert "?service=slack" in html
    assert "?service=telegram" not in html
    assert "?service=email" in html


def test_the_group_of_the_page_one_came_from_is_kept(admin_client: Client) -> None:
    group = GroupFactory()
    html = admin_client.get(ADD, {"group": group.pk}).content.decode()
    assert f'href="?group={group.pk}&amp;service=email"' in html
    html = admin_client.get(ADD, {"group": group.pk, "service": "email"}).content.decode()
    assert f'<option value="{group.pk}" selected>' in html


def test_an_empty_address_keeps_the_stored_one_and_another_replaces_it(admin_client: Client) -> None:
    channel = new_channel(MAIL, name="Operations", failure="The mail server did not answer in time.")
    admin_client.post(page_of(channel), form(new_address="", events=["run_waits"]))
    channel.refresh_from_db()
    assert (channel.address, channel.events, channel.language) == (MAIL, ["run_waits"], "pt-br")
    assert channel.failure

    admin_client.post(page_of(channel), form(new_address="discord://s3cr3t/s3cr3t", events=["run_waits"]))
    channel.refresh_from_db()
    assert (channel.address, channel.kind, channel.failure) == ("discord://s3cr3t/s3cr3t", "discord", "")


def test_a_test_is_sent_from_the_page_and_from_the_list_with_its_result(admin_client: Client) -> None:
    channel = new_channel(MAIL, name="Operations")
    saved = admin_client.post(page_of(channel), form(new_address="", _test="1"), follow=True)
    assert "Operations: the test message was sent." in said(saved)
    assert len(mail.outbox) == 1

    broken = new_channel("slack://s3cr3t", name="Chat")
    listed = admin_client.post(
        LIST, {"action": "send_tests", "_selected_action": [broken.pk], "select_across": "0"}, follow=True
    )
    assert said(listed) == ["Chat: The address is not complete, or not of this service. See docs/messages.md."]
    html = admin_client.get(LIST).content.decode()
    assert "The address is not complete, or not of this service." in html
    assert SECRET not in html


def test_a_channel_is_deleted_with_its_messages(admin_client: Client) -> None:
    channel = new_channel()
    new_message(channel)
    page = admin_client.get(page_of(channel).replace("change", "delete"))
    assert "permission" not in page.content.decode()
    admin_client.post(page_of(channel).replace("change", "delete"), {"post": "yes"})
    assert (Channel.objects.count(), Message.objects.count()) == (0, 0)
    assert AuditEntry.objects.filter(action="channel").count() == 1


def test_messages_are_found_and_nobody_edits_them(admin_client: Client) -> None:
    ops, boss = new_channel(name="Ops"), new_channel(name="Boss")
    new_message(ops, title="first <b>", sent_at="2026-05-05T12:00Z")
    new_message(ops, title="second", due_at="2026-05-05T12:00Z")
    last = new_message(boss, title="third", failure="The service is in trouble.")
    found = {
        query: [message.title for message in admin_client.get(f"{MESSAGES}?{query}").context["cl"].queryset]
        for query in ("", f"channel__id__exact={ops.pk}", "state=sent", "state=waits", "state=failed", "q=third")
    }
    assert list(found.values()) == [
        ["third", "second", "first <b>"],
        ["second", "first <b>"],
        *(["first <b>"], ["second"], ["third"], ["third"]),
    ]
    page = reverse("admin:syncing_message_change", args=[last.pk])
    assert "The service is in trouble." in admin_client.get(page).content.decode()
    assert admin_client.post(page, {"title": "x"}).status_code == 403
    assert "first &lt;b&gt;" in admin_client.get(MESSAGES).content.decode()
    assert f"{reverse('syncing:messages')}?channel={ops.pk}" in admin_client.get(page_of(ops)).content.decode()


@pytest.mark.parametrize(
    ("codenames", "seen", "added", "changed", "tried"),
    [
        ([], 403, 403, 403, 0),
        (["view_channel"], 200, 403, 403, 0),
        (["view_channel", "add_channel"], 200, 403, 403, 0),
        (["change_channel"], 200, 403, 302, 1),
        (["change_channel", "add_channel"], 200, 302, 302, 1),
    ],
)
def test_permissions_are_obeyed(
    client: Client, codenames: list[str], seen: int, added: int, changed: int, tried: int
) -> None:
    channel = new_channel(name="Ops")
    client_with(client, *codenames)
    assert client.get(LIST).status_code == client.get(page_of(channel)).status_code == seen
    assert client.get(MESSAGES).status_code == seen
    assert client.post(ADD, form()).status_code == added
    assert (
        client.post(page_of(channel), form(name="Ops", new_address="", events=list(Event.values))).status_code
        == changed
    )
    client.post(LIST, {"action": "send_tests", "_selected_action": [channel.pk], "select_across": "0"})
    assert Message.objects.count() == tried
    if seen == 200:
        assert ("_test" in client.get(page_of(channel)).content.decode()) is (changed == 302)


def test_only_some_are_tried_at_a_time(admin_client: Client) -> None:
    ids = [new_channel().pk for _ in range(6)]
    listed = admin_client.post(
        LIST, {"action": "send_tests", "_selected_action": ids, "select_across": "0"}, follow=True
    )
    assert len(mail.outbox) == 5
    assert "Only the first 5 were tried." in said(listed)
