"""Two tabs, or two people: whoever saves last does not undo unknowingly what the other has changed meanwhile."""

from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from accounts.models import Account, SyncGroup
from syncing.models import ApiKey, Channel, Event, Schedule, Window
from syncing.tests.test_roles import Scene

pytestmark = pytest.mark.django_db
TOLD = "Somebody has changed this to"


class FormReader(HTMLParser):
    """What a browser sends of the form with this id, or with this action."""

    def __init__(self, html: str, which: str) -> None:
        super().__init__()
        self.which, self.inside, self.select = which, False, ""
        self.data: dict[str, list[str]] = {}
        self.texts = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.inside = self.which in (found.get("id"), found.get("action"))
        name = found.get("name", "")
        if not self.inside or "disabled" in found or "-__prefix__-" in name:
            return
        if tag == "select":
            self.select = name
        elif tag == "option" and "selected" in found:
            self.data.setdefault(self.select, []).append(found.get("value", ""))
        elif tag == "textarea":
            self.texts = name
        elif tag == "input" and (found.get("type") not in ("checkbox", "radio", "submit") or "checked" in found):
            self.data.setdefault(name, []).append(found.get("value", ""))

    def handle_data(self, data: str) -> None:
        if self.texts:
            self.data.setdefault(self.texts, []).append(data.removeprefix("\n").removeprefix("\r\n"))
            self.texts = ""

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "form"


def opened(client: Client, url: str, form: str) -> dict[str, list[str]]:
    return FormReader(client.get(url).content.decode(), form).data


def text(answer: Any) -> str:
    return str(answer.content.decode())


def pages() -> list[tuple[str, str, Any, str, str]]:
    """The forms of the admin: the address, the row, a field, and what somebody else stores in it."""
    scene = Scene()
    ana = User.objects.create_user("ana", is_staff=True, last_name="Before")
    role = Group.objects.create(name="Night")
    Channel.objects.update(events=[Event.RUN_FAILED])
    rows = [
        *(("account", scene.north, "name"), ("account", scene.cast["west"], "contact_email")),
        *(("syncgroup", scene.group, "max_deletes"), ("integration", scene.integration, "redirect_uri")),
        *(("schedule", scene.schedule, "grace"), ("window", scene.window, "minutes")),
        *(("channel", scene.channel, "name"), ("user", ana, "last_name"), ("group", role, "name")),
    ]
    theirs = {"contact_email": "b@example.com", "redirect_uri": "https://other.example.com/oauth/callback"}
    theirs |= {"max_deletes": "7", "grace": "7", "minutes": "7"}
    return [
        (
            reverse(f"admin:{row._meta.label_lower.replace('.', '_')}_change", args=[row.pk]),
            row,
            field,
            f"{kind}_form",
            theirs.get(field, "Theirs"),
        )
        for kind, row, field in rows
    ]


def test_no_form_of_the_admin_overwrites_what_somebody_else_changed(admin_client: Client) -> None:
    for url, row, field, form, theirs in pages():
        mine = opened(admin_client, url, form)
        model, before = type(row), getattr(row, field)
        other = opened(admin_client, url, form) | {field: [theirs]}
        assert admin_client.post(url, other).status_code == 302, url

        answer = admin_client.post(url, mine)

        assert answer.status_code == 200, url
        assert text(answer).count(TOLD) == 1, url
        assert theirs in text(answer)
        assert str(getattr(model.objects.get(pk=row.pk), field)) == theirs
        again = FormReader(text(answer), form).data
        assert again[field] == mine[field]  # what was entered
        assert admin_client.post(url, again).status_code == 302, url
        assert getattr(model.objects.get(pk=row.pk), field) == before


def test_who_changes_to_the_same_is_not_stopped(admin_client: Client) -> None:
    for url, row, field, form, theirs in pages()[:3]:
        mine = opened(admin_client, url, form)
        admin_client.post(url, mine | {field: [theirs]})
        assert admin_client.post(url, mine | {field: [theirs]}).status_code == 302, row


def test_choices_are_told_in_their_words(admin_client: Client) -> None:
    group = Scene().group
    url = reverse("admin:accounts_syncgroup_change", args=[group.pk])
    mine = opened(admin_client, url, "syncgroup_form")
    SyncGroup.objects.filter(pk=group.pk).update(unmatched_fields="delete_all", requires_approval=True)
    answer = text(admin_client.post(url, mine))
    assert "“⚠ Delete them, whoever made them”" in answer
    assert "“yes”" in answer


def test_several_values_are_told_by_name(admin_client: Client) -> None:
    ana, role = User.objects.create_user("ana"), Group.objects.create(name="Night")
    url = reverse("admin:auth_user_change", args=[ana.pk])
    mine = opened(admin_client, url, "user_form")
    ana.groups.add(role)
    answer = admin_client.post(url, mine)
    assert "“Night”" in text(answer)
    assert list(ana.groups.all()) == [role]


@pytest.mark.parametrize("sent", ["", "x", "name:", ",,:", "nothing:123", "max_deletes:0,max_deletes:1"])
def test_nonsense_about_what_was_open_stops_nobody_and_fails_nowhere(admin_client: Client, sent: str) -> None:
    group = Scene().group
    url = reverse("admin:accounts_syncgroup_change", args=[group.pk])
    mine = opened(admin_client, url, "syncgroup_form") | {"as_opened": [sent]}
    assert admin_client.post(url, mine).status_code == 302


def test_the_page_of_the_automation_overwrites_nothing_either(admin_client: Client) -> None:
    scene = Scene()
    watch = reverse("syncing:automation_watch", args=[scene.group.pk])
    schedule = reverse("syncing:automation_change_schedule", args=[scene.schedule.pk])
    window = reverse("syncing:automation_change_window", args=[scene.window.pk])
    before = {url: opened(admin_client, "/automation/", url) for url in (watch, schedule, window)}
    SyncGroup.objects.filter(pk=scene.group.pk).update(watch="report")
    Schedule.objects.filter(pk=scene.schedule.pk).update(kind="plan")
    Window.objects.filter(pk=scene.window.pk).update(minutes=600)

    for url, mine in before.items():
        answer = admin_client.post(url, mine)
        assert answer.status_code == 200, url
        assert text(answer).count(TOLD) == 1, url
        again = FormReader(text(answer), url).data
        assert admin_client.post(url, again).status_code == 302

    assert SyncGroup.objects.get(pk=scene.group.pk).watch == "off"
    assert (Schedule.objects.get().kind, Window.objects.get().minutes) == ("drift", 60)


def test_a_form_that_only_adds_knows_nothing_of_it(admin_client: Client) -> None:
    url = reverse("admin:syncing_apikey_add")
    assert "as_opened" not in text(admin_client.get(url))
    assert not ApiKey.objects.exists()
    assert not Account.objects.exists()
