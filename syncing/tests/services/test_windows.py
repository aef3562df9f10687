"""Windows as people add, change and remove them."""

import pytest
from django.contrib.auth.models import User

from accounts import clock
from accounts.actors import Actor
from accounts.models import SyncGroup
from accounts.refusals import Refusal
from accounts.tests.factories import GroupFactory
from syncing.models import AuditEntry, Window
from syncing.services import windows
from syncing.services.actors import COMMAND
from syncing.windows import NEVER, frozen_until


@pytest.fixture
def group(db: None) -> SyncGroup:
    return GroupFactory(time_zone="America/Sao_Paulo")


def unsaved(group: SyncGroup, **facts: object) -> Window:
    return Window(**{"group": group, "kind": "deny", "cron": "0 18 * * 5", "minutes": 60, **facts})


def refused(group: SyncGroup, **facts: object) -> Refusal:
    before = Window.objects.count()
    with pytest.raises(Refusal) as refusal:
        windows.add(unsaved(group, **facts), by=COMMAND)
    assert Window.objects.count() == before
    return refusal.value


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"cron": "0 0 31 11 *"}, "bad_cron"),  # never
        ({"cron": "every friday"}, "bad_cron"),
        ({"time_zone": "Mars/Olympus"}, "bad_time_zone"),
        ({"kind": "freeze"}, "bad_kind"),
        ({"minutes": 0}, "bad_minutes"),
        ({"minutes": 52 * 7 * 24 * 60 + 1}, "bad_minutes"),
    ],
)
def test_a_wrong_value_is_refused(group: SyncGroup, facts: dict[str, object], code: str) -> None:
    assert refused(group, **facts).code == code


@pytest.mark.parametrize("zone", ["America/Sao_Paulo", "America/New_York"])
@pytest.mark.parametrize(
    ("there", "added"),
    [
        ([{"cron": "0 0 * * *", "minutes": 1440}], {"kind": "allow", "cron": "0 2 * * *"}),
        (
            [{"cron": "0 0 * * *", "minutes": 720}, {"cron": "0 12 * * *", "minutes": 720}],
            {"kind": "allow", "cron": "0 2 * * *"},
        ),
        ([{"cron": "0 1 * * *", "minutes": 120}], {"kind": "allow", "cron": "0 2 * * *"}),
    ],
)
def test_an_allow_window_that_would_never_open_is_refused(
    group: SyncGroup, zone: str, there: list[dict[str, object]], added: dict[str, object]
) -> None:
    """Not even if a clock change leaves an hour in a year."""
    SyncGroup.objects.update(time_zone=zone)
    group.refresh_from_db()
    for facts in there:
        windows.add(unsaved(group, **facts), by=COMMAND)
    refusal = refused(group, **added)
    assert (refusal.code, refusal.message) == (
        "never_open",
        "The allow windows of the group Branches would never open, as deny windows cover them.",
    )


@pytest.mark.parametrize("facts", [{"cron": "* * * * *", "minutes": 5}, {"cron": "0 0 * * *", "minutes": 1440}])
def test_a_group_may_be_frozen_until_somebody_ends_it(group: SyncGroup, facts: dict[str, object]) -> None:
    windows.add(unsaved(group, kind="allow", cron="0 2 * * *"), by=COMMAND)
    window = windows.add(unsaved(group, **facts), by=COMMAND)
    assert frozen_until(group, clock.now()) == NEVER
    windows.remove(window, by=COMMAND)
    assert frozen_until(group, clock.now()) != NEVER


def test_a_long_freeze_that_ends_is_taken(group: SyncGroup) -> None:
    windows.add(unsaved(group, cron="0 0 1 12 *", minutes=31 * 24 * 60), by=COMMAND)
    windows.add(unsaved(group, kind="allow", cron="0 2 * * 0", minutes=240), by=COMMAND)
    assert Window.objects.count() == 2


def test_every_change_is_in_the_audit(group: SyncGroup) -> None:
    window = windows.add(unsaved(group), by=COMMAND)
    number = window.pk
    window.minutes = 90
    windows.change(window, ["minutes", "cron"], by=COMMAND)
    assert Window.objects.get().minutes == 90
    windows.remove(window, by=COMMAND)
    facts = {"kind": "deny", "cron": "0 18 * * 5", "time_zone": "", "minutes": 60}
    details = AuditEntry.objects.filter(action="automation").order_by("pk").values_list("details", flat=True)
    assert list(details) == [
        {"window": number, "added": facts},
        {"window": number, "minutes": [60, 90]},
        {"window": number, "removed": {**facts, "minutes": 90}},
    ]


def test_a_change_after_which_an_allow_window_would_never_open_is_refused(group: SyncGroup) -> None:
    windows.add(unsaved(group, cron="0 1 * * *", minutes=240), by=COMMAND)
    window = windows.add(unsaved(group, kind="allow", cron="0 9 * * *"), by=COMMAND)
    window.cron = "0 2 * * *"
    with pytest.raises(Refusal, match="would never open"):
        windows.change(window, ["cron"], by=COMMAND)
    assert Window.objects.get(pk=window.pk).cron == "0 9 * * *"


def test_who_may_not_change_the_group_changes_no_window(group: SyncGroup) -> None:
    clerk = Actor.of_user(User.objects.create_user("clerk", is_staff=True), "admin")
    window = windows.add(unsaved(group), by=COMMAND)
    for attempt in (
        lambda: windows.add(unsaved(group), by=clerk),
        lambda: windows.change(window, ["cron"], by=clerk),
        lambda: windows.remove(window, by=clerk),
    ):
        with pytest.raises(Refusal, match=r"accounts\.change_syncgroup is missing"):
            attempt()
    assert Window.objects.count() == 1
