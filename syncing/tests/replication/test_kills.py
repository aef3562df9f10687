"""Crash-proof (guarantee 8 of docs/lifecycle.md), one account: killed anywhere and run again ends in the same state."""

import pytest

from accounts.simulator.account import SimAccount
from accounts.simulator.compare import differences
from accounts.simulator.seed import copy_configuration, drift, seed_random
from accounts.simulator.server import RunningServer
from accounts.tests.laws import IS_DEEP
from syncing.tests.branches import Branch, Killed, Scene, inventory

pytestmark = pytest.mark.law


@pytest.fixture(params=range(11, 31) if IS_DEEP else [11])
def scene(simulator: RunningServer, request: pytest.FixtureRequest) -> Scene:
    made = Scene(simulator)
    seed_random(made.master, request.param, max_pipelines=3, max_stages=4, max_fields=4, max_groups=2)
    return made


def furnish(scene: Scene, account: SimAccount, kind: str) -> None:
    """A fresh account; or one that somebody copied and went on to change by hand."""
    if kind == "drifted":
        account.pipelines.clear()
        copy_configuration(scene.master, account)
        drift(account, 5, edits=12)


def new_branch(scene: Scene, name: str, kind: str) -> Branch:
    branch = scene.branch(name)
    furnish(scene, branch.account, kind)
    return branch


@pytest.mark.parametrize("kind", ["fresh", "drifted"])
def test_killed_anywhere_and_run_again_ends_in_the_same_state(scene: Scene, kind: str) -> None:
    desired = scene.desired()
    quiet = new_branch(scene, "quiet", kind)
    assert quiet.sync(desired).state == "changed"
    reference, events = inventory(quiet.account), quiet.events
    assert events > 12
    for moment in range(1, events + 1):
        north = new_branch(scene, f"north-{moment}", kind)
        north.dies_at = moment
        with pytest.raises(Killed):
            north.sync(desired)
        north.dies_at = None

        result = north.sync(desired)

        assert result.state in ("changed", "in_sync"), (moment, result.reason, result.document["changes"])
        assert differences(scene.master, north.account) == [], moment
        assert inventory(north.account) == reference, moment
        assert north.known.keys() == quiet.known.keys(), moment
        assert north.sync(desired).state == "in_sync", moment
        assert north.wounds == (0, 0, 0), moment


@pytest.mark.parametrize("kind", ["fresh", "drifted"])
def test_killed_at_every_second_step_again_and_again_it_still_gets_there(scene: Scene, kind: str) -> None:
    """Each attempt may do a few requests more than the last; whatever was stored is never done again."""
    desired = scene.desired()
    quiet = new_branch(scene, "quiet", kind)
    quiet.sync(desired)
    north = new_branch(scene, "north", kind)
    for attempt in range(2, quiet.events, 2):
        north.dies_at = attempt
        try:
            north.sync(desired)
        except Killed:
            continue
        break
    north.dies_at = None
    north.sync(desired)

    assert inventory(north.account) == inventory(quiet.account)
    assert north.sync(desired).state == "in_sync"
