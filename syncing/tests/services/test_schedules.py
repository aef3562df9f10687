"""Schedules as people add, change and remove them."""

from datetime import UTC, datetime

import pytest
import time_machine
from django.contrib.auth.models import User

from accounts.actors import Actor
from accounts.models import SyncGroup
from accounts.refusals import Refusal
from accounts.tests.factories import GroupFactory
from syncing.models import AuditEntry, Schedule
from syncing.services import schedules
from syncing.services.actors import COMMAND
from syncing.services.policy import set_policy

NOW = datetime(2026, 5, 5, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _now() -> object:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def group(db: None) -> SyncGroup:
    return GroupFactory(time_zone="America/Sao_Paulo")


def unsaved(group: SyncGroup, **facts: object) -> Schedule:
    return Schedule(**{"group": group, "kind": "drift", "cron": "0 3 * * *", **facts})


def noted() -> list[dict[str, object]]:
    return list(AuditEntry.objects.filter(action="automation").order_by("pk").values_list("details", flat=True))


@pytest.mark.parametrize(
    ("facts", "code", "sentence"),
    [
        (
            {"cron": "0 3 * *"},
            "bad_cron",
            "cron: 0 3 * * is not a cron expression. It has five parts, as in 0 3 * * *.",
        ),
        ({"cron": "0 25 * * *"}, "bad_cron", "cron: 0 25 * * * is not a cron expression (Bad hour)."),
        ({"cron": "0 0 30 2 *"}, "bad_cron", "cron: 0 0 30 2 * is not a cron expression (Bad day-of-month)."),
        ({"cron": ""}, "bad_cron", "cron: This field cannot be blank."),
        ({"cron": "0 3 * * " + "1," * 60 + "1"}, "bad_cron", "cron: Ensure this value has at most 100 characters"),
        ({"time_zone": "America/Sao_Paolo"}, "bad_time_zone", "time_zone: America/Sao_Paolo is not a time zone."),
        ({"time_zone": "../../etc/passwd"}, "bad_time_zone", "time_zone: ../../etc/passwd is not a time zone."),
        ({"kind": "sync"}, "bad_kind", "kind: sync is none of drift, plan, apply."),
        ({"grace": -1}, "bad_grace", "grace: Ensure this value is greater than or equal to 0."),
        ({"grace": 10**30}, "bad_grace", "grace: Ensure this value is less than or equal to 10080."),
        ({"kind": "x", "time_zone": "y"}, "bad_time_zone", "kind: x is none of drift"),
        ({"kind": ""}, "bad_kind", "kind: This field cannot be blank."),
    ],
)
def test_a_wrong_value_is_named_and_nothing_is_stored(
    group: SyncGroup, facts: dict[str, object], code: str, sentence: str
) -> None:
    with pytest.raises(Refusal) as refused:
        schedules.add(unsaved(group, **facts), by=COMMAND)
    assert refused.value.code == code
    assert sentence in str(refused.value)
    assert (Schedule.objects.count(), noted()) == (0, [])


def test_its_next_time_is_in_its_own_zone_else_in_that_of_the_group(group: SyncGroup) -> None:
    assert schedules.add(unsaved(group), by=COMMAND).next_at == datetime(2026, 5, 6, 6, tzinfo=UTC)
    lisbon = schedules.add(unsaved(group, time_zone="Europe/Lisbon"), by=COMMAND)
    assert lisbon.next_at == datetime(2026, 5, 6, 2, tzinfo=UTC)


def test_another_time_counts_from_now(group: SyncGroup) -> None:
    schedule = schedules.add(unsaved(group), by=COMMAND)
    Schedule.objects.update(problem="It was missed.")
    schedule.cron = "0 10 * * *"
    schedules.change(schedule, ["cron"], by=COMMAND)
    stored = Schedule.objects.get()
    assert (stored.next_at, stored.problem) == (datetime(2026, 5, 5, 13, tzinfo=UTC), "")
    assert noted()[-1] == {"schedule": schedule.pk, "cron": ["0 3 * * *", "0 10 * * *"]}


def test_switched_off_it_has_no_next_time_and_switched_on_again_it_starts_anew(group: SyncGroup) -> None:
    schedule = schedules.add(unsaved(group), by=COMMAND)
    for enabled, next_at in ((False, None), (True, datetime(2026, 5, 6, 6, tzinfo=UTC))):
        schedule.enabled = enabled
        schedules.change(schedule, ["enabled"], by=COMMAND)
        assert Schedule.objects.get().next_at == next_at


def test_a_change_of_something_else_does_not_bring_a_time_back_that_a_worker_has_settled(group: SyncGroup) -> None:
    schedule = schedules.add(unsaved(group), by=COMMAND)
    settled = datetime(2026, 5, 7, 6, tzinfo=UTC)
    Schedule.objects.update(next_at=settled)
    schedule.grace = 5
    schedules.change(schedule, ["grace"], by=COMMAND)
    assert (Schedule.objects.get().next_at, Schedule.objects.get().grace) == (settled, 5)


def test_a_wrong_change_is_refused_and_not_stored(group: SyncGroup) -> None:
    schedule = schedules.add(unsaved(group), by=COMMAND)
    schedule.cron = "never"
    with pytest.raises(Refusal):
        schedules.change(schedule, ["cron"], by=COMMAND)
    assert Schedule.objects.get().cron == "0 3 * * *"


def test_with_another_zone_of_the_group_the_times_of_its_schedules_move(group: SyncGroup) -> None:
    moves, own, off = (
        schedules.add(unsaved(group, **facts), by=COMMAND)
        for facts in ({}, {"time_zone": "Europe/Lisbon"}, {"enabled": False})
    )
    set_policy(group, {"time_zone": "America/New_York"}, COMMAND)
    times = [Schedule.objects.get(pk=each.pk).next_at for each in (moves, own, off)]
    assert times == [datetime(2026, 5, 6, 7, tzinfo=UTC), datetime(2026, 5, 6, 2, tzinfo=UTC), None]


def test_what_is_added_and_removed_is_in_the_audit_with_its_author(group: SyncGroup) -> None:
    schedule = schedules.add(unsaved(group), by=COMMAND)
    number = schedule.pk
    schedules.remove(schedule, by=COMMAND)
    facts = {"kind": "drift", "cron": "0 3 * * *", "time_zone": "", "grace": 60, "enabled": True}
    assert noted() == [{"schedule": number, "added": facts}, {"schedule": number, "removed": facts}]
    entry = AuditEntry.objects.filter(action="automation").first()
    assert (entry.actor, entry.group) == ("command line", "Branches")
    assert not Schedule.objects.exists()


def test_who_may_not_change_the_group_changes_no_schedule(group: SyncGroup) -> None:
    clerk = Actor.of_user(User.objects.create_user("clerk", is_staff=True), "admin")
    schedule = schedules.add(unsaved(group), by=COMMAND)
    for attempt in (
        lambda: schedules.add(unsaved(group), by=clerk),
        lambda: schedules.change(schedule, ["cron"], by=clerk),
        lambda: schedules.remove(schedule, by=clerk),
    ):
        with pytest.raises(Refusal, match=r"clerk may not do this: accounts\.change_syncgroup is missing"):
            attempt()
    assert Schedule.objects.count() == 1
