"""Laws of deltas: whatever they do not read, a whole run finds nothing that they have left (`accounts.tests.laws`)."""

from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given

from accounts.simulator.account import SimAccount
from accounts.simulator.seed import drift
from accounts.simulator.server import RunningServer
from accounts.tests import laws
from accounts.tests.laws import seeds
from syncing.adapters.outcomes import ADOPT, Outcome
from syncing.engine.delta import ListName, list_of, touched_part
from syncing.engine.refs import Kind, Scope
from syncing.engine.rules import NO_RULES, ExclusionRule, Rules
from syncing.tests.branches import Branch, Killed, Scene, read
from syncing.tests.random_edits import edit
from syncing.tests.replication.law_scenes import ids_of, leads_of, scene_of, slave_of
from syncing.tests.replication.policy_stories import OURS
from syncing.tests.replication.test_laws import visible_differences
from syncing.tests.replication.test_odd_laws import LOST, come_to_rest, own_variants, sizes

pytestmark = pytest.mark.law
law = laws.law(daily=4, cost=4)


def rules_of(scene: Scene, rng: Random) -> Rules:
    """No rules, deletions of what we made, or something of the master left out."""
    names = [(Kind.PIPELINE, each.name) for each in scene.master.ordered_pipelines]
    names += [(Kind.FIELD_GROUP, each.name) for each in scene.master.groups["leads"].values()]
    names += [(Kind.CUSTOM_FIELD, each.name) for each in scene.master.fields["leads"].values()]
    excluded = frozenset(ExclusionRule(*each) for each in rng.sample(names, min(2, len(names))))
    return rng.choice((NO_RULES, NO_RULES, OURS, Rules(exclusions=excluded)))


@law
@given(seed=seeds)
def test_after_any_series_of_deltas_a_whole_run_finds_nothing(anywhere: RunningServer, seed: int) -> None:
    rng = Random(f"delta/{seed}")
    scene = scene_of(anywhere, seed)
    rules = rules_of(scene, rng)
    south = slave_of(scene, seed)
    south.sync(scene.desired(), rules=rules)
    leads, before, wounds = leads_of(south.account), ids_of(south.account), south.wounds
    in_part = []
    for _ in range(rng.randint(1, 4)):
        edit(scene.master, rng, rng.randint(1, 2))
        result = south.follow(scene.desired(), rules=rules)
        assert result.state in ("changed", "in_sync") or result.reason == "conflict", result.document
        in_part.append(result.part is not None)
        assert south.wounds == wounds
        if rng.random() < 0.2:
            _die(scene, south, rng, rules)

    whole = south.sync(scene.desired(), rules=rules)

    if not whole.document["conflicts"]:
        assert whole.document["changes"] == [], in_part
        assert rules.exclusions or visible_differences(scene, south) == []
    assert leads_of(south.account) == leads
    assert rules.unmatched or before <= ids_of(south.account)


def _die(scene: Scene, south: Branch, rng: Random, rules: Rules) -> None:
    """The process is killed in a delta; the next attempt knows nothing for sure."""
    edit(scene.master, rng, 1)
    south.dies_at = rng.randint(1, 8)
    try:
        south.follow(scene.desired(), rules=rules)
    except Killed:
        south.equal_to = None
    south.dies_at = None
    south.sync(scene.desired(), rules=rules)


@law
@given(seed=seeds)
def test_what_deltas_leave_are_only_edits_in_lists_that_they_did_not_read(anywhere: RunningServer, seed: int) -> None:
    """Somebody works in the slave as well: all that is his own stays, and a whole run puts right what he edited."""
    rng = Random(f"edits between deltas/{seed}")
    scene = scene_of(anywhere, seed)
    south = slave_of(scene, seed)
    south.sync(scene.desired())
    edited: set[ListName] = set()
    for _ in range(rng.randint(1, 4)):
        edit(scene.master, rng, 1)
        edited |= _lists_edited(scene, south.account, rng)
        own, leads, wounds = ids_of(south.account), leads_of(south.account), south.wounds
        result = south.follow(scene.desired())
        assert result.state in ("changed", "in_sync") or result.reason == "conflict", result.document
        assert own <= ids_of(south.account), "nothing that was there is gone"
        assert (leads_of(south.account), south.wounds) == (leads, wounds)
        if result.part is None and not result.document["conflicts"]:
            edited = set()
    told = len(south.outcomes)

    whole = south.sync(scene.desired())

    assert whole.state in ("changed", "in_sync") or whole.reason == "conflict"
    if not whole.document["conflicts"]:
        assert _lists_of(south.outcomes[told:]) <= edited
        assert visible_differences(scene, south) == []
        assert south.sync(scene.desired()).document["changes"] == []


def _lists_edited(scene: Scene, account: SimAccount, rng: Random) -> set[ListName]:
    """Edits a slave, or not; returns the lists in which that shows."""
    before = read(scene.server, account)
    for _ in range(rng.choice((0, 1, 1, 2))):
        drift(account, rng.randrange(10**6), edits=1, destructive=rng.random() < 0.3)
    after = read(scene.server, account)
    return set(touched_part(before, after, Scope.FULL).lists | touched_part(after, before, Scope.FULL).lists)


def _lists_of(outcomes: Iterable[Outcome]) -> set[ListName]:
    return {list_of(each.ref) for each in outcomes if each.ref and each.action != ADOPT}


@law
@given(seed=seeds)
def test_trouble_in_deltas_makes_nothing_twice_and_loses_nothing(anywhere: RunningServer, seed: int) -> None:
    """Late readings and lost answers: it ends as in whole runs of a twin without trouble."""
    rng = Random(f"trouble/{seed}")
    scene = scene_of(anywhere, seed)
    south, twin = slave_of(scene, seed), slave_of(scene, seed, "twin")
    for branch in (south, twin):
        branch.sync(scene.desired())
    before, leads, wounds = ids_of(south.account), leads_of(south.account), south.wounds
    south.account.clock = lambda: 1_800_000_000 + south.clock.now
    for _ in range(rng.randint(1, 3)):
        edit(scene.master, rng, rng.randint(1, 2))
        own_variants(south, stale_seconds=rng.choice((0.0, rng.uniform(0.5, 3))))
        for _ in range(rng.choice((0, 0, 1, 2))):
            scene.fault(rng.choice(LOST), south, method=rng.choice(("POST", "PATCH")), skip=rng.randint(0, 1))
        south.follow(scene.desired())
        scene.world.faults.clear()
        twin.sync(scene.desired())
    own_variants(south, stale_seconds=0.0)

    come_to_rest(scene, south)
    come_to_rest(scene, twin)

    assert sum(sizes(south.account).values()) == sum(sizes(twin.account).values())
    assert before <= ids_of(south.account)
    assert (leads_of(south.account), south.wounds) == (leads, wounds)
