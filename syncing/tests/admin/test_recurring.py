"""Schedules and windows in the admin: on the page of their group, and in lists of their own."""

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


def rows(name: str, *forms: dict[str, object], initial: int = 0) -> dict[str, object]:
    """The rows of an inline as a browser sends them."""
    sent: dict[str, object] = {f"{name}-TOTAL_FORMS": len(forms), f"{name}-INITIAL_FORMS": initial}
    return sent | {f"{name}-{at}-{key}": value for at, form in enumerate(forms) for key, value in form.items()}


def schedule(group: SyncGroup, **facts: object) -> Schedule:
    return schedules.add(Schedule(**{"group": group, "kind": "drift", "cron": "0 3 * * *", **facts}), by=COMMAND)


def errors_of(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


# -- on the page of the group --


def test_the_page_shows_them_with_their_next_three_times_and_what_went_wrong(admin_client, group) -> None:
    run = RunFactory(group=group)
    Schedule.objects.filter(pk=schedule(group).pk).update(run=run, problem="It was missed.")
    Window.objects.create(group=group, kind="deny", cron="0 18 * * 5", minutes=60, time_zone="Europe/Lisbon")
    html = admin_client.get(page_of(group)).content.decode()
    for text in (
        *("2026-05-06 03:00 -03", "2026-05-07 03:00 -03", "2026-05-08 03:00 -03"),
        *("2026-05-08 18:00 WEST", "2026-05-22 18:00 WEST"),
        *(f"#{run.pk}</a>", "It was missed."),
    ):
        assert text in html


def test_they_are_added_and_the_audit_says_who(admin_client, group) -> None:
    sent = form_of(group)
    sent |= rows("schedules", {"kind": "apply", "cron": "0 4 * * *", "time_zone": "", "grace": 30, "enabled": "on"})
    sent |= rows("windows", {"kind": "deny", "cron": "0 18 * * 5", "minutes": 60, "time_zone": ""})
    assert admin_client.post(page_of(group), sent).status_code == 302
    made = Schedule.objects.get()
    assert (made.grace, made.next_at) == (30, datetime(2026, 5, 6, 7, tzinfo=UTC))
    assert Window.objects.get().minutes == 60
    entries = AuditEntry.objects.filter(action="automation").values_list("actor", "via")
    assert list(entries) == [("admin", "admin")] * 2


def test_they_are_changed_and_removed(admin_client, group) -> None:
    changed, gone = schedule(group), schedule(group, kind="plan")
    facts = {"kind": "drift", "time_zone": "", "grace": 60, "enabled": "on"}
    sent = form_of(group) | rows(
        "schedules",
        {"id": changed.pk, **facts, "cron": "0 10 * * *"},
        {"id": gone.pk, **facts, "cron": "0 3 * * *", "DELETE": "on"},
        initial=2,
    )
    assert admin_client.post(page_of(group), sent).status_code == 302
    left = Schedule.objects.get()
    assert (left.pk, left.cron, left.next_at) == (changed.pk, "0 10 * * *", datetime(2026, 5, 5, 13, tzinfo=UTC))


def test_a_form_without_these_rows_changes_none(admin_client, group) -> None:
    schedule(group)
    assert admin_client.post(page_of(group), form_of(group) | {"wave_size": 5}).status_code == 302
    assert (Schedule.objects.count(), SyncGroup.objects.get().wave_size) == (1, 5)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"cron": "0 3 * *"}, "0 3 * * is not a cron expression."),
        ({"cron": "0 0 30 2 *"}, "0 0 30 2 * is not a cron expression"),
        ({"time_zone": "Mars"}, "Mars is not a time zone."),
        ({"minutes": 0}, "greater than or equal to 1"),
        ({"kind": "allow"}, "would never open"),
    ],
)
def test_a_window_that_is_wrong_is_not_stored_nor_anything_else_of_the_form(admin_client, group, row, sentence) -> None:
    usual = {"kind": "deny", "cron": "0 18 * * 5", "minutes": 60, "time_zone": ""}
    always = {"kind": "deny", "cron": "0 * * * *", "minutes": 60, "time_zone": ""}
    sent = form_of(group) | {"wave_size": 5} | rows("windows", always, usual | row)
    assert sentence in errors_of(admin_client.post(page_of(group), sent))
    assert (Window.objects.count(), SyncGroup.objects.get().wave_size) == (0, 0)


def test_with_another_zone_of_the_group_the_next_times_move(admin_client, group) -> None:
    made = schedule(group)
    admin_client.post(page_of(group), form_of(group) | {"time_zone": "America/New_York"})
    made.refresh_from_db()
    assert made.next_at == datetime(2026, 5, 6, 7, tzinfo=UTC)


def test_who_may_only_see_groups_sees_them_and_changes_nothing(viewer, group) -> None:
    made = schedule(group)
    html = viewer.get(page_of(group)).content.decode()
    assert "0 3 * * *" in html
    assert 'name="schedules-0-cron"' not in html
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

    url = reverse("admin:syncing_schedule_changelist")
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
    urls = [page_of(group), reverse("admin:syncing_schedule_changelist")]
    assert [admin_client.get(url).status_code for url in urls] == [200, 200]


# -- starting in spite of a freeze --


def test_the_page_that_starts_a_sync_says_that_the_group_is_frozen_and_takes_a_reason(admin_client, group) -> None:
    AccountFactory.cast(group)
    Window.objects.create(group=group, kind="deny", cron="0 8 * * *", minutes=120)
    url = reverse("syncing:start", args=[group.pk, "apply"])
    assert "frozen until 2026-05-05 10:00 (America/Sao_Paulo)" in admin_client.get(url).content.decode()

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
