"""The page of the automation: sentences, forms, and who may do what."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import SyncGroup
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import AccountRetry, AuditEntry, Channel, Schedule, Window

pytestmark = pytest.mark.django_db
PAGE = "/automation/"


def said(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def test_the_watcher_and_healing_are_set_and_audited(admin_client: Client) -> None:
    group = GroupFactory(look_seconds=90)
    assert '<input type="number" name="look_seconds" value="90"' in admin_client.get(PAGE).content.decode()
    values = {"watch": "plan", "look_seconds": 90, "quiet_seconds": 10, "heal": "report"}
    answer = admin_client.post(f"/automation/groups/{group.pk}/watch", values, follow=True)
    assert said(answer) == [f"The automation of {group} was changed."]
    group.refresh_from_db()
    assert (group.watch, group.quiet_seconds, group.heal) == ("plan", 10, "report")
    assert group.look_seconds == 90
    assert AuditEntry.objects.get().details["watch"] == ["off", "plan"]


@pytest.mark.parametrize(
    "values",
    [{"watch": "nonsense"}, {"look_seconds": 0}, {"look_seconds": "x"}, {"quiet_seconds": 10**9}, {"heal": ""}],
)
def test_a_wrong_value_changes_nothing_and_is_named(admin_client: Client, values: dict[str, Any]) -> None:
    group = GroupFactory()
    good = {"watch": "plan", "look_seconds": 240, "quiet_seconds": 300, "heal": "off"}
    answer = admin_client.post(f"/automation/groups/{group.pk}/watch", {**good, **values})
    (form,) = (each["watch"] for each in answer.context["groups"])
    assert list(form.errors) == list(values)
    assert form["watch"].value() == values.get("watch", "plan"), "what was entered stays"
    group.refresh_from_db()
    assert group.watch == "off"


def test_a_schedule_is_added_without_cron_switched_off_and_removed(admin_client: Client) -> None:
    group = GroupFactory(time_zone="America/Sao_Paulo")
    form = {"kind": "drift", "repeat": "day", "time": "03:00", "cron": "", "grace": 60}
    answer = admin_client.post(f"/automation/groups/{group.pk}/schedules", form, follow=True)
    schedule = Schedule.objects.get()
    assert (schedule.cron, schedule.zone) == ("0 3 * * *", "America/Sao_Paulo")
    assert schedule.next_at is not None
    assert "<strong>Every day at 03:00</strong> (Sao Paulo): Check for drift" in answer.content.decode()
    admin_client.post(f"/automation/schedules/{schedule.pk}/switch", {"enabled": "no"})
    schedule.refresh_from_db()
    assert (schedule.enabled, schedule.next_at) == (False, None)
    admin_client.post(f"/automation/schedules/{schedule.pk}/remove")
    assert not Schedule.objects.exists()


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"repeat": "cron", "cron": "99 * * * *"}, "__all__"),
        ({"time_zone": "Mars/Olympus"}, "__all__"),
        ({"time": "25:00"}, "time"),
        ({"grace": -1}, "grace"),
        ({"repeat": "never"}, "repeat"),
        ({"kind": "drop"}, "kind"),
    ],
)
def test_what_is_no_schedule_is_refused_where_it_was_entered(
    admin_client: Client, values: dict[str, Any], wrong: str
) -> None:
    group = GroupFactory()
    kept = Schedule.objects.create(group=group, kind="plan", cron="0 4 * * *")
    form = {"kind": "drift", "repeat": "day", "time": "03:00", "cron": "", "grace": 60} | values
    answer = admin_client.post(f"/automation/groups/{group.pk}/schedules", form)
    rejected = answer.context["groups"][0]["add_schedule"]
    assert list(rejected.errors) == [wrong]
    assert rejected["cron"].value() == form["cron"], "what was entered stays"
    answer = admin_client.post(f"/automation/schedules/{kept.pk}", form)
    assert list(answer.context["groups"][0]["schedules"][0][1].errors) == [wrong]
    assert Schedule.objects.get().cron == "0 4 * * *"


def test_a_schedule_is_changed_in_its_sentence(admin_client: Client) -> None:
    group = GroupFactory(time_zone="America/Sao_Paulo")
    schedule = Schedule.objects.create(group=group, kind="drift", cron="30 4 * * 1-5")
    (shown,) = admin_client.get(PAGE).context["groups"][0]["schedules"]
    assert (shown[1]["repeat"].value(), shown[1]["time"].value()) == ("workdays", "04:30")
    form = {"kind": "plan", "repeat": "1", "time": "22:15", "cron": "", "time_zone": "Asia/Tokyo", "grace": 5}
    answer = admin_client.post(f"/automation/schedules/{schedule.pk}", form, follow=True)
    schedule.refresh_from_db()
    assert (schedule.kind, schedule.cron, schedule.zone, schedule.grace) == ("plan", "15 22 * * 1", "Asia/Tokyo", 5)
    assert schedule.next_at is not None
    assert schedule.next_at.astimezone(ZoneInfo("Asia/Tokyo")).strftime("%a %H:%M") == "Mon 22:15"
    text = answer.content.decode()
    assert "(Tokyo): Plan" in text
    assert text.count(" 22:15 ") + text.count(" 22:15<") == 3, "the next times are those of its own zone"


@pytest.mark.parametrize(
    "cron", ["0 3 * * *", "5 * * * *", "0 18 * * 5", "59 23 * * 1-5", "*/5 1-3 1 * *", "00 03 * * *"]
)
def test_the_form_of_a_schedule_that_is_not_edited_changes_nothing(admin_client: Client, cron: str) -> None:
    schedule = Schedule.objects.create(group=GroupFactory(), kind="drift", cron=cron, grace=7)
    (shown,) = admin_client.get(PAGE).context["groups"][0]["schedules"]
    form = {name: shown[1][name].value() for name in shown[1].fields}
    admin_client.post(f"/automation/schedules/{schedule.pk}", form)
    schedule.refresh_from_db()
    assert (schedule.kind, schedule.cron, schedule.time_zone, schedule.grace) == ("drift", cron, "", 7)
    assert not AuditEntry.objects.exists()


def test_a_freeze_is_added_shown_and_removed(admin_client: Client) -> None:
    group = GroupFactory()
    form = {"kind": "deny", "repeat": "5", "time": "18:00", "cron": "", "hours": "62"}
    answer = admin_client.post(f"/automation/groups/{group.pk}/windows", form, follow=True)
    window = Window.objects.get()
    assert (window.cron, window.minutes) == ("0 18 * * 5", 3720)
    assert "Every week at 18:00: Friday</strong> (UTC), 62 hours: Freeze" in answer.content.decode()
    admin_client.post(f"/automation/windows/{window.pk}", {**form, "time": "19:00", "hours": "1.5"})
    window.refresh_from_db()
    assert (window.cron, window.minutes) == ("0 19 * * 5", 90)
    admin_client.post(f"/automation/windows/{window.pk}/remove")
    assert not Window.objects.exists()


def test_pauses_retries_and_channels_are_shown_and_a_pause_is_ended(admin_client: Client) -> None:
    north = AccountFactory(name="North", paused=True, pause_reason="moves house")
    AccountRetry.objects.create(account=north, due_at=timezone.now() + timedelta(minutes=5), failures=2)
    Channel.objects.create(name="Chat", kind="slack", address="x", failure="The service is in trouble.")
    text = admin_client.get(PAGE).content.decode()
    for part in ("moves house", "failed 2 times in a row", "The service is in trouble."):
        assert part in text
    admin_client.post("/automation/resume", {"account": north.pk})
    north.refresh_from_db()
    assert not north.paused
    for nobody in ({}, {"account": "x"}, {"group": "9" * 30}, {"account": "999"}):
        assert admin_client.post("/automation/resume", nobody).status_code == 404


@pytest.mark.parametrize("values", [{"kind": "allow", "repeat": "day"}, {"hours": "0"}, {"hours": "nan"}, {"time": ""}])
def test_a_window_that_is_none_or_would_never_open_is_refused(admin_client: Client, values: dict[str, Any]) -> None:
    group = GroupFactory()
    Window.objects.create(group=group, kind="deny", cron="0 * * * *", minutes=60)
    form = {"kind": "deny", "repeat": "5", "time": "18:00", "cron": "", "hours": "62"} | values
    answer = admin_client.post(f"/automation/groups/{group.pk}/windows", form)
    assert answer.context["groups"][0]["add_window"].errors
    assert Window.objects.count() == 1


def test_a_group_is_paused_with_a_reason(admin_client: Client) -> None:
    group = GroupFactory()
    answer = admin_client.post(f"/automation/groups/{group.pk}/pause", {"hours": "0", "reason": ""})
    assert set(answer.context["groups"][0]["pause"].errors) == {"hours", "reason"}
    admin_client.post(f"/automation/groups/{group.pk}/pause", {"hours": "2", "reason": "stocktaking"})
    group.refresh_from_db()
    assert (group.paused, group.pause_reason) == (True, "stocktaking")
    assert "stocktaking" in admin_client.get(PAGE).content.decode()


def test_who_may_only_look_has_no_forms_and_is_refused(client: Client) -> None:
    group = GroupFactory()
    viewer = User.objects.create_user("viewer", password="x", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_syncgroup"))
    client.force_login(viewer)
    text = client.get(PAGE).content.decode()
    assert "/automation/groups" not in text
    assert client.post(f"/automation/groups/{group.pk}/watch", {}).status_code == 403
    assert client.post("/automation/schedules/1/remove").status_code == 403
    client.force_login(User.objects.create_user("nobody", password="x", is_staff=True))
    assert client.get(PAGE).status_code == 403


def test_the_number_of_queries_does_not_depend_on_the_number_of_groups(
    admin_client: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        group = GroupFactory(name=f"Group {number}")
        Schedule.objects.create(group=group, kind="drift", cron="0 3 * * *")
        Window.objects.create(group=group, kind="deny", cron="0 18 * * 5", minutes=60)
        AccountFactory(group=group, subdomain=f"paused{number}", paused=True)
    with django_assert_max_num_queries(12):
        admin_client.get(PAGE)


def test_who_has_no_group_yet_finds_the_button_that_helps(admin_client: Client) -> None:
    SyncGroup.objects.all().delete()
    assert reverse("admin:accounts_account_import") in admin_client.get(reverse("syncing:automation")).content.decode()
