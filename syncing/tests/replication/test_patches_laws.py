"""Laws of writing options: whatever gets lost, is refused, or is added by a person meanwhile."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given

from accounts.simulator.seed import drift
from accounts.simulator.server import RunningServer
from accounts.tests import laws
from accounts.tests.laws import seeds
from syncing.engine.pending import UNCERTAIN
from syncing.tests.branches import Branch, Scene
from syncing.tests.replication.law_scenes import fill, scene_of

pytestmark = pytest.mark.law
law = laws.law(daily=6)
LOST = ("reset_applied", "504_applied", "500_applied", "empty", "garbage", "reset", "504", "500")
SPELLINGS = ("dotted", "brackets", "pointer", "indexed", "short", "none")


def edit(scene: Scene, rng: Random) -> None:
    """The master moves on, and this Kommo refuses some of it."""
    drift(scene.master, rng.randrange(10_000), edits=4)
    selects = [each for entity in ("leads", "contacts") for each in scene.master.fields[entity].values() if each.enums]
    added = []
    for item in selects:
        for _ in range(rng.randint(0, 3)):
            added.append(f"new {rng.randrange(10_000)}")
            scene.master.add_enum(item, added[-1])
    scene.world.variants.refused_options = ",".join(rng.sample(added, min(len(added), rng.choice((0, 1, 2)))))
    scene.world.variants.refused_colors = rng.choice(("", "#fffeb2,#ffdc7f", "#98cbff"))


def lose(scene: Scene, north: Branch, rng: Random) -> None:
    """Some answers to PATCHes of options are lost, and a person adds one and picks it before the next request."""

    def person() -> None:
        selects = [each for each in north.account.fields["leads"].values() if each.enums]
        if selects:
            north.account.add_enum(rng.choice(selects), f"own {rng.randrange(10_000)}")
            fill(north.account, rng)

    for _ in range(rng.randint(0, 3)):
        facts = {"path": "/leads/custom_fields", "skip": rng.randint(0, 2), "holds": "value", "meanwhile": person}
        scene.fault(rng.choice(LOST), north, method="PATCH", **facts)


@law
@given(seed=seeds)
def test_no_value_is_lost_and_nothing_multiplies_whatever_becomes_of_a_patch(
    anywhere: RunningServer, seed: int
) -> None:
    rng = Random(f"patch/{seed}")
    scene = scene_of(anywhere, seed)
    scene.world.variants.complaint_paths = rng.choice(SPELLINGS)
    north = scene.branch()
    north.sync(scene.desired())
    fill(north.account, rng)

    for _ in range(2):
        edit(scene, rng)
        desired = scene.desired()
        lose(scene, north, rng)
        result = north.sync(desired)
        scene.world.faults.clear()
        assert north.wounds == (0, 0, 0)
        assert result.requests <= 150
    scene.world.variants.refused_options = scene.world.variants.refused_colors = ""
    north.sync(desired)
    if (left := north.sync(desired)).reason == "conflict":
        assert {row["message"] for row in left.document["conflicts"]} == {UNCERTAIN}
        assert north.pending, "an answer was lost, and a person has added another: a person decides"
        north.pending.clear()  # as with --force
        north.sync(desired)

    assert north.sync(desired).state == "in_sync"
    for entity, fields in north.account.fields.items():
        for item in fields.values():
            twin = next((each for each in scene.master.fields[entity].values() if each.name == item.name), None)
            wanted = Counter(enum.value for enum in twin.enums) if twin else Counter()
            assert all(count <= max(1, wanted[value]) for value, count in counted(item.enums).items())


def counted(enums: list) -> Counter[str]:  # type: ignore[type-arg]
    return Counter(enum.value for enum in enums)
