"""Deletions of a run that is killed, or whose answers get lost (`accounts.tests.laws`)."""

from contextlib import suppress

import pytest
from hypothesis import given

from accounts.simulator.server import RunningServer
from accounts.simulator.world import World
from accounts.tests import laws
from accounts.tests.laws import IS_DEEP, seeds
from syncing.engine.refs import Kind
from syncing.engine.snapshot import Snapshot
from syncing.tests.branches import Branch, Killed, Scene, inventory
from syncing.tests.replication.policy_stories import ALL, OURS, Key, Story, existing

pytestmark = pytest.mark.law
law = laws.law(daily=3)
TROUBLE = ("reset", "reset_applied", "504", "504_applied", "500", "500_applied", "garbage", "429", "no_content", "half")


@law
@given(seed=seeds)
def test_whatever_befalls_a_run_nothing_is_lost_and_the_next_one_gets_there(anywhere: RunningServer, seed: int) -> None:
    story = Story(anywhere, seed)
    south, rng = story.south, story.rng
    rules = rng.choice((OURS, ALL))
    story.sync(rules)
    story.live()
    desired, before, made = story.desired(), existing(south.account), set(south.created)
    with story.watched():
        if seed % 2:
            south.dies_at = rng.randint(1, 60)
        for _ in range(rng.randint(1, 3)):
            facts = {"method": rng.choice((None, "GET", "POST", "PATCH", "DELETE")), "skip": rng.randint(0, 20)}
            story.scene.fault(rng.choice(TROUBLE), south, **facts)
        with suppress(Killed):
            south.sync(desired, rules=rules)
    south.dies_at = None
    story.scene.world.faults.clear()
    assert rules is ALL or before - existing(south.account) <= made

    result = story.sync(rules, desired)

    story.settled(rules, result)


# -- at every moment --


def furnished(anywhere: RunningServer) -> tuple[Scene, Snapshot, Snapshot]:
    """A master with two of each kind, as it is at first and when one of each kind has gone."""
    anywhere.world = anywhere.app.world = World()
    anywhere.world.limits.key = "none"
    scene = Scene(anywhere)
    master = scene.master
    sales = master.add_pipeline("Sales", stages=["New", "Offer", "Deal"])
    old = master.add_pipeline("Old", stages=["Was"])
    group = master.add_group("leads", "Deal")
    source = master.add_field("leads", "Source", "select", enums=["Web", "Fair", "Radio"], group=group)
    note = master.add_field("leads", "Note", group=group, required_statuses=[(sales.id, sales.stage("Offer").id)])
    first = scene.desired()
    master.delete_stage(sales, sales.stage("Offer"))
    master.delete_pipeline(old)
    master.delete_enum(source, source.enum("Fair"))
    master.delete_enum(source, source.enum("Web"))
    master.delete_field(note)
    master.delete_group("leads", group)
    sales.name = "Deals"
    return scene, first, scene.desired()


def grown(scene: Scene, first: Snapshot, name: str) -> Branch:
    """A branch that has what the master had at first, and something of its own."""
    branch = scene.branch(name)
    branch.sync(first, rules=OURS)
    account = branch.account
    account.add_stage(account.pipeline("Sales"), "Own")
    account.add_enum(account.field("leads", "Source"), "Own")
    account.add_lead(account.pipeline("Sales").id, account.pipeline("Sales").stage("Deal").id)
    return branch


def test_killed_anywhere_among_deletions_and_run_again_ends_in_the_same_state(anywhere: RunningServer) -> None:
    scene, first, desired = furnished(anywhere)
    quiet = grown(scene, first, "quiet")
    assert quiet.sync(desired, rules=OURS).state == "changed"
    reference, events = inventory(quiet.account), quiet.events
    for moment in range(1, events + 1, 1 if IS_DEEP else 7):
        north = grown(scene, first, f"north-{moment}")
        north.dies_at = moment
        with pytest.raises(Killed):
            north.sync(desired, rules=OURS)
        north.dies_at = None

        result = north.sync(desired, rules=OURS)

        assert result.state in ("changed", "in_sync"), (moment, result.document["changes"])
        assert inventory(north.account) == reference, moment
        assert north.sync(desired, rules=OURS).state == "in_sync", moment
        assert north.wounds == (0, 0, 0), moment
        assert {key for key in north.created if key in existing(north.account)} == north.created - _vanished(north), (
            moment
        )


def _vanished(branch: Branch) -> set[Key]:
    """What we made and went unseen when the process died: remembered, and harmless."""
    return {key for key in branch.created if key not in existing(branch.account) and not _is_system(key)}


def _is_system(key: Key) -> bool:
    return key[0] is Kind.STAGE and key[1].rpartition("/")[2] in ("142", "143")


DELETIONS = [
    ("DELETE", "/statuses/"), ("DELETE", "/leads/pipelines/"), ("DELETE", "/custom_fields/"), ("DELETE", "/groups/"),
    ("PATCH", "/leads/custom_fields/"),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["reset", "reset_applied", "504", "504_applied", "500_applied", "garbage"])
def test_a_lost_answer_to_a_deletion_loses_nothing_else_and_does_nothing_twice(
    anywhere: RunningServer, kind: str
) -> None:
    scene, first, desired = furnished(anywhere)
    quiet = grown(scene, first, "quiet")
    quiet.sync(desired, rules=OURS)
    north = grown(scene, first, "north")
    faults = [scene.fault(kind, north, method=method, path=path) for method, path in DELETIONS]

    result = north.sync(desired, rules=OURS)

    assert [fault.hits for fault in faults] == [1] * len(faults)
    assert (result.state, result.reason) == ("changed", None), result.document
    assert {row["outcome"] for row in result.document["changes"]} == {"done"}
    assert inventory(north.account) == inventory(quiet.account)
    assert north.sync(desired, rules=OURS).state == "in_sync"
    assert north.wounds == (0, 0, 0)


@pytest.mark.parametrize(("method", "path"), [("DELETE", ""), ("PATCH", "/leads/custom_fields/")])
def test_deletions_that_never_get_through_are_failed_and_made_by_the_next_run(
    anywhere: RunningServer, method: str, path: str
) -> None:
    scene, first, desired = furnished(anywhere)
    north = grown(scene, first, "north")
    scene.fault("504", north, method=method, path=path, times=None)

    result = north.sync(desired, rules=OURS)
    scene.world.faults.clear()
    again = north.sync(desired, rules=OURS)

    assert (result.state, result.reason) == ("partial", "server_error")
    assert not result.converged
    assert again.state == "changed"
    assert north.sync(desired, rules=OURS).state == "in_sync"
