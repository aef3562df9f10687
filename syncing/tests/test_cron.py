"""Cron expressions: as Debian's cron in the nights when clocks change, each time once; and what is no expression."""

from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError

from syncing.cron import times_after, times_until, validate_cron

# The first days of the nights in which clocks change; in Sao Paulo they have not changed since 2019.
SPRING = {"America/New_York": "2026-03-08", "Europe/Lisbon": "2026-03-29", "America/Sao_Paulo": "2026-10-18"}
AUTUMN = {"America/New_York": "2026-11-01", "Europe/Lisbon": "2026-10-25", "America/Sao_Paulo": "2026-02-15"}


def at(zone: str, text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def times_of(day: str, zone: str, cron: str) -> list[str]:
    """All times of a day and the hours around it, as a clock on the wall shows them, with the distance from UTC."""
    begin = at(zone, day) - timedelta(hours=2)
    end = begin + timedelta(hours=29)
    forwards = list(takewhile(lambda time: time < end, times_after(cron, zone, begin)))
    backwards = list(takewhile(lambda time: time > begin, times_until(cron, zone, end)))
    assert forwards == backwards[::-1] == sorted(set(forwards))
    local = [time.astimezone(ZoneInfo(zone)) for time in forwards]
    return [f"{time:%H:%M%z}" for time in local if f"{time:%Y-%m-%d}" == day]


@pytest.mark.parametrize(
    ("zone", "cron", "times"),
    [
        # 02:00 -> 03:00: what falls into the gap runs right after it, once.
        ("America/New_York", "30 2 * * *", ["03:00-0400"]),
        ("America/New_York", "0,30 2 * * *", ["03:00-0400"]),
        ("America/New_York", "30 1 * * *", ["01:30-0500"]),
        ("America/New_York", "0 3 * * *", ["03:00-0400"]),
        ("America/New_York", "0 */6 * * *", ["00:00-0500", "06:00-0400", "12:00-0400", "18:00-0400"]),
        # 01:00 -> 02:00
        ("Europe/Lisbon", "30 1 * * *", ["02:00+0100"]),
        ("Europe/Lisbon", "30 0 * * *", ["00:30+0000"]),
        ("Europe/Lisbon", "30 2 * * *", ["02:30+0100"]),
        ("America/Sao_Paulo", "30 0 * * *", ["00:30-0300"]),
        ("America/Sao_Paulo", "30 2 * * *", ["02:30-0300"]),
    ],
)
def test_in_the_night_that_loses_an_hour_everything_runs_once(zone: str, cron: str, times: list[str]) -> None:
    assert times_of(SPRING[zone], zone, cron) == times


@pytest.mark.parametrize(
    ("zone", "cron", "times"),
    [
        # 02:00 -> 01:00: what stands at a time runs at the first one of two.
        ("America/New_York", "30 1 * * *", ["01:30-0400"]),
        ("America/New_York", "0 1,2 * * *", ["01:00-0400", "02:00-0500"]),
        ("America/New_York", "30 2 * * *", ["02:30-0500"]),
        ("Europe/Lisbon", "30 1 * * *", ["01:30+0100"]),
        ("Europe/Lisbon", "0 2 * * *", ["02:00+0000"]),
        ("America/Sao_Paulo", "30 23 * * *", ["23:30-0300"]),
        ("America/Sao_Paulo", "30 1 * * *", ["01:30-0300"]),
    ],
)
def test_in_the_night_that_gains_an_hour_everything_runs_once(zone: str, cron: str, times: list[str]) -> None:
    assert times_of(AUTUMN[zone], zone, cron) == times


@pytest.mark.parametrize(
    ("day", "zone", "count"),
    [
        (SPRING["America/New_York"], "America/New_York", 46),
        (AUTUMN["America/New_York"], "America/New_York", 50),
        (SPRING["Europe/Lisbon"], "Europe/Lisbon", 46),
        (AUTUMN["Europe/Lisbon"], "Europe/Lisbon", 50),
        (AUTUMN["America/Sao_Paulo"], "America/Sao_Paulo", 48),
    ],
)
def test_what_runs_every_half_hour_keeps_its_distance(day: str, zone: str, count: int) -> None:
    assert len(times_of(day, zone, "*/30 * * * *")) == count


@pytest.mark.parametrize(
    ("zone", "day", "next_day"),
    [("America/New_York", "2026-11-01", "2026-11-02"), ("Europe/Lisbon", "2026-10-25", "2026-10-26")],
)
@pytest.mark.parametrize("minute", ["01:10", "01:30", "01:59"])
def test_in_the_second_of_two_equal_hours_the_first_one_is_over(
    zone: str, day: str, next_day: str, minute: str
) -> None:
    """The calculation of the library alone leads back to the first."""
    moment = at(zone, f"{day} {minute}", fold=1)
    assert next(times_after("30 1 * * *", zone, moment)) == at(zone, f"{next_day} 01:30")
    assert next(times_until("30 1 * * *", zone, moment)) == at(zone, f"{day} 01:30", fold=0)


def test_a_moment_itself_is_neither_after_nor_before_itself() -> None:
    moment = datetime(2026, 5, 5, 3, tzinfo=UTC)
    assert next(times_after("0 3 * * *", "UTC", moment)) == moment + timedelta(days=1)
    assert next(times_until("0 3 * * *", "UTC", moment)) == moment - timedelta(days=1)
    assert next(times_after("0 3 * * *", "UTC", moment - timedelta(microseconds=1))) == moment
    assert next(times_until("0 3 * * *", "UTC", moment + timedelta(microseconds=1))) == moment


@pytest.mark.parametrize(
    ("cron", "sentence"),
    [
        ("", "is not a cron expression. It has five parts"),
        ("0 3 * *", "0 3 * * is not a cron expression. It has five parts"),
        ("0 0 3 * * *", "It has five parts"),
        ("61 3 * * *", "61 3 * * * is not a cron expression (Bad minute)"),
        ("0 3 * * MOON", "Bad day-of-week"),
        ("@daily", "It has five parts"),
        ("0 0 30 2 *", "Bad day-of-month"),
        ("0 0 31 4,6,9,11 *", "Bad day-of-month"),
        ("0 3 * * \x00", "Bad day-of-week"),
    ],
)
def test_what_is_no_expression_is_refused_with_a_sentence(cron: str, sentence: str) -> None:
    with pytest.raises(ValidationError) as refused:
        validate_cron(cron)
    assert sentence in " ".join(refused.value.messages)


@pytest.mark.parametrize("cron", ["0 3 * * *", "*/5 8-18 * * MON-FRI", "0 0 29 2 *", "0 0 L * *", "0 9 * * MON#1"])
def test_what_is_an_expression_is_taken(cron: str) -> None:
    validate_cron(cron)
