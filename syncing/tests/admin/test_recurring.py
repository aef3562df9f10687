"""Schedules and windows as lists under Data, and what a freeze does to the page that starts a sync."""

from datetime import UTC, datetime

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.urls import reverse

from accounts.models import SyncGroup
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import AuditEntry, Schedule, SyncRun, Window
from syncing.services import schedules
from syncing.services.actors import COMMAND
from syncing.tests.admin.test_audit import form_of
from syncing.tests.factories import RunFactory

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 5, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _now() -> object:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def group() -> SyncGroup:
    return GroupFactory(time_zone="America/Sao_Paulo")


@pytest.fixture
def viewer(client):
    """A client that may see groups, and nothing else."""
    user = User.objects.create_user("viewer", password="-", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_syncgroup"))
    client.force_login(user)
    return client


def page_of(group: SyncGroup) -> str:
    return reverse("admin:accounts_syncgroup_change", args=[group.pk])


def schedule(group: SyncGroup, **facts: object) -> Schedule:
    return schedules.add(Schedule(**{"group": group, "kind": "drift", "cron": "0 3 * * *", **facts}), by=COMMAND)


def errors_of(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def test_with_another_zone_of_the_group_the_next_times_move(admin_client, group) -> None:
    made = schedule(group)
    admin_client.post(page_of(group), form_of(group) | {"time_zone": "America/New_York"})
    made.refresh_from_db()
    assert made.next_at == datetime(2026, 5, 6, 7, tzinfo=UTC)


def test_who_may_only_see_groups_sees_them_and_changes_nothing(viewer, group) -> None:
    made = schedule(group)
    lists = [reverse("admin:syncing_schedule_changelist"), reverse("admin:syncing_window_changelist")]
    assert [viewer.get(url).status_code for url in lists] == [200, 200]
    assert viewer.get(reverse("admin:syncing_schedule_add")).status_code == 403
    assert viewer.post(reverse("admin:syncing_schedule_delete", args=[made.pk]), {"post": "yes"}).status_code == 403


def test_who_may_see_no_group_sees_none_of_them(client) -> None:
    client.force_login(User.objects.create_user("nobody", is_staff=True))
    assert client.get(reverse("admin:syncing_schedule_changelist")).status_code == 403


# -- lists of their own --


def test_schedules_are_searched_and_filtered(admin_client, group) -> None:
    schedule(group)
    schedule(GroupFactory(name="Others"), kind="plan", cron="7 7 * * *")
    url = reverse("admin:syncing_schedule_changelist")
    for query, count in (
        ("q=Others", 1),
        ("q=7+7", 1),
        ("q=nothing", 0),
        ("kind__exact=drift", 1),
        ("enabled__exact=1", 2),
    ):
        assert admin_client.get(f"{url}?{query}").context["cl"].result_count == count


def test_a_schedule_is_added_changed_and_deleted_through_the_services(admin_client, group) -> None:
    sent = {"group": group.pk, "kind": "drift", "cron": "0 3 * * *", "time_zone": "", "grace": 60, "enabled": "on"}
    assert admin_client.post(reverse("admin:syncing_schedule_add"), sent).status_code == 302
    made = Schedule.objects.get()
    assert made.next_at == datetime(2026, 5, 6, 6, tzinfo=UTC)

    url = reverse("admin:syncing_schedule_change", args=[made.pk])
    assert admin_client.get(url).status_code == 200
    other = GroupFactory(name="Others")
    assert admin_client.post(url, {**sent, "group": other.pk, "enabled": ""}).status_code == 302
    made.refresh_from_db()
    assert (made.group, made.enabled, made.next_at) == (group, False, None)

    Schedule.objects.update(run=RunFactory(group=group), problem="It was missed.", enabled=True)
    url = reverse("admin:syncing_schedule_changelist")
    html = admin_client.get(url).content.decode()
    for text in (
        "6 May 2026, 03:00 -03",
        "7 May 2026, 03:00 -03",
        f"#{SyncRun.objects.get().pk}</a>",
        "It was missed.",
    ):
        assert text in html
    data = {"action": "delete_selected", "_selected_action": [made.pk], "post": "yes"}
    admin_client.post(url, data)
    assert not Schedule.objects.exists()
    details = [entry.details for entry in AuditEntry.objects.filter(action="automation").order_by("pk")]
    assert [list(each)[1] for each in details] == ["added", "enabled", "removed"]


def test_a_window_is_added_and_changed_through_the_services(admin_client, group) -> None:
    sent = {"group": group.pk, "kind": "deny", "cron": "0 3 * * *", "minutes": 60, "time_zone": ""}
    add = reverse("admin:syncing_window_add")
    assert "is not a cron expression" in errors_of(admin_client.post(add, {**sent, "cron": "x"}))
    assert "This field is required" in errors_of(admin_client.post(add, {**sent, "group": ""}))
    assert admin_client.post(add, sent).status_code == 302
    url = reverse("admin:syncing_window_change", args=[Window.objects.get().pk])
    assert admin_client.post(url, {**sent, "minutes": 90}).status_code == 302
    assert Window.objects.get().minutes == 90
    hidden = {**sent, "kind": "allow", "minutes": 30}
    assert "would never open" in errors_of(admin_client.post(add, hidden))


def test_what_was_put_into_a_row_by_hand_breaks_no_page(admin_client, group) -> None:
    made = schedule(group)
    Schedule.objects.filter(pk=made.pk).update(cron="by hand", time_zone="../zone")
    urls = ["/automation/", reverse("admin:syncing_schedule_changelist")]
    assert [admin_client.get(url).status_code for url in urls] == [200, 200]


# -- starting in spite of a freeze --


def test_the_page_that_starts_a_sync_says_that_the_group_is_frozen_and_takes_a_reason(admin_client, group) -> None:
    AccountFactory.cast(group)
    Window.objects.create(group=group, kind="deny", cron="0 8 * * *", minutes=120)
    url = reverse("syncing:start", args=[group.pk, "apply"])
    assert "frozen until 5 May 2026, 10:00 (America/Sao_Paulo)" in admin_client.get(url).content.decode()

    answer = admin_client.post(url, {"type": "full"}, follow=True)
    assert "is frozen until" in answer.content.decode()
    assert not SyncRun.objects.exists()

    admin_client.post(url, {"type": "full", "force_reason": "production is down"})
    run = SyncRun.objects.get()
    assert (run.forced, run.force_reason) == (True, "production is down")


def test_a_reason_does_not_help_who_may_not_override_limits(viewer, group) -> None:
    AccountFactory.cast(group)
    Window.objects.create(group=group, kind="deny", cron="0 8 * * *", minutes=120)
    user = User.objects.get(username="viewer")
    user.user_permissions.add(Permission.objects.get(codename="start_sync"))
    url = reverse("syncing:start", args=[group.pk, "apply"])
    assert "force_reason" not in viewer.get(url).content.decode()
    assert viewer.post(url, {"type": "full", "force_reason": "me"}).status_code == 403
    assert not SyncRun.objects.exists()
