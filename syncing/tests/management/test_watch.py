"""`watch`: one look, its exit codes, its document, and what it leaves alone while the watcher is off."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from accounts.models import Account, SyncGroup
from accounts.simulator.edits import add
from accounts.simulator.faults import Fault
from accounts.tests.factories import GroupFactory
from syncing.models import SyncRun, Watch
from syncing.tests.automation.watched import Watched
from syncing.tests.commands import command, command_document
from syncing.tests.house import SLAVES, House


@pytest.fixture
def group(house: House) -> SyncGroup:
    """Watches its pipelines alone; a run has brought them."""
    SyncGroup.objects.update(watch="apply", sync_custom_fields=False)
    house.group.refresh_from_db()
    with time_machine.travel(timezone.now()) as clock:
        Watched(house, clock).bring()
    return house.group


def edit(house: House) -> None:
    master = house.world.accounts["master"]
    add(master, "stage", pipeline_id=next(iter(master.pipelines)), name="Won back")


def test_while_nothing_moved_it_ends_with_0_and_names_what_it_looked_at(house: House, group: SyncGroup) -> None:
    first = command("watch")
    second = command("watch", "--group", group.name)

    assert (first[0], first[1].strip()) == (0, "Looked at everything: nothing moved.")
    assert (second[0], second[1].strip().partition("/")[0]) == (0, "Looked at descriptions")
    assert not any(house.world.log.of(slave) for slave in SLAVES)


def test_a_change_ends_it_with_3_as_long_as_it_waits(house: House, group: SyncGroup) -> None:
    command("watch")
    edit(house)

    codes = [command_document("watch") for _ in range(3)]

    assert [code for code, _ in codes] == [0, 3, 3]
    assert [document["moved"] for _, document in codes] == [[], ["pipelines"], []]
    assert [document["state"] for _, document in codes] == ["idle", "changed", "changed"]
    assert codes[1][1] | {"last_look": 0, "next_look": 0, "last_change": 0} == {
        **{"group": group.name, "mode": "apply", "state": "changed", "overdue": False},
        **{"last_look": 0, "last_change": 0, "next_look": 0},
        **{"looked_at": "pipelines", "moved": ["pipelines"], "waits": True, "run": None, "error": None},
    }
    assert codes[1][1]["last_look"] < codes[1][1]["next_look"]


def test_the_whole_master_can_be_looked_at(house: House, group: SyncGroup) -> None:
    command("watch")
    edit(house)

    assert command("watch", "--whole")[:2] == (3, "Looked at everything: pipelines moved. A change waits.\n")


def test_the_run_that_follows_is_left_to_the_workers(house: House, group: SyncGroup) -> None:
    command("watch")
    edit(house)
    command("watch", "--whole")
    with time_machine.travel(timezone.now() + timedelta(minutes=5)):
        code, document = command_document("watch")

    run = SyncRun.objects.get(trigger="watch")
    assert (code, document["run"], document["state"]) == (3, run.pk, "running")
    assert (run.queued_to_workers, run.state) == (True, "running")
    house.work()
    run.refresh_from_db()
    assert run.state == "succeeded"


def test_while_the_watcher_is_off_it_only_compares(house: House, group: SyncGroup) -> None:
    SyncGroup.objects.update(watch="off")
    assert command("watch", "--whole")[0] == 0
    edit(house)
    assert command("watch", "--whole")[0] == 3
    with time_machine.travel(timezone.now() + timedelta(hours=5)):
        code, document = command_document("watch")

    assert (code, document["state"], document["mode"]) == (3, "off", "off")
    assert (document["next_look"], document["overdue"], document["run"]) == (None, False, None)
    assert not SyncRun.objects.filter(trigger="watch").exists()
    assert (Watch.objects.get().state, Watch.objects.get().next_look) == ("off", None)


def test_a_master_that_cannot_be_read_ends_it_with_1_and_a_sentence(house: House, group: SyncGroup) -> None:
    house.world.faults.add(Fault("402", subdomain="master", times=None))

    code, out, errors = command("watch")
    document_code, document = command_document("watch")

    assert (code, out) == (1, "")
    assert "paid" in errors
    assert (document_code, document["error"]["code"], document["state"]) == (1, "unpaid", "unreadable")


@pytest.mark.parametrize("who", [SyncGroup, Account])
def test_a_paused_master_is_not_asked(house: House, group: SyncGroup, who: type) -> None:
    before = len(house.world.log)
    who.objects.update(paused=True)

    code, document = command_document("watch")

    assert (code, document["error"]["code"]) == (1, "paused")
    assert len(house.world.log) == before


def test_a_group_without_a_master_says_so(house: House, group: SyncGroup) -> None:
    Account.objects.update(role="slave")

    code, _, errors = command("watch")

    assert (code, "no master" in errors) == (1, True)


def test_a_look_that_somebody_else_took_is_taken_again(house: House, group: SyncGroup) -> None:
    command("watch")
    Watch.objects.update(next_look=timezone.now() + timedelta(minutes=3))  # in work, by a worker that may be dead

    assert command("watch")[0] == 0


@pytest.mark.parametrize("arguments", [["--group", "Nowhere"], []])
def test_a_group_that_is_unknown_or_not_named_is_a_mistake(db: None, arguments: list[str]) -> None:
    GroupFactory(name="One")
    GroupFactory(name="Two")

    code, _, errors = command("watch", *arguments)
    document_code, document = command_document("watch", *arguments)

    assert (code, document_code) == (2, 2)
    assert "One" in errors
    assert (document["moved"], document["error"]["code"]) == ([], "no_group")
