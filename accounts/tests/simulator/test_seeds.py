"""Seeds are what they promise, always alike; and the judge sees every difference."""

from collections import Counter

import pytest

from accounts.simulator import edits
from accounts.simulator.compare import differences
from accounts.simulator.model import PALETTE
from accounts.simulator.seed import copy_configuration, drift, seed_demo, seed_master, seed_random
from accounts.simulator.store import dump_account
from accounts.simulator.world import World


def own(account, entity):
    return [field for field in account.fields[entity].values() if not field.is_predefined]


def test_the_bench_master_has_exactly_the_asked_size(account):
    seed_master(account, descriptions=2)
    assert [len(pipeline.ordinary) for pipeline in account.ordered_pipelines] == [8] * 5
    assert [len(own(account, entity)) for entity in ("leads", "contacts", "companies")] == [40, 20, 10]
    assert sum(not group.is_predefined for groups in account.groups.values() for group in groups.values()) == 5
    assert sum(bool(field.required_statuses) for field in own(account, "leads")) == 10
    described = [bool(pipeline.ordinary[0].descriptions) for pipeline in account.ordered_pipelines]
    assert described == [True, True, False, False, False]


def test_the_demo_is_always_alike():
    first, second = World(lambda: 5.0), World(lambda: 5.0)
    for world in (first, second):
        seed_demo(world)
    assert len(first.accounts) == 120
    assert all(dump_account(first.accounts[name]) == dump_account(second.accounts[name]) for name in first.accounts)


def test_every_branch_of_the_demo_differs_from_the_master_and_some_hold_values():
    world = World()
    master = seed_demo(world)
    branches = [account for account in world.accounts.values() if account is not master]
    assert all(differences(master, branch) for branch in branches)
    assert sum(bool(lead.values) for branch in branches for lead in branch.leads.values()) > 300


def test_no_branch_of_the_demo_has_a_conflict():
    world = World()
    master = seed_demo(world)
    for branch in world.accounts.values():
        assert max(Counter(pipeline.name for pipeline in branch.pipelines.values()).values()) == 1
        for pipeline in branch.pipelines.values():
            assert max(Counter(stage.name for stage in pipeline.stages).values()) == 1
        for entity in branch.fields:
            types = {field.name: field.type for field in own(master, entity)}
            names = Counter(field.name for field in own(branch, entity))
            assert not [name for name, number in names.items() if number > 1]
            assert all(types.get(field.name, field.type) == field.type for field in own(branch, entity))


@pytest.mark.parametrize("seed", range(20))
def test_a_whole_copy_differs_in_nothing_but_ids(world, seed):
    master = seed_random(world.add_account("master"), seed, duplicates=seed % 2 == 0, descriptions=True)
    copy = world.add_account("north", with_default_pipeline=False, language="es")
    copy_configuration(master, copy)
    assert differences(master, copy) == []
    assert not set(master.pipelines) & set(copy.pipelines)


def test_random_names_are_unique_unless_asked_otherwise(world):
    for seed in range(10):
        account = seed_random(world.add_account(f"a{seed}"), seed)
        names = Counter(pipeline.name.casefold() for pipeline in account.pipelines.values())
        names += Counter((entity, field.name) for entity in account.fields for field in own(account, entity))
        assert set(names.values()) == {1}
        assert all(stage.color in PALETTE for each in account.pipelines.values() for stage in each.ordinary)


def test_drift_says_what_it_did_and_repeats_itself(world):
    accounts = [seed_master(world.add_account(name)) for name in ("north", "south")]
    said = [drift(account, 7, edits=30) for account in accounts]
    assert said[0] == said[1]
    assert len(said[0]) == 30


def test_gentle_drift_neither_renames_nor_deletes(world):
    account = seed_master(world.add_account("north"))
    before = {stage.id: stage.name for pipeline in account.pipelines.values() for stage in pipeline.stages}
    drift(account, 3, edits=40, destructive=False)
    after = {stage.id: stage.name for pipeline in account.pipelines.values() for stage in pipeline.stages}
    assert before.items() <= after.items()
    assert account.lost_values == account.moved_leads == 0


@pytest.fixture
def pair(world):
    """A bench master and an account in sync with it."""
    master = seed_master(world.add_account("master"), descriptions=1)
    north = world.add_account("north", with_default_pipeline=False)
    copy_configuration(master, north)
    return master, north


CHANGES = {
    "name of a stage": lambda a: setattr(a.stage("Bench 2", "Stage 2.3"), "name", "X"),
    "colour of a stage": lambda a: setattr(a.stage("Bench 2", "Stage 2.3"), "color", "#eb93ff"),
    "order of stages": lambda a: edits.change(a, "stage", _key(a, "Stage 1.1"), sort=9000),
    "description": lambda a: a.stage("Bench 1", "Stage 1.1").descriptions.clear(),
    "main pipeline": lambda a: a.set_main(a.pipeline("Bench 3")),
    "unsorted": lambda a: setattr(a.pipeline("Bench 3"), "is_unsorted_on", False),
    "order of pipelines": lambda a: setattr(a.pipeline("Bench 2"), "sort", 99),
    "group": lambda a: setattr(a.group("leads", "Group 1"), "name", "X"),
    "membership": lambda a: setattr(a.field("leads", "Field 2 select"), "group_id", "default"),
    "order of fields": lambda a: setattr(a.field("leads", "Field 2 select"), "sort", 999),
    "type": lambda a: setattr(a.field("leads", "Field 1 text"), "type", "textarea"),
    "option": lambda a: edits.remove(a, "enum", _enum(a)),
    "order of options": lambda a: setattr(a.field("leads", "Field 2 select").enums[0], "sort", 999),
    "currency": lambda a: setattr(a.field("leads", "Field 10 monetary"), "currency", "EUR"),
    "remind": lambda a: setattr(a.field("leads", "Field 11 birthday"), "remind", "day"),
    "required": lambda a: a.field("leads", "Field 1 text").required_statuses.pop(),
    "one required too many": lambda a: a.field("leads", "Field 1 text").required_statuses.append(
        (a.pipeline("Bench 4").id, 143)
    ),
    "api only": lambda a: setattr(a.field("companies", "Field 1 text"), "is_api_only", True),
}


def _key(account, stage):
    pipeline = account.pipeline("Bench 1")
    return [pipeline.id, pipeline.stage(stage).id]


def _enum(account):
    field = account.field("leads", "Field 2 select")
    return [field.id, field.enums[0].id]


@pytest.mark.parametrize("what", CHANGES)
def test_the_judge_sees_each_kind_of_difference(pair, what):
    master, north = pair
    CHANGES[what](north)
    assert differences(master, north)


def test_the_judge_leaves_own_things_of_the_slave_alone(pair):
    master, north = pair
    stage = north.add_stage(north.pipeline("Bench 1"), "Own", sort=35)
    field = north.add_field("leads", "Own", "text")
    north.add_enum(north.field("leads", "Field 2 select"), "Own", sort=1)
    north.field("leads", "Field 1 text").required_statuses.append((north.pipeline("Bench 1").id, stage.id))
    north.add_group("leads", "Own")
    assert field.id
    assert differences(master, north) == []
