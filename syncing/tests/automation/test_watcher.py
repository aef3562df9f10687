"""The looks at a master: what is asked, when, and what is noticed; what the first look is compared with."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from accounts.models import Account
from accounts.simulator.account import SimAccount
from accounts.simulator.edits import add, change, remove
from accounts.tests.factories import GroupFactory
from syncing.automation import watcher
from syncing.automation.watch_rows import learn_of_runs
from syncing.engine.refs import Scope
from syncing.engine.snapshot import Snapshot
from syncing.execution.stop_signs import supervisor_sign
from syncing.models import Watch
from syncing.records.snapshots import store_master
from syncing.tests.automation.watched import Watched, watched
from syncing.tests.factories import RunFactory
from syncing.tests.house import SLAVES, House


@pytest.fixture
def watch(house: House) -> Iterator[Watched]:
    """A watched group: the first look is due, and a run has brought the master."""
    house.world.accounts["master"].add_group("leads", "Contract")
    with watched(house) as made:
        made.bring()
        yield made


WHOLE = 8  # requests: pipelines, descriptions of one, groups and fields of three entities


def test_a_group_whose_watcher_is_off_is_not_looked_at(watch: Watched) -> None:
    watch.policy(watch="off")

    assert watch.tick() == 0
    assert not Watch.objects.exists()


def test_the_first_look_reads_the_whole_master_and_starts_nothing_when_a_run_has_brought_it(watch: Watched) -> None:
    assert watch.tick() == WHOLE

    assert (watch.state, watch.row.pending_fingerprint, watch.row.last_change) == ("idle", "", None)
    assert timezone.now() - watch.row.last_look < timedelta(seconds=5)
    assert not watch.runs


def test_while_nothing_moves_a_look_is_one_request_at_its_time_and_none_to_slaves(watch: Watched) -> None:
    """Forty minutes; how many looks a day has is computed in the engine's tests."""
    watch.tick()
    end = timezone.now() + timedelta(minutes=40)
    looks = 0
    while watch.row.next_look < end:
        wait = (watch.row.next_look - timezone.now()).total_seconds()
        assert 190 < wait < 290
        assert watch.tick(wait - 1) == 0
        assert watch.tick(1.01) == 1
        looks += 1
    assert 9 <= looks <= 11
    assert watch.state == "idle"
    assert not watch.runs


def test_the_pipelines_are_asked_for_at_every_second_look_and_the_others_in_turn(watch: Watched) -> None:
    (number,) = watch.master.pipelines
    watch.tick()
    paths = [path for _ in range(14) for path in watch.next_paths()]

    entities = ("leads", "contacts", "companies")
    lists = [f"/{entity}/{path}" for entity in entities for path in ("custom_fields/groups", "custom_fields")]
    assert paths[1::2] == ["/leads/pipelines"] * 7
    assert paths[::2] == [*lists, f"/leads/pipelines/{number}/statuses"]


def test_of_pipelines_alone_only_they_and_their_descriptions_are_asked_for(watch: Watched) -> None:
    (number,) = watch.master.pipelines
    watch.policy(sync_custom_fields=False, watch="off")
    watch.look_anyway()

    asked = [path for _ in range(4) for path in watch.look_anyway()]

    assert asked == [f"/leads/pipelines/{number}/statuses", "/leads/pipelines"] * 2


def test_of_fields_alone_the_pipelines_are_not_asked_for(watch: Watched) -> None:
    watch.policy(sync_pipelines=False, watch="off")
    watch.look_anyway()

    asked = [path for _ in range(6) for path in watch.look_anyway()]

    assert len({path for path in asked if "/custom_fields" in path}) == len(asked) == 6


# -- what is noticed --


def _rename_pipeline(master: SimAccount) -> str:
    change(master, "pipeline", next(iter(master.pipelines)), name="Sales")
    return "pipelines"


def _add_stage(master: SimAccount) -> str:
    add(master, "stage", pipeline_id=next(iter(master.pipelines)), name="Won back")
    return "pipelines"


def _describe(master: SimAccount) -> str:
    pipeline = next(iter(master.pipelines.values()))
    add(master, "description", pipeline_id=pipeline.id, stage_id=pipeline.ordinary[0].id, level="newbie", text="Call")
    return f"descriptions/{pipeline.id}"


def _rename_group(master: SimAccount) -> str:
    group = next(each for each in master.groups["leads"].values() if not each.is_predefined)
    change(master, "group", ["leads", group.id], name="Contracts")
    return "field_groups/leads"


def _add_group(entity: str) -> Callable[[SimAccount], str]:
    def edit(master: SimAccount) -> str:
        add(master, "group", entity=entity, name="New")
        return f"field_groups/{entity}"

    return edit


def _add_field(entity: str) -> Callable[[SimAccount], str]:
    def edit(master: SimAccount) -> str:
        add(master, "field", entity=entity, name="Colour", type="select", enums=["red"])
        return f"custom_fields/{entity}"

    return edit


EDITS = {
    "a pipeline renamed": _rename_pipeline,
    "a stage": _add_stage,
    "a description": _describe,
    "a group renamed": _rename_group,
    "a group of contacts": _add_group("contacts"),
    "a group of companies": _add_group("companies"),
    "a field of leads": _add_field("leads"),
    "a field of contacts": _add_field("contacts"),
    "a field of companies": _add_field("companies"),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_every_collections_change_is_noticed_at_its_turn_and_followed_by_a_whole_reading(
    watch: Watched, edit: Callable[[SimAccount], str]
) -> None:
    watch.tick()
    moved = edit(watch.master)

    assert watch.next_at(moved) == 1 + WHOLE

    assert watch.state == "changed"
    assert watch.row.last_change == watch.row.pending_since == watch.row.last_look


def test_a_stage_is_noticed_within_two_looks(watch: Watched) -> None:
    watch.tick()
    watch.next()
    watch.next()
    _add_stage(watch.master)

    watch.notice(looks=2)


def test_an_option_and_a_moved_field_are_noticed(watch: Watched) -> None:
    field = add(watch.master, "field", entity="contacts", name="Colour", type="select", enums=["red"])
    group = add(watch.master, "group", entity="contacts", name="More")
    watch.bring()
    watch.tick()

    change(watch.master, "field", field.id, group_id=group.id)
    assert watch.next_at("custom_fields/contacts") == 1 + WHOLE
    watch.bring()
    watch.tick()
    add(watch.master, "enum", field_id=field.id, value="blue")
    assert watch.next_at("custom_fields/contacts") == 1 + WHOLE
    assert watch.state == "changed"


@pytest.mark.parametrize("shown", ["null", "default"])
def test_how_kommo_shows_the_main_group_is_no_change(watch: Watched, shown: str) -> None:
    watch.house.world.variants.main_group_shown_as = shown
    watch.bring()
    watch.tick()

    assert watch.next_at("custom_fields/leads") == 1


def test_what_a_list_shows_in_another_way_than_a_whole_reading_costs_one_whole_reading(watch: Watched) -> None:
    """A stage with a description that nobody can read is left out of a whole reading, and is in the list of stages."""
    _describe(watch.master)
    stage = next(iter(watch.master.pipelines.values())).ordinary[0]
    stage.descriptions["newbie"].level = None  # type: ignore[assignment]
    watch.bring()
    watch.tick()

    assert [watch.next_at("pipelines") for _ in range(3)] == [1 + WHOLE, 1, 1]
    assert (watch.state, watch.row.last_change) == ("idle", None)


# -- the base --


def test_a_master_that_no_run_has_brought_is_a_change(watch: Watched) -> None:
    _add_stage(watch.master)

    watch.tick()

    assert watch.state == "changed"


def test_without_any_run_the_master_is_a_change(house: House) -> None:
    with watched(house) as watch:
        watch.tick()
        assert watch.state == "changed"


@pytest.mark.parametrize(
    ("columns", "counts"),
    [
        ({}, True),
        ({"state": "partial"}, False),
        ({"mode": "plan", "state": "planned"}, False),
        ({"whole_group": False}, False),
        ({"purpose": "rollback"}, False),
        ({"trigger": "heal"}, False),
        ({"trigger": "watch", "delta": True}, True),
    ],
)
def test_the_base_is_what_a_run_brought_to_the_whole_group_and_well(
    db: None, columns: dict[str, object], counts: bool
) -> None:
    snapshot = store_master(GroupFactory().pk, Scope.FULL, Snapshot(()))
    run = RunFactory(snapshot=snapshot, **columns)
    row = Watch.objects.create(group=run.group)

    learn_of_runs(row, Scope.FULL)

    assert (row.fingerprint, row.run_id) == ((snapshot.fingerprint, run.pk) if counts else ("", None))


def test_of_several_runs_the_last_one_is_the_base(watch: Watched) -> None:
    _add_stage(watch.master)
    watch.bring()
    pipeline = next(iter(watch.master.pipelines.values()))
    remove(watch.master, "stage", [pipeline.id, pipeline.stage("Won back").id])

    watch.tick()

    assert watch.state == "changed"


def test_switched_off_it_forgets_and_switched_on_it_begins_anew(watch: Watched) -> None:
    watch.tick()
    _add_stage(watch.master)
    watch.notice()
    watch.policy(watch="off")

    assert watch.tick(1000) == 0
    row = watch.row
    assert (row.state, row.collections, row.looks, row.pending_fingerprint) == ("off", {}, 0, "")
    assert (row.next_look, row.due_at, row.last_look) == (None, None, None)
    remove(watch.master, "stage", [(p := next(iter(watch.master.pipelines.values()))).id, p.stage("Won back").id])
    watch.policy(watch="apply")
    assert watch.tick() == WHOLE
    assert watch.state == "idle"


def test_another_master_is_looked_at_anew_and_the_change_of_the_old_one_is_dropped(watch: Watched) -> None:
    watch.tick()
    _add_stage(watch.master)
    watch.notice()
    Account.objects.filter(subdomain="master").update(role="slave")
    Account.objects.filter(subdomain="north").update(role="master")
    before = len(watch.house.world.log)

    watch.clock.shift(timedelta(hours=2))
    assert watcher.send_due() == 1
    row = watch.row
    assert (row.pending_fingerprint, row.collections, row.master.subdomain) == ("", {}, "north")
    watcher.look(watch.house.group.pk, supervisor_sign())

    log = list(watch.house.world.log)[before:]
    assert {(record.subdomain, record.method) for record in log} == {("north", "GET")}
    assert not watch.runs
    assert watch.state == "changed"  # no run has brought this one: it waits for the quiet period


def test_a_master_that_is_swapped_during_a_look_has_nothing_stored_of_it(watch: Watched) -> None:
    watch.tick()
    claimed = watcher._claim(watch.house.group.pk, at_once=True, whole=True)
    assert claimed is not None
    _add_stage(watch.master)
    sighting = watcher._see(claimed, supervisor_sign())
    Account.objects.filter(subdomain="master").update(role="slave")
    Account.objects.filter(subdomain="north").update(role="master")

    assert watcher.conclude(claimed, sighting) is None
    assert not watch.row.pending_fingerprint
    assert watch.row.next_look <= timezone.now()


# -- several workers, and those that die --


def test_of_workers_that_look_at_the_same_moment_one_does(watch: Watched) -> None:
    watch.tick()
    watch.clock.shift(timedelta(minutes=5))
    before = len(watch.house.world.log)

    def look() -> bool:
        try:
            return watcher.look(watch.house.group.pk, supervisor_sign()) is not None
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        looks = list(pool.map(lambda _: look(), range(6)))

    assert sum(looks) == 1
    assert len(watch.house.world.log) == before + 1
    assert watch.row.looks == 2


def test_a_worker_that_dies_in_a_look_costs_its_time_and_the_next_look_makes_it_up(watch: Watched) -> None:
    watch.tick()
    watch.next()
    _add_stage(watch.master)
    watch.clock.shift(timedelta(minutes=5))
    assert watcher._claim(watch.house.group.pk, at_once=False, whole=False) is not None  # and it dies

    assert watch.tick() == 0
    assert watch.next() == 1 + WHOLE
    assert watch.state == "changed"


def test_a_worker_that_comes_back_late_changes_nothing(watch: Watched) -> None:
    watch.tick()
    watch.clock.shift(timedelta(minutes=5))
    claimed = watcher._claim(watch.house.group.pk, at_once=False, whole=False)
    assert claimed is not None
    sighting = watcher._see(claimed, supervisor_sign())
    watch.next()
    stored = Watch.objects.values().get()

    assert watcher.conclude(claimed, sighting) is None
    assert Watch.objects.values().get() == stored


def test_a_message_that_comes_twice_or_late_looks_once(watch: Watched) -> None:
    watch.tick()
    watch.clock.shift(timedelta(minutes=5))
    sign = supervisor_sign()

    assert watcher.look(watch.house.group.pk, sign) is not None
    assert watcher.look(watch.house.group.pk, sign) is None


def test_a_look_that_a_stopping_worker_hands_back_is_due_at_once(watch: Watched) -> None:
    class Set:
        def is_set(self) -> bool:
            return True

    watch.tick()
    watch.clock.shift(timedelta(minutes=5))

    assert watcher.look(watch.house.group.pk, Set()) is None
    row = watch.row
    assert (row.failures, row.looks, row.next_look <= timezone.now()) == (0, 1, True)
    assert watch.tick() == 1


def test_the_slaves_are_never_asked(watch: Watched) -> None:
    asked = {name: len(watch.house.world.log.of(name)) for name in SLAVES}
    watch.tick()
    _add_stage(watch.master)
    watch.notice()
    assert asked == {name: len(watch.house.world.log.of(name)) for name in SLAVES}
