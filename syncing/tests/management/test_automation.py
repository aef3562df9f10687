"""`schedule`, `window`, `pause` and `resume`: exact documents, sentences, and nothing half set."""

import json
from datetime import UTC, datetime

import pytest
import time_machine

from accounts.models import Account, SyncGroup
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import AuditEntry, Schedule, Window
from syncing.tests.commands import command

NOW = datetime(2026, 5, 5, 12, tzinfo=UTC)  # a Tuesday; 09:00 in Sao Paulo
NIGHT = ("--kind", "drift", "--cron", "0 3 * * *")
WEEKEND = ("--kind", "deny", "--cron", "0 18 * * 5", "--minutes", "3720")


@pytest.fixture(autouse=True)
def _now() -> object:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def cast(db: None) -> dict[str, Account]:
    return AccountFactory.cast(GroupFactory(time_zone="America/Sao_Paulo"))


def good(name: str, *args: str) -> str:
    code, out, errors = command(name, *args)
    assert (code, errors) == (0, "")
    return out


def refused(name: str, *args: str) -> str:
    code, out, errors = command(name, *args)
    assert (code, out) == (2, "")
    return errors


# -- schedule --


def test_schedules_are_listed_in_the_order_added_with_their_next_three_times(cast) -> None:
    first = good("schedule", "add", "--group", "Branches", *NIGHT)
    assert first == "Schedule 1 added; its first time is 6 May 2026, 03:00 (America/Sao_Paulo).\n".replace(
        "1", str(Schedule.objects.get().pk), 1
    )
    lisbon = ("--kind", "apply", "--cron", "30 22 * * 1-5", "--time-zone", "Europe/Lisbon", "--grace", "15")
    good("schedule", "add", *lisbon)
    one, two = Schedule.objects.order_by("pk").values_list("pk", flat=True)

    listed = json.loads(good("schedule", "list", "--json"))

    assert [list(row) for row in listed] == [
        ["id", "group", "kind", "cron", "time_zone", "grace", "enabled", "next"]
    ] * 2
    assert listed == [
        {
            "id": one,
            "group": "Branches",
            "kind": "drift",
            "cron": "0 3 * * *",
            "time_zone": "America/Sao_Paulo",
            "grace": 60,
            "enabled": True,
            "next": [f"2026-05-0{day}T03:00:00-03:00" for day in (6, 7, 8)],
        },
        {
            "id": two,
            "group": "Branches",
            "kind": "apply",
            "cron": "30 22 * * 1-5",
            "time_zone": "Europe/Lisbon",
            "grace": 15,
            "enabled": True,
            "next": [f"2026-05-0{day}T22:30:00+01:00" for day in (5, 6, 7)],
        },
    ]


def test_the_list_on_a_terminal_has_what_went_wrong(cast) -> None:
    assert good("schedule", "list") == "There is no schedule.\n"
    good("schedule", "add", *NIGHT)
    Schedule.objects.update(problem="The master master is paused. Resume it first.")
    shown = good("schedule", "list")
    assert "2026-05-06 03:00, 2026-05-07 03:00, 2026-05-08 03:00" in shown
    assert "The master master is paused." in shown
    Schedule.objects.update(enabled=False)
    assert "switched off" in good("schedule", "list")


def test_a_list_of_one_group_has_no_schedules_of_others(cast) -> None:
    other = GroupFactory(name="Others")
    good("schedule", "add", "--group", "Others", *NIGHT)
    good("schedule", "add", "--group", "Branches", *NIGHT)
    assert [row["group"] for row in json.loads(good("schedule", "list", "--json", "--group", "Others"))] == [other.name]
    assert len(json.loads(good("schedule", "list", "--json"))) == 2


def test_what_is_added_can_be_printed_as_it_is_listed(cast) -> None:
    added = json.loads(good("schedule", "add", *NIGHT, "--json"))
    assert [added] == json.loads(good("schedule", "list", "--json"))


def test_a_schedule_is_removed_by_its_number(cast) -> None:
    good("schedule", "add", *NIGHT)
    number = Schedule.objects.get().pk
    assert good("schedule", "remove", str(number)) == f"Schedule {number} removed.\n"
    assert refused("schedule", "remove", str(number)) == f"There is no schedule {number}. See `schedule list`."
    assert AuditEntry.objects.filter(action="automation", actor="command line").count() == 2


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("--kind", "drift", "--cron", "0 3 * *"), "cron: 0 3 * * is not a cron expression. It has five parts"),
        (("--kind", "drift", "--cron", "0 3 31 2 *"), "cron: 0 3 31 2 * is not a cron expression"),
        (("--kind", "sync", "--cron", "0 3 * * *"), "kind: sync is none of drift, plan, apply."),
        ((*NIGHT, "--time-zone", "Brazil/Atlantis"), "time_zone: Brazil/Atlantis is not a time zone."),
        ((*NIGHT, "--grace", "soon"), "--grace soon is not a whole number."),
        ((*NIGHT, "--grace", "-5"), "grace: Ensure this value is greater than or equal to 0."),
        ((*NIGHT, "--grace", "9" * 30), f"--grace {'9' * 30} is not a whole number."),
        ((*NIGHT, "--group", "Nobody"), "There is no sync group 'Nobody'."),
    ],
)
def test_a_schedule_that_is_wrong_is_not_added(cast, args: tuple[str, ...], sentence: str) -> None:
    assert sentence in refused("schedule", "add", *args)
    assert not Schedule.objects.exists()


@pytest.mark.parametrize("number", ["x", "-1", "9" * 30])
@pytest.mark.parametrize("name", ["schedule", "window"])
def test_what_is_no_number_removes_nothing(cast, name: str, number: str) -> None:
    assert f"{number} is not the number of a {name}. See `{name} list`." == refused(name, "remove", "--", number)


# -- window --


def test_windows_are_listed_with_their_next_three_times(cast) -> None:
    added = good("window", "add", "--group", "Branches", *WEEKEND)
    number = Window.objects.get().pk
    assert added == f"Window {number} added; the group Branches is not frozen now.\n"
    listed = json.loads(good("window", "list", "--json"))
    assert [list(row) for row in listed] == [["id", "group", "kind", "cron", "time_zone", "minutes", "next"]]
    assert listed[0]["next"] == [f"2026-05-{day}T18:00:00-03:00" for day in ("08", "15", "22")]
    assert "3720 min" in good("window", "list")
    assert good("window", "remove", str(number)) == f"Window {number} removed.\n"
    assert good("window", "list", "--json") == "[]\n"


def test_a_window_that_has_begun_says_until_when_the_group_is_frozen(cast) -> None:
    told = good("window", "add", "--kind", "deny", "--cron", "0 8 * * *", "--minutes", "90")
    assert told.endswith("the group Branches is frozen until 5 May 2026, 09:30 (America/Sao_Paulo).\n")


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("--kind", "allow", "--cron", "0 4 * * *", "--minutes", "30"), "would never open"),
        (("--kind", "deny", "--cron", "0 0 30 2 *", "--minutes", "10"), "cron: 0 0 30 2 * is not a cron expression"),
        (("--kind", "closed", "--cron", "0 0 * * *", "--minutes", "10"), "kind: closed is none of deny, allow."),
        (("--kind", "deny", "--cron", "0 0 * * *", "--minutes", "0"), "minutes: Ensure this value is greater"),
        (("--kind", "deny", "--cron", "0 0 * * *", "--minutes", "1.5"), "--minutes 1.5 is not a whole number."),
    ],
)
def test_a_window_that_is_wrong_is_not_added(cast, args: tuple[str, ...], sentence: str) -> None:
    good("window", "add", "--kind", "deny", "--cron", "0 3 * * *", "--minutes", "180")
    assert sentence in refused("window", "add", *args)
    assert Window.objects.count() == 1


# -- pause and resume --


def test_a_pause_lasts_a_day_and_resuming_ends_it(cast) -> None:
    told = good("pause", "--account", "north", "--account", "south", "--reason", "moving")
    until = "is paused until 6 May 2026, 09:00 (America/Sao_Paulo).\n"
    assert sorted(told.splitlines(keepends=True)) == [f"north {until}", f"south {until}"]
    assert set(Account.objects.filter(paused=True).values_list("subdomain", "pause_reason")) == {
        ("north", "moving"),
        ("south", "moving"),
    }
    assert good("resume", "--account", "north", "west").splitlines() == ["north is resumed.", "west was not paused."]
    assert list(Account.objects.filter(paused=True).values_list("subdomain", flat=True)) == ["south"]


@pytest.mark.parametrize(
    ("args", "until"),
    [
        (("--hours", "2"), "5 May 2026, 11:00"),
        (("--hours", "0.5"), "5 May 2026, 09:30"),
        (("--until", "2026-05-09T07:00"), "9 May 2026, 07:00"),
        (("--until", "2026-05-09T07:00+00:00"), "9 May 2026, 04:00"),
    ],
)
def test_a_group_is_paused_until_a_time_of_its_zone(cast, args: tuple[str, ...], until: str) -> None:
    told = good("pause", "--group", "Branches", *args, "--reason", "holidays")
    assert told == f"The group Branches is paused until {until} (America/Sao_Paulo).\n"
    assert SyncGroup.objects.get().is_paused
    assert good("resume") == "The group Branches is resumed.\n"


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("--account", "north", "nobody", "--reason", "x"), "No such account: nobody."),
        (("--account", "north"), "A pause needs a reason."),
        (("--account", "north", "--reason", " "), "A pause needs a reason."),
        (("--account", "north", "--reason", "x", "--hours", "0"), "0.0 is not a number of hours"),
        (("--account", "north", "--reason", "x", "--hours", "-1"), "-1.0 is not a number of hours"),
        (("--account", "north", "--reason", "x", "--hours", "nan"), "nan is not a number of hours"),
        (("--account", "north", "--reason", "x", "--hours", "long"), "--hours long is not a number of hours."),
        (("--account", "north", "--reason", "x", "--until", "noon"), "noon is not a time."),
        (("--account", "north", "--reason", "x", "--until", "2026-05-05T09:00"), "is not between now and a year"),
        (("--account", "north", "--reason", "x", "--hours", "1", "--until", "2027-01-01"), "not both."),
        (("--group", "Others", "--account", "north", "--reason", "x"), "There is no sync group 'Others'."),
    ],
)
def test_of_a_wrong_pause_nothing_is_set(cast, args: tuple[str, ...], sentence: str) -> None:
    assert sentence in refused("pause", *args)
    assert not Account.objects.filter(paused=True).exists()
    assert not AuditEntry.objects.exists()


def test_accounts_of_another_group_than_the_named_are_refused(cast) -> None:
    GroupFactory(name="Others")
    assert refused("pause", "--group", "Others", "--account", "north", "--reason", "x").startswith(
        "Not in the group Others: north."
    )
    assert refused("pause", "--reason", "x").startswith("There are several sync groups.")
