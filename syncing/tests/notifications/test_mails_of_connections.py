"""The e-mail about connections to administrators, and channels that tell the same: nobody is told twice."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from accounts.services.upkeep import renewal
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.automation.tick import tick
from syncing.models import Channel, Event
from syncing.tests.notifications.telling import listen, titles

pytestmark = pytest.mark.django_db
BOTH = [Event.TOKEN_ENDS, Event.ACCOUNT_NEEDS_PERSON]


@pytest.fixture(autouse=True)
def _ending() -> None:
    """A token that ends in five days, and an administrator who gets e-mails."""
    User.objects.create_superuser("boss", "boss@branches.example", "-")
    AccountFactory(token_expires_at=timezone.now() + timedelta(days=5))


def test_without_channels_the_administrators_get_an_e_mail(mailoutbox: list[Any]) -> None:
    renewal.run_round()
    assert [mail.subject for mail in mailoutbox] == ["KommoSync: 1 connection needs somebody"]


def test_an_e_mail_channel_that_tells_the_same_takes_its_place(mailoutbox: list[Any]) -> None:
    listen(kind="email", events=BOTH)
    renewal.run_round()
    tick()
    assert mailoutbox == []
    assert titles() == ["1 connection ends soon: Branches"]


@pytest.mark.parametrize(
    "facts",
    [
        {"kind": "json", "events": BOTH},
        {"kind": "email", "events": [Event.TOKEN_ENDS]},
        {"kind": "email", "events": BOTH, "enabled": False},
    ],
)
def test_a_channel_that_tells_less_or_elsewhere_does_not(mailoutbox: list[Any], facts: dict[str, Any]) -> None:
    listen(**facts)
    renewal.run_round()
    assert len(mailoutbox) == 1


def test_a_channel_of_one_group_does_not_either(mailoutbox: list[Any]) -> None:
    listen(kind="email", events=BOTH, group=GroupFactory())
    renewal.run_round()
    assert len(mailoutbox) == 1


def test_when_channels_cannot_be_asked_the_e_mail_is_sent(mailoutbox: list[Any], monkeypatch: Any) -> None:
    monkeypatch.setattr(Channel.objects, "filter", lambda **_facts: 1 / 0)
    renewal.run_round()
    assert len(mailoutbox) == 1
