"""Whatever a person does in the master arrives, once, and nothing of the slave is lost by it."""

from collections.abc import Callable
from random import Random

import pytest

from accounts.simulator.account import SimAccount
from accounts.simulator.compare import differences
from accounts.simulator.model import MAIN_GROUP, PALETTE, SimField, SimPipeline
from accounts.simulator.seed import seed_master
from accounts.simulator.server import RunningServer
from syncing.tests.branches import Scene

Edit = Callable[[SimAccount, Random], object]


def pipeline(account: SimAccount, rng: Random) -> SimPipeline:
    return rng.choice(account.ordered_pipelines)


def field(account: SimAccount, rng: Random, *types: str) -> SimField:
    own = [item for item in account.fields["leads"].values() if not item.is_predefined]
    return rng.choice([item for item in own if not types or item.type in types])


def swap_stages(account: SimAccount, rng: Random) -> None:
    one, two = rng.sample(pipeline(account, rng).ordinary, 2)
    one.name, two.name = two.name, one.name


def swap_options(account: SimAccount, rng: Random) -> None:
    one, two = rng.sample(field(account, rng, "select").enums, 2)
    one.value, two.value = two.value, one.value


def reverse_pipelines(account: SimAccount, rng: Random) -> None:
    every = account.ordered_pipelines
    for item, sort in zip(every, sorted((each.sort for each in every), reverse=True), strict=True):
        item.sort = sort
    account.renumber_main_pipeline()


def reverse_groups(account: SimAccount, rng: Random) -> None:
    for item in account.groups["leads"].values():
        item.sort = -item.sort if not item.is_predefined else 0


def reverse_stages(account: SimAccount, rng: Random) -> None:
    item = pipeline(account, rng)
    for stage in item.ordinary:
        stage.sort = 1000 - stage.sort
    account.renumber_stages(item)


def shuffle_fields(account: SimAccount, rng: Random) -> None:
    for item in account.fields["leads"].values():
        item.sort = item.sort if item.is_predefined else rng.choice((1, 2, 3, 500, 10**6, 2 * 10**6))


def toggle_incoming(account: SimAccount, rng: Random) -> None:
    item = pipeline(account, rng)
    item.is_unsorted_on = not item.is_unsorted_on
    account.renumber_stages(item)


def require(account: SimAccount, rng: Random) -> None:
    home = pipeline(account, rng)
    field(account, rng).required_statuses = [(home.id, home.ordinary[1].id), (home.id, 142)]


EDITS: dict[str, Edit] = {
    "rename a pipeline": lambda a, rng: setattr(pipeline(a, rng), "name", "Other"),
    "rename a stage": lambda a, rng: setattr(pipeline(a, rng).ordinary[2], "name", "Other"),
    "rename a group": lambda a, rng: setattr(a.group("leads", "Group 1"), "name", "Other"),
    "rename a field": lambda a, rng: setattr(field(a, rng), "name", "Other"),
    "rename an option": lambda a, rng: setattr(field(a, rng, "select").enums[1], "value", "Other"),
    "swap the names of two stages": swap_stages,
    "swap the names of two options": swap_options,
    "recolour a stage": lambda a, rng: setattr(pipeline(a, rng).ordinary[1], "color", PALETTE[20]),
    "make another pipeline the main one": lambda a, rng: a.set_main(a.pipeline("Bench 4")),
    "put the pipelines the other way round": reverse_pipelines,
    "put the stages the other way round": reverse_stages,
    "put the groups the other way round": reverse_groups,
    "mix the fields": shuffle_fields,
    "number all fields alike": lambda a, rng: [setattr(each, "sort", 5) for each in a.fields["leads"].values()],
    "mix the options": lambda a, rng: [setattr(e, "sort", rng.randint(0, 3)) for e in field(a, rng, "select").enums],
    "switch incoming leads": toggle_incoming,
    "move a field": lambda a, rng: setattr(
        a.field("leads", "Field 1 text"), "group_id", a.group("leads", "Group 3").id
    ),
    "move a field to the main group": lambda a, rng: setattr(
        a.field("leads", "Field 2 select"), "group_id", MAIN_GROUP
    ),
    "require a field": require,
    "require nothing any more": lambda a, rng: [
        setattr(each, "required_statuses", []) for each in a.fields["leads"].values()
    ],
    "another currency": lambda a, rng: setattr(field(a, rng, "monetary"), "currency", "EUR"),
    "only by API": lambda a, rng: setattr(field(a, rng), "is_api_only", True),
    "another reminder": lambda a, rng: setattr(field(a, rng, "birthday"), "remind", "day"),
    "describe a stage": lambda a, rng: a.describe(pipeline(a, rng).ordinary[0], "newbie", "Call 🙂"),
    "add a pipeline": lambda a, rng: a.add_pipeline("New", stages=["A", "B"], sort=2),
    "add a stage": lambda a, rng: a.add_stage(pipeline(a, rng), "New", sort=35),
    "add a group": lambda a, rng: a.add_group("companies", "New", sort=0),
    "add a field": lambda a, rng: a.add_field("contacts", "New", "date", sort=505),
    "add an option": lambda a, rng: a.add_enum(field(a, rng, "multiselect"), "New", sort=0),
    "delete a stage": lambda a, rng: a.delete_stage(a.pipeline("Bench 2"), a.pipeline("Bench 2").ordinary[3]),
    "delete a pipeline": lambda a, rng: a.delete_pipeline(a.pipeline("Bench 3")),
    "delete a group": lambda a, rng: a.delete_group("leads", a.group("leads", "Group 1")),
    "delete a field": lambda a, rng: a.delete_field(field(a, rng)),
    "delete an option": lambda a, rng: (item := field(a, rng, "select")) and a.delete_enum(item, item.enums[0]),
}
NO_DIFFERENCE = {  # nothing is deleted in a slave, and equal numbers leave the order as it was
    "delete a stage", "delete a pipeline", "delete a field", "delete an option", "number all fields alike",
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_of_the_master_arrives_and_nothing_of_the_slave_is_lost(simulator: RunningServer, name: str) -> None:
    scene, rng = Scene(simulator), Random(f"edit/{name}")
    seed_master(scene.master, pipelines=4, stages=5, fields=(12, 3, 3))
    north = scene.branch()
    north.sync(scene.desired())
    choices = [item for item in north.account.fields["leads"].values() if item.enums]
    for home in north.account.ordered_pipelines:
        for stage in home.listed:
            north.account.add_lead(home.id, stage.id, {item.id: rng.choice(item.enums).id for item in choices})
    leads = {lead.id: (lead.status_id, dict(lead.values)) for lead in north.account.leads.values()}
    EDITS[name](scene.master, rng)

    result = north.sync(scene.desired())

    assert result.state == ("in_sync" if name in NO_DIFFERENCE else "changed")
    assert differences(scene.master, north.account) == []
    assert {lead.id: (lead.status_id, lead.values) for lead in north.account.leads.values()} == leads
    assert north.wounds == (0, 0, 0)
    assert north.sent("DELETE") == []
    again = north.sync(scene.desired())
    assert (again.state, again.document["changes"]) == ("in_sync", [])
