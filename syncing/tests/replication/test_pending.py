"""The same creation is never sent in two runs in a row without having seen the first one gone; also after kill -9."""

from itertools import count

import pytest

from accounts.simulator import spelling
from accounts.simulator.server import RunningServer
from accounts.tests.laws import IS_DEEP
from syncing.tests.branches import Branch, Killed, Scene

BULB = "\U0001f4a1"


@pytest.fixture
def scene(simulator: RunningServer) -> Scene:
    made = Scene(simulator)
    made.master.add_pipeline(f"A & B {BULB}", stages=[f"N & M {BULB}", f"O & P {BULB}"])
    made.master.add_stage(made.master.ordered_pipelines[0], f"S & T {BULB}")
    group = made.master.add_group("leads", f"G & H {BULB}")
    made.master.add_field("leads", f"F & G {BULB}", "select", enums=[f"x & y {BULB}", "z"], group=group)
    made.master.add_field("leads", "Old", "select", enums=["a", f"b & c {BULB}"])
    return made


def branch(scene: Scene) -> Branch:
    north = scene.branch()
    north.account.add_field("leads", "Old", "select", enums=["a"])
    return north


def counts(north: Branch) -> tuple[int, ...]:
    account = north.account
    fields = [item for fields in account.fields.values() for item in fields.values()]
    return (
        len(account.pipelines),
        sum(len(pipeline.stages) for pipeline in account.pipelines.values()),
        sum(len(groups) for groups in account.groups.values()),
        len(fields),
        sum(len(item.enums) for item in fields),
    )


@pytest.mark.law
@pytest.mark.parametrize("way", ["cut", "escape", "trim", "upper"])
def test_killed_anywhere_nothing_is_made_twice_though_names_read_back_differently(scene: Scene, way: str) -> None:
    desired = scene.desired()
    scene.world.variants.stored_names = way
    whole = branch(scene)
    whole.sync(desired)
    wanted = counts(whole)
    for at in count(1, 1 if IS_DEEP else 3):
        north = scene.branch(f"north{at}")
        north.account.add_field("leads", "Old", "select", enums=["a"])
        north.dies_at = at
        try:
            north.sync(desired)
        except Killed:
            north.dies_at = None
            north.sync(desired)
            assert counts(north) == wanted, f"died at event {at}"
            assert north.sync(desired).state in ("partial", "in_sync")
            assert counts(north) == wanted
            assert not north.pending
        else:
            break


def lost(scene: Scene) -> Branch:
    """A field was sent and made under a name that nobody could guess, no answer came; somebody made another one."""
    north = scene.branch()
    north.sync(scene.desired())
    scene.master.add_field("leads", "Fresh", "text")
    desired = scene.desired()
    scene.fault("reset_applied", north, method="POST", path="/leads/custom_fields", times=1)
    plain = north.account.next_id

    def next_id() -> int:
        if not any(item.name == "By hand" for item in north.account.fields["leads"].values()):
            north.account.next_id = plain  # type: ignore[method-assign]
            north.account.add_field("leads", "By hand", "text")
        return plain()

    north.account.next_id = next_id  # type: ignore[method-assign]
    scene.world.variants.stored_names, scene.world.variants.respelt_kinds = "reverse", "field"
    north.sync(desired)
    return north


def test_what_cannot_be_told_is_not_sent_again_in_this_run_nor_in_the_next_ones(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(spelling.WAYS, "reverse", lambda text: text[::-1])
    north = lost(scene)
    posts = len(north.sent("POST"))
    desired = scene.desired()

    again = [north.sync(desired) for _ in range(3)]

    assert {result.state for result in again} == {"partial"}
    assert len(north.sent("POST")) == posts
    (conflict,) = again[-1].document["conflicts"]
    assert (conflict["kind"], conflict["name"]) == ("custom_field", "Fresh")
    assert "cannot be told" in conflict["message"] or "may be one of the items" in conflict["message"]
    for item in list(north.account.fields["leads"].values()):
        if item.name in ("hserF", "By hand"):
            north.account.delete_field(item)
    scene.world.variants.stored_names = ""
    assert north.sync(desired).state == "changed"
    assert north.account.field("leads", "Fresh")
