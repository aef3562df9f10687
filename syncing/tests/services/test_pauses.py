"""Pauses: begun with a reason and an end, ended by people or by themselves."""

import logging
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth.models import Permission, User

from accounts.actors import Actor
from accounts.models import Account, SyncGroup
from accounts.refusals import Refusal
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.automation.tick import tick
from syncing.models import AuditEntry
from syncing.services import pauses
from syncing.services.actors import COMMAND

NOW = datetime(2026, 5, 5, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _now() -> object:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def cast(db: None) -> dict[str, Account]:
    return AccountFactory.cast(GroupFactory(time_zone="America/Sao_Paulo"))


def paused(thing: SyncGroup | Account, **facts: object) -> datetime | None:
    """Pauses it; returns the end that its row has then."""
    pauses.pause([thing], **{"reason": "moving", "by": COMMAND, **facts})
    thing.refresh_from_db()
    assert thing.is_paused
    return thing.paused_until


def noted() -> list[tuple[object, ...]]:
    entries = AuditEntry.objects.filter(action__in=("paused", "resumed")).order_by("pk")
    return list(entries.values_list("action", "actor", "group", "account", "reason", "details"))


@pytest.mark.parametrize(
    ("facts", "end"),
    [
        ({}, NOW + timedelta(hours=24)),
        ({"hours": 8}, NOW + timedelta(hours=8)),
        ({"hours": 0.5}, NOW + timedelta(minutes=30)),
        ({"until": "2026-05-05T18:00"}, NOW + timedelta(hours=9)),  # in Sao Paulo
        ({"until": "2026-05-06"}, datetime(2026, 5, 6, 3, tzinfo=UTC)),
        ({"until": "2026-05-05T18:00Z"}, NOW + timedelta(hours=6)),
        ({"until": "2026-05-05T18:00:00+02:00"}, NOW + timedelta(hours=4)),
    ],
)
def test_a_pause_has_an_end_a_reason_and_an_author(cast, facts: dict[str, object], end: datetime) -> None:
    for thing in (cast["north"], cast["north"].group):
        assert paused(thing, **facts) == end
        assert (thing.pause_reason, thing.paused_by, thing.paused_at) == ("moving", "command line", NOW)


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"reason": "  "}, "no_reason"),
        ({"hours": 0}, "bad_hours"),
        ({"hours": -1}, "bad_hours"),
        ({"hours": float("nan")}, "bad_hours"),
        ({"hours": float("inf")}, "bad_hours"),
        ({"hours": 10**300}, "bad_hours"),
        ({"hours": 24 * 366 + 1}, "bad_hours"),
        ({"until": "tomorrow"}, "bad_until"),
        ({"until": ""}, "bad_until"),
        ({"until": "2026-02-30"}, "bad_until"),
        ({"until": "2026-05-05T09:00"}, "bad_until"),  # now
        ({"until": "2025-05-05"}, "bad_until"),
        ({"until": "0001-01-01T00:00"}, "bad_until"),
        ({"until": "9999-12-31T23:59"}, "bad_until"),
        ({"until": "9999-12-31T23:59-23:00"}, "bad_until"),
        ({"until": "2026-05-06", "hours": 1}, "bad_until"),
    ],
)
def test_what_is_no_pause_is_refused(cast, facts: dict[str, object], code: str) -> None:
    with pytest.raises(Refusal) as refused:
        pauses.pause([cast["north"], cast["south"]], **{"reason": "moving", "by": COMMAND, **facts})
    assert refused.value.code == code
    assert not Account.objects.filter(paused=True).exists()
    assert noted() == []


def test_a_second_pause_takes_the_place_of_the_first(cast) -> None:
    paused(cast["north"])
    assert paused(cast["north"], hours=1, reason="shorter") == NOW + timedelta(hours=1)
    assert cast["north"].pause_reason == "shorter"


def test_resuming_ends_it_and_both_are_in_the_audit(cast) -> None:
    paused(cast["north"])
    assert pauses.resume([cast["north"], cast["south"]], by=COMMAND, reason="moved") == [cast["north"]]
    cast["north"].refresh_from_db()
    north = cast["north"]
    assert (north.paused, north.paused_until, north.pause_reason, north.paused_by, north.paused_at) == (
        *(False, None, "", "", None),
    )
    until = {"until": "2026-05-06T12:00:00+00:00"}
    assert noted() == [
        ("paused", "command line", "Branches", "north", "moving", until),
        ("resumed", "command line", "Branches", "north", "moved", {}),
    ]


def test_each_needs_the_permission_for_what_is_paused(cast) -> None:
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="change_account"))
    clerk = Actor.of_user(User.objects.get(pk=user.pk), "admin")
    pauses.pause([cast["north"]], reason="moving", by=clerk)
    pauses.resume([cast["north"]], by=clerk)
    for act in (
        lambda: pauses.pause([cast["north"].group], reason="moving", by=clerk),
        lambda: pauses.resume([cast["north"].group], by=clerk),
    ):
        with pytest.raises(Refusal, match=r"accounts\.change_syncgroup is missing"):
            act()


# -- by themselves --


def test_pauses_end_by_themselves_and_it_is_told_once(cast, caplog: pytest.LogCaptureFixture) -> None:
    group = cast["north"].group
    for thing in (cast["north"], group):
        paused(thing, hours=1)
    paused(cast["south"], hours=2)
    Account.objects.filter(subdomain="west").update(paused=True)  # without an end

    with time_machine.travel(NOW + timedelta(minutes=59), tick=False):
        assert tick()["pauses"] == 0
    with time_machine.travel(NOW + timedelta(hours=1), tick=False), caplog.at_level(logging.INFO):
        assert tick()["pauses"] == 2
        assert tick()["pauses"] == 0

    told = [record.message for record in caplog.records if "pause" in record.message]
    assert sorted(told) == [
        "the pause of the account north has ended (moving)",
        "the pause of the group Branches has ended (moving)",
    ]
    assert set(Account.objects.filter(paused=True).values_list("subdomain", flat=True)) == {"south", "west"}
    until = {"until": "2026-05-05T13:00:00+00:00"}
    assert noted()[-2:] == [
        ("resumed", "automation", "Branches", "", "moving", until),
        ("resumed", "automation", "Branches", "north", "moving", until),
    ]


def test_a_pause_that_was_made_longer_meanwhile_does_not_end(cast) -> None:
    paused(cast["north"], hours=1)
    stale = Account.objects.get(subdomain="north")
    paused(cast["north"], hours=5)
    with time_machine.travel(NOW + timedelta(hours=1), tick=False):
        assert not pauses.end_over(stale, by=COMMAND)
    assert Account.objects.get(subdomain="north").paused
