"""Laws under servers that do not do as documented: other names, late readings, lost answers."""

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given

from accounts.simulator.account import SimAccount
from accounts.simulator.model import ENTITIES
from accounts.simulator.server import RunningServer
from accounts.simulator.spelling import WAYS
from accounts.tests import laws
from accounts.tests.laws import seeds
from syncing.tests.branches import Branch, Killed, Scene, inventory
from syncing.tests.replication.law_scenes import ids_of, leads_of, scene_of, slave_of

pytestmark = pytest.mark.law
law = laws.law(daily=2)
RUNS = 4
TWISTS = (
    "{} 😀 more", "{} & Sons", "<b>{}</b>", '"{}"', " {} ", "{}  twice", "É{}", "{} " + "long" * 8, "\u200b{}", "{}'s",
)  # fmt: skip
LOST = ("reset_applied", "504_applied", "500_applied", "garbage", "empty")


def sizes(account: SimAccount) -> Counter[str]:
    """How many there are of each kind, parent by parent; options as well."""
    found = Counter(pipelines=len(account.pipelines))
    for pipeline in account.pipelines.values():
        found[f"stages of {pipeline.id}"] = len(pipeline.stages)
    for entity in ENTITIES:
        found[f"groups of {entity}"] = len(account.groups[entity])
        found[f"fields of {entity}"] = len(account.fields[entity])
        for item in account.fields[entity].values():
            found[f"options of {item.id}"] = len(item.enums)
    return found


def twist(account: SimAccount, rng: Random) -> None:
    """Names as people give them."""
    items: list[Any] = list(account.pipelines.values())
    items += [stage for pipeline in account.pipelines.values() for stage in pipeline.ordinary]
    for entity in ENTITIES:
        items += [group for group in account.groups[entity].values() if not group.is_predefined]
        items += [item for item in account.fields[entity].values() if not item.is_predefined]
    for item in items:
        if rng.random() < 0.3:
            item.name = rng.choice(TWISTS).format(item.name)
        for enum in getattr(item, "enums", ()):
            if rng.random() < 0.3:
                enum.value = rng.choice(TWISTS).format(enum.value)


def own_variants(branch: Branch, **variants: Any) -> None:
    """What only this account's server does."""
    branch.account.variants = replace(branch.account.variants, **variants)


def come_to_rest(scene: Scene, branch: Branch) -> None:
    """After trouble, with a sound server: the next runs repair, then change nothing."""
    scene.world.faults.clear()
    for _ in range(2):
        result = branch.sync(scene.desired())
    again = branch.sync(scene.desired())
    assert again.state == "in_sync" or result.reason == "conflict", again.document
    assert again.document["changes"] == []


@law
@given(seed=seeds)
def test_names_that_read_back_otherwise_multiply_nothing(anywhere: RunningServer, seed: int) -> None:
    scene, rng = scene_of(anywhere, seed), Random(f"names/{seed}")
    twist(scene.master, rng)
    south = slave_of(scene, seed)
    ways = ",".join(rng.sample(sorted(WAYS), rng.randint(1, 2)))
    own_variants(south, **{rng.choice(("stored_names", "shown_names")): ways})
    before, leads, wounds = ids_of(south.account), leads_of(south.account), south.wounds

    for _ in range(2):  # what the first run skips, as something of its group was refused, is made by the second
        south.sync(scene.desired())
    made = sizes(south.account)
    for _ in range(RUNS):
        south.sync(scene.desired())
        assert sizes(south.account) == made, ways

    assert before <= ids_of(south.account), "nothing that was there is gone"
    assert leads_of(south.account) == leads
    assert south.wounds == wounds


@law
@given(seed=seeds)
def test_what_nobody_changed_is_never_written_otherwise_than_it_was_read(anywhere: RunningServer, seed: int) -> None:
    """A server that escapes: what is written comes to rest, it does not grow from run to run."""
    scene, rng = scene_of(anywhere, seed), Random(f"escape/{seed}")
    twist(scene.master, rng)
    south = slave_of(scene, seed)
    own_variants(south, **{rng.choice(("stored_names", "shown_names")): rng.choice(("escape", "escape_plain"))})
    south.sync(scene.desired())
    south.sync(scene.desired())
    kept = inventory(south.account)

    for _ in range(RUNS):
        south.sync(scene.desired())

    assert inventory(south.account) == kept


@law
@given(seed=seeds)
def test_late_readings_create_nothing_twice_and_lose_nothing(anywhere: RunningServer, seed: int) -> None:
    scene, rng = scene_of(anywhere, seed), Random(f"late/{seed}")
    south = slave_of(scene, seed)
    wanted = sizes_after(scene, seed)
    before, leads, wounds = ids_of(south.account), leads_of(south.account), south.wounds
    south.account.clock = lambda: 1_800_000_000 + south.clock.now  # what the client waits is what goes by
    own_variants(south, stale_seconds=rng.uniform(0.5, 3))
    for _ in range(2):
        for _ in range(rng.choice((0, 1, 3))):
            kind, method = rng.choice((*LOST, "500", "504")), rng.choice(("POST", "PATCH"))
            scene.fault(kind, south, method=method, skip=rng.randint(0, 3))
        south.sync(scene.desired())
    own_variants(south, stale_seconds=0.0)

    come_to_rest(scene, south)

    assert sum(sizes(south.account).values()) == wanted
    assert before <= ids_of(south.account)
    assert leads_of(south.account) == leads
    assert south.wounds == wounds


def sizes_after(scene: Scene, seed: int) -> int:
    """How much a slave like this one has after an undisturbed run."""
    twin = slave_of(scene, seed, "twin")
    twin.sync(scene.desired())
    twin.sync(scene.desired())
    return sum(sizes(twin.account).values())


@law
@given(seed=seeds)
def test_lost_answers_of_writes_that_create_lose_no_value_and_make_nothing_twice(
    anywhere: RunningServer, seed: int
) -> None:
    scene, rng = scene_of(anywhere, seed), Random(f"lost/{seed}")
    south = slave_of(scene, seed)
    wanted = sizes_after(scene, seed)
    before, leads, wounds = ids_of(south.account), leads_of(south.account), south.wounds
    if rng.random() < 0.3:
        south.dies_at = rng.randint(1, 40)
    for _ in range(rng.randint(1, 4)):
        method = rng.choice(("PATCH", "PATCH", "POST"))
        scene.fault(rng.choice(LOST), south, method=method, skip=rng.randint(0, 6), times=rng.randint(1, 2))
    with suppress(Killed):
        south.sync(scene.desired())
    south.dies_at = None

    come_to_rest(scene, south)

    assert sum(sizes(south.account).values()) == wanted
    assert before <= ids_of(south.account)
    assert leads_of(south.account) == leads
    assert south.wounds == wounds
