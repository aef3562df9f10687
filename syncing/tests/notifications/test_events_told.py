"""What else is told, each from its real cause: drift, the master, healing, pauses, and what lasts."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from accounts import clock
from accounts.models import Account, SyncGroup
from accounts.services.health.store import record_health
from accounts.services.upkeep import renewal
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.automation import alarms, report
from syncing.automation.tick import tick
from syncing.execution import ip_block
from syncing.leases import processes
from syncing.models import Event, Notice, Process, ProcessKind, Schedule, ToldState, Watch
from syncing.services import pauses
from syncing.services.actors import COMMAND, SCHEDULE
from syncing.services.drift_checks import check_now
from syncing.tests.automation.test_healing import found, put_back
from syncing.tests.automation.watched import Watched, watched
from syncing.tests.crm import synced, work
from syncing.tests.factories import difference
from syncing.tests.house import House, database, result
from syncing.tests.notifications.telling import listen, titles, told

TOKEN_EXPIRED = {"code": "token_expired", "message": "It is over.", "remedy": "Make a new one."}
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """That accounts were just asked delays nothing; a test of that says so."""
    monkeypatch.setattr(alarms, "QUIET", timedelta(seconds=-1))


@pytest.fixture
def cast(db: None) -> dict[str, Account]:
    return AccountFactory.cast(GroupFactory(time_zone="America/Sao_Paulo"))


def alarm() -> list[str]:
    """The titles of what a worker's look at what is due raises."""
    tick()
    return titles()


# -- drift --


@pytest.fixture
def crm(house: House) -> House:
    """Two slaves that equal their master, in a group that covers pipelines."""
    Account.objects.filter(subdomain__in=("west", "east")).delete()
    house.world.accounts["master"].add_pipeline("Sales", stages=["New", "Offer"])
    SyncGroup.objects.update(sync_custom_fields=False)
    house.group.refresh_from_db()
    synced(house)
    return house


def test_a_check_that_finds_drift_tells_whose_doing_it_is_and_a_sync_that_it_is_over(crm: House) -> None:
    listen(events=[Event.DRIFT_FOUND])
    crm.world.accounts["north"].stage("Sales", "Offer").color = "#ff8f92"
    work(crm, check_now(crm.group, by=SCHEDULE))

    (message,) = told()

    assert message.title == "1 of 2 accounts differ from the master: Branches"
    assert message.text.splitlines()[0] == "Edited in the account: 1 account (North)."
    work(crm, check_now(crm.group, by=SCHEDULE))
    assert titles() == []  # the same drift
    crm.world.accounts["south"].stage("Sales", "Offer").color = "#ff8f92"
    work(crm, check_now(crm.group, by=SCHEDULE))
    assert titles() == ["2 of 2 accounts differ from the master: Branches"]
    synced(crm)
    assert titles() == ["No account differs from the master any more: Branches"]


def test_another_difference_in_the_same_account_is_a_change(crm: House) -> None:
    changed, newly = listen("changed", events=[Event.DRIFT_FOUND]), listen("newly", when="newly_bad")
    for color in ("#ff8f92", "#98cbff"):
        crm.world.accounts["north"].stage("Sales", "Offer").color = color
        work(crm, check_now(crm.group, by=SCHEDULE))
        told()
    assert [changed.messages.count(), newly.messages.filter(event=Event.DRIFT_FOUND).count()] == [2, 1]


def test_what_a_plan_would_change_is_no_drift(crm: House) -> None:
    listen(events=[Event.DRIFT_FOUND])
    crm.world.accounts["north"].stage("Sales", "Offer").color = "#ff8f92"
    synced(crm, mode="plan")
    assert titles() == []


# -- news --


@pytest.fixture
def watch(house: House) -> Iterator[Watched]:
    with watched(house, sync_custom_fields=False, watch="report") as made:
        made.bring()
        made.tick()
        yield made


def test_a_change_in_the_master_of_a_group_that_wants_to_be_told_is_told_once(watch: Watched) -> None:
    listen(when="newly_bad")
    watch.master.add_pipeline("Leads", stages=["New"])
    watch.next_at("pipelines")
    watch.tick(300)
    watch.next_at("pipelines")

    (message,) = told()

    assert message.title == "The master has changed: Branches"
    assert message.text.startswith(
        "What has changed: descriptions of stages, pipelines and stages.\nNothing was written"
    )


def test_an_edit_that_is_no_longer_put_back_is_told_once(cast: dict[str, Account]) -> None:
    group = cast["master"].group
    SyncGroup.objects.update(heal="revert")
    listen(events=[Event.HEALING_GAVE_UP])
    put_back(group, 6, 4, 2)
    for _ in range(2):
        found(group, north=[difference()])

    (message,) = told()

    assert message.title == "1 edit is no longer put back: Branches"
    assert message.text.startswith("North: Stage Offer (Sales). It was put back 3 times and edited again.")


def test_a_pause_that_ends_by_itself_is_told_with_its_reason(cast: dict[str, Account]) -> None:
    listen()
    pauses.pause([cast["north"]], reason="moving", hours=1, by=COMMAND)
    pauses.pause([cast["north"].group], reason="audit", hours=1, by=COMMAND)
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        tick()
        tick()
        messages = told()
    assert [message.title for message in messages] == [
        "A pause has ended: Branches",
        "A pause has ended: North (Branches)",
    ]
    assert "It was paused for this reason: moving." in messages[1].text


def test_a_pause_that_a_person_ends_is_no_news(cast: dict[str, Account]) -> None:
    listen()
    pauses.pause([cast["north"]], reason="moving", by=COMMAND)
    pauses.resume([cast["north"]], by=COMMAND)
    assert alarm() == []


# -- what lasts --


def test_an_account_whose_token_is_refused_needs_a_person_until_it_is_connected(cast: dict[str, Account]) -> None:
    listen()
    record_health(cast["north"].pk, TOKEN_EXPIRED)
    tick()
    (message,) = told()

    assert message.title == "1 account needs a person: Branches"
    assert message.text.startswith("Token expired: 1 account (North). The token has expired: make a new one")
    assert alarm() == []
    record_health(cast["south"].pk, {**TOKEN_EXPIRED, "code": "unpaid"})
    assert alarm() == ["2 accounts need a person: Branches"]
    record_health(cast["north"].pk, None)
    tick()
    (message,) = told()
    assert (message.title, message.text.splitlines()[1]) == (
        "1 account needs a person: Branches",
        "Well again: 1 account (North).",
    )
    record_health(cast["south"].pk, None)
    assert alarm() == ["No account needs a person any more: Branches"]


def test_while_accounts_are_asked_nobody_is_told_of_some_of_them(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker looks at what is due again and again while a run finds one account after the other."""
    monkeypatch.setattr(alarms, "QUIET", timedelta(seconds=20))
    listen(events=[Event.ACCOUNT_NEEDS_PERSON])
    others = AccountFactory(group=GroupFactory(name="Elsewhere"), health="unpaid")
    seen: list[str] = []

    def replicate(target: Any, *rest: Any) -> Any:
        with database():
            record_health(house.accounts[target.subdomain].pk, TOKEN_EXPIRED)
            Account.objects.update(checked_at=timezone.now() - DAY)
            alarms.raise_alarms()
            seen.extend(titles())
        return result("failed", "token_expired")

    house.start()
    house.work(replicate, threads=1)
    alarms.raise_alarms()
    assert seen + titles() == [f"1 account needs a person: {others.group}"]
    with time_machine.travel(timezone.now() + timedelta(seconds=21)):
        alarms.raise_alarms()
        assert titles() == ["4 accounts need a person: Branches"]


@pytest.mark.parametrize("health", ["unreachable", "error", "ip_blocked", "no_token", "unknown"])
def test_what_passes_by_itself_or_was_never_connected_needs_nobody(cast: dict[str, Account], health: str) -> None:
    listen()
    Account.objects.update(health=health)
    assert alarm() == []


def test_a_connection_that_ends_is_told_at_30_7_and_1_days_and_when_it_was_renewed(cast: dict[str, Account]) -> None:
    changed = listen("changed", events=[Event.TOKEN_ENDS])
    newly = listen("newly", when="newly_bad", events=[Event.TOKEN_ENDS])
    start = timezone.now()
    Account.objects.filter(subdomain="north").update(token_expires_at=start + 33 * DAY)
    for half_days in range(66):
        with time_machine.travel(start + half_days * DAY / 2):
            tick()
            told()
    assert (
        list(changed.messages.order_by("pk").values_list("title", flat=True))
        == ["1 connection ends soon: Branches"] * 3
    )
    assert newly.messages.count() == 1
    texts = list(changed.messages.order_by("pk").values_list("text", flat=True))
    assert [text.split(":")[0] for text in texts] == ["Within 30 days", "Within 7 days", "Within 1 day"]
    Account.objects.filter(subdomain="north").update(token_expires_at=start + 365 * DAY)
    assert alarm() == ["No connection ends soon any more: Branches"]


def test_tokens_that_were_made_one_after_the_other_are_one_message_for_each_threshold(db: None) -> None:
    channel = listen(events=[Event.TOKEN_ENDS])
    group = GroupFactory(time_zone="America/Sao_Paulo")
    start = datetime(2026, 5, 5, 12, tzinfo=UTC)
    for minutes in range(0, 600, 20):
        AccountFactory(group=group, token_expires_at=start + 33 * DAY + timedelta(minutes=minutes))
    for hours in range(0, 35 * 24, 3):
        with time_machine.travel(start + timedelta(hours=hours)):
            alarms.raise_alarms()
            told()
    sent = [
        text.splitlines()[0].split(" (")[0] for text in channel.messages.order_by("pk").values_list("text", flat=True)
    ]
    assert sent == ["Within 30 days: 30 accounts", "Within 7 days: 30 accounts", "Within 1 day: 30 accounts"]


def test_a_token_that_has_ended_is_not_well_until_there_is_another(cast: dict[str, Account]) -> None:
    listen()
    Account.objects.filter(subdomain="north").update(token_expires_at=timezone.now() + DAY / 2)
    assert alarm() == ["1 connection ends soon: Branches"]
    with time_machine.travel(timezone.now() + DAY):
        assert alarm() == []
        renewal.run_round()
        tick()
        assert titles() == ["1 account needs a person: Branches"]
        Account.objects.filter(subdomain="north").update(token_expires_at=timezone.now() + 90 * DAY, health="unknown")
        assert alarm() == ["No connection ends soon any more: Branches"]
        record_health(cast["north"].pk, None)
        assert alarm() == ["No account needs a person any more: Branches"]


@pytest.mark.parametrize("health", ["unknown", "unreachable", "error", "no_token", "ip_blocked"])
def test_an_account_that_was_not_reached_since_is_not_well_again(cast: dict[str, Account], health: str) -> None:
    listen()
    record_health(cast["north"].pk, TOKEN_EXPIRED)
    alarm()
    Account.objects.filter(subdomain="north").update(health=health)
    assert alarm() == []
    assert not Notice.objects.exists()
    record_health(cast["north"].pk, None)
    assert alarm() == ["No account needs a person any more: Branches"]


def test_an_account_that_was_deleted_is_forgotten(cast: dict[str, Account]) -> None:
    listen()
    record_health(cast["north"].pk, TOKEN_EXPIRED)
    alarm()
    cast["north"].delete()
    assert alarm() == []
    assert ToldState.objects.get(event=Event.ACCOUNT_NEEDS_PERSON).bad == {}
    alarms.raise_alarms()
    assert not Notice.objects.exists()


def test_a_late_watcher_and_a_late_schedule_are_told_in_the_language_of_each_channel(
    cast: dict[str, Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    group = cast["master"].group
    listen()
    listen("pt", language="pt-br")
    SyncGroup.objects.update(watch="report")
    past = timezone.now() - timedelta(hours=3)
    Watch.objects.create(group=group, state="idle", master=cast["master"], last_look=past, due_at=past)
    schedule = Schedule.objects.create(group=group, kind="drift", cron="0 3 * * *", grace=60, next_at=past)
    monkeypatch.setattr("syncing.automation.tick.STEPS", {"alarms": alarms.raise_alarms})
    tick()
    assert titles() == []  # no worker
    processes.arrive("w", ProcessKind.WORKER)
    tick()
    assert titles() == []  # it has just come back, and will look
    Process.objects.update(started_at=timezone.now() - timedelta(minutes=3))
    tick()

    english, portuguese = told()

    assert english.title == "2 things are overdue: Branches"
    first, second, place = english.text.splitlines()
    assert first.startswith("The schedule ")
    assert second.startswith("The master of the group Branches has not been looked at since ")
    assert place == "More: `manage.py doctor`, or the dashboard of KommoSync."
    assert "O mestre do grupo Branches" in portuguese.text or "não" in portuguese.text
    tick()
    assert titles() == []
    schedule.delete()
    Watch.objects.update(due_at=timezone.now() + DAY)
    tick()
    assert titles()[0] == "Nothing is overdue any more: Branches"


def test_a_blocked_address_is_told_once_and_that_it_is_over(cast: dict[str, Account]) -> None:
    listen()
    listen("of one group", group=GroupFactory(name="Elsewhere"))
    for _ in range(3):  # every lane announces it
        ip_block.announce()
        tick()
    assert titles() == ["Kommo blocks the IP address of this machine"] * 2
    record_health(cast["north"].pk, None)
    tick()
    tick()
    assert titles() == ["Kommo answers this machine again"] * 2
    Account.objects.update(checked_at=clock.now() - DAY)
    ip_block.announce()
    assert alarm() == ["Kommo blocks the IP address of this machine"] * 2


def test_a_new_channel_learns_what_is_bad_already_and_the_others_are_not_told_again(cast: dict[str, Account]) -> None:
    listen(when="every")
    record_health(cast["north"].pk, TOKEN_EXPIRED)
    alarm()
    newcomer = listen("newcomer")
    tick()
    assert [message.channel for message in told()] == [newcomer]


def test_two_workers_that_raise_the_same_alarm_tell_it_once(cast: dict[str, Account]) -> None:
    listen(when="every")
    record_health(cast["north"].pk, TOKEN_EXPIRED)
    tick()
    (notice,) = Notice.objects.all()
    Notice.objects.create(event=notice.event, group=notice.group, facts=notice.facts)
    assert titles() == ["1 account needs a person: Branches"]


def test_until_a_worker_has_made_its_message_an_alarm_is_raised_once(cast: dict[str, Account]) -> None:
    listen()
    record_health(cast["north"].pk, TOKEN_EXPIRED)
    for _ in range(3):
        tick()
    assert Notice.objects.count() == 1
    record_health(cast["north"].pk, None)
    tick()
    assert titles() == ["1 account needs a person: Branches", "No account needs a person any more: Branches"]
    assert ToldState.objects.get(event=Event.ACCOUNT_NEEDS_PERSON).bad == {}


def test_without_channels_nothing_is_looked_for(
    cast: dict[str, Account], django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen(enabled=False)
    Account.objects.update(health="token_expired")
    monkeypatch.setattr("syncing.automation.tick.STEPS", {"alarms": alarms.raise_alarms, "reports": report.write_due})
    with django_assert_num_queries(2):
        tick()
    assert not Notice.objects.exists()
