"""Windows: until when nothing may be written."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from accounts.models import SyncGroup
from accounts.tests.factories import GroupFactory
from syncing.models import Window
from syncing.windows import NEVER, Opening, end_of_freeze, frozen_until, until_when

NEW_YORK = "America/New_York"


def opening(kind: str, cron: str, minutes: int, zone: str = "UTC") -> Opening:
    return Opening(kind == "deny", cron, zone, timedelta(minutes=minutes))


def deny(cron: str, minutes: int, zone: str = "UTC") -> Opening:
    return opening("deny", cron, minutes, zone)


def allow(cron: str, minutes: int, zone: str = "UTC") -> Opening:
    return opening("allow", cron, minutes, zone)


def end(openings: list[Opening], text: str, zone: str = "UTC", fold: int = 0) -> str | None:
    """The end of the freeze at a moment, both as a clock on the wall of the zone shows them."""
    moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    found = end_of_freeze(openings, moment)
    if found == NEVER:
        return "never"
    return f"{found.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}" if found else None


WEEKEND = deny("0 18 * * 5", 62 * 60)  # Friday 18:00 to Monday 08:00


@pytest.mark.parametrize(
    ("moment", "until"),
    [
        ("2026-12-04 17:59:59.999999", None),
        ("2026-12-04 18:00:00", "2026-12-07 08:00"),
        ("2026-12-05 12:34:56", "2026-12-07 08:00"),
        ("2026-12-07 07:59:59.999999", "2026-12-07 08:00"),
        ("2026-12-07 08:00:00", None),
    ],
)
def test_a_deny_window_freezes_from_its_time_to_its_end(moment: str, until: str | None) -> None:
    assert end([WEEKEND], moment) == until


def test_outside_all_allowed_windows_everything_is_frozen_until_the_next_one_opens() -> None:
    night, noon = allow("0 2 * * *", 120), allow("0 12 * * 1-5", 60)
    assert end([night, noon], "2026-12-04 03:30") is None
    assert end([night, noon], "2026-12-04 04:00") == "2026-12-04 12:00"
    assert end([night, noon], "2026-12-04 12:30") is None
    assert end([night, noon], "2026-12-04 13:00") == "2026-12-05 02:00"


def test_deny_wins_over_allow_and_the_time_told_is_when_both_let_it() -> None:
    night = allow("0 2 * * *", 120)
    assert end([night, WEEKEND], "2026-12-05 02:30") == "2026-12-08 02:00"  # Monday 08:00 is not allowed either
    assert end([night, deny("0 1 * * *", 90)], "2026-12-05 00:30") == "2026-12-05 02:30"
    assert end([night, deny("0 1 * * *", 90)], "2026-12-05 02:30") is None


def test_windows_that_overlap_or_touch_are_one() -> None:
    chain = [deny("0 16 * * *", 60), deny("0 17 * * *", 60), deny("30 17 * * *", 120), deny("0 21 * * *", 60)]
    assert end(chain, "2026-12-04 16:10") == "2026-12-04 19:30"
    assert end([deny("0 8-17 * * *", 60)], "2026-12-04 08:00") == "2026-12-04 18:00"
    assert end([deny("* * 1-5 12 *", 1)], "2026-12-04 08:00") == "2026-12-06 00:00"
    assert end([deny("0 0 * * 6,0", 1440)], "2026-12-05 08:00") == "2026-12-07 00:00"


@pytest.mark.parametrize(
    "openings",
    [
        [deny("0 * * * *", 60)],
        [deny("0 0 * * *", 1440)],
        [allow("0 2 * * *", 60), deny("0 2 * * *", 120)],
        [allow("0 0 1 3 *", 60), deny("0 0 1 1 *", 52 * 7 * 24 * 60)],
    ],
)
def test_windows_that_leave_no_gap_have_no_end(openings: list[Opening]) -> None:
    assert end(openings, "2026-12-04 02:30") == "never"


def test_what_opens_rarely_is_waited_for() -> None:
    assert end([allow("0 0 29 2 *", 60)], "2028-03-01 00:00") == "2032-02-29 00:00"


def test_nothing_is_frozen_without_windows(db: None) -> None:
    assert frozen_until(GroupFactory(), timezone.now()) is None


# -- when clocks change: a window begins as cron says, its minutes are minutes that pass --


@pytest.mark.parametrize(
    ("zone", "cron", "minutes", "moment", "fold", "until"),
    [
        # The night has 23 hours: six hours after 23:00 it is 06:00 on the wall.
        (NEW_YORK, "0 23 * * *", 360, "2026-03-08 04:00", 0, "2026-03-08 06:00"),
        (NEW_YORK, "0 23 * * *", 360, "2026-11-01 03:00", 0, "2026-11-01 04:00"),
        (NEW_YORK, "30 2 * * *", 60, "2026-03-08 03:00", 0, "2026-03-08 04:00"),  # in the gap: begins after it
        (NEW_YORK, "30 2 * * *", 60, "2026-03-08 01:59", 0, None),
        (NEW_YORK, "30 1 * * *", 60, "2026-11-01 01:59", 0, "2026-11-01 01:30"),  # to the second 01:30
        (NEW_YORK, "30 1 * * *", 60, "2026-11-01 01:29", 1, "2026-11-01 01:30"),
        (NEW_YORK, "30 1 * * *", 60, "2026-11-01 01:30", 1, None),  # not a second time
        ("Europe/Lisbon", "0 22 * * 6", 360, "2026-03-29 03:00", 0, "2026-03-29 05:00"),
        ("Europe/Lisbon", "30 1 * * *", 30, "2026-03-29 02:10", 0, "2026-03-29 02:30"),
        ("Europe/Lisbon", "30 1 * * *", 60, "2026-10-25 01:10", 1, "2026-10-25 01:30"),
        ("Europe/Lisbon", "30 1 * * *", 60, "2026-10-25 01:40", 1, None),
        ("America/Sao_Paulo", "0 23 * * *", 360, "2026-10-18 03:00", 0, "2026-10-18 05:00"),
        ("America/Sao_Paulo", "0 23 * * *", 360, "2026-02-15 03:00", 0, "2026-02-15 05:00"),
    ],
)
def test_in_nights_of_a_clock_change(
    zone: str, cron: str, minutes: int, moment: str, fold: int, until: str | None
) -> None:
    assert end([deny(cron, minutes, zone)], moment, zone, fold) == until


# -- stored windows --


@pytest.fixture
def group(db: None) -> SyncGroup:
    return GroupFactory(time_zone="America/Sao_Paulo")


def test_a_window_counts_in_its_own_zone_else_in_that_of_the_group(group: SyncGroup) -> None:
    window = Window.objects.create(group=group, kind="deny", cron="0 18 * * *", minutes=60)
    assert frozen_until(group, datetime(2026, 12, 4, 21, 30, tzinfo=UTC)) == datetime(2026, 12, 4, 22, tzinfo=UTC)
    Window.objects.filter(pk=window.pk).update(time_zone="Europe/Lisbon")
    assert frozen_until(group, datetime(2026, 12, 4, 21, 30, tzinfo=UTC)) is None
    assert frozen_until(group, datetime(2026, 12, 4, 18, 30, tzinfo=UTC)) == datetime(2026, 12, 4, 19, tzinfo=UTC)


def test_a_window_began_at_its_time_though_it_was_added_later(group: SyncGroup) -> None:
    began = timezone.now() - timedelta(hours=1)
    Window.objects.create(
        group=group, kind="deny", cron=f"{began.minute} {began.hour} * * *", minutes=120, time_zone="UTC"
    )
    assert frozen_until(group, timezone.now()) == began.replace(second=0, microsecond=0) + timedelta(hours=2)


def test_the_end_is_told_in_the_zone_of_the_group(group: SyncGroup) -> None:
    text = until_when(group, datetime(2026, 12, 7, 11, tzinfo=UTC))
    assert text == "until 7 Dec 2026, 08:00 (America/Sao_Paulo)"
    assert until_when(group, NEVER) == "until somebody removes or changes a window"
