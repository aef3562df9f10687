"""Laws that hold for any master and any slave (`accounts.tests.laws`)."""

import json
import re
from random import Random

import pytest
from hypothesis import given

from accounts.simulator.account import SimAccount
from accounts.simulator.compare import differences
from accounts.simulator.seed import drift
from accounts.simulator.server import RunningServer
from accounts.tests import laws
from accounts.tests.laws import seeds
from syncing.adapters.reader import Reader
from syncing.engine.plan import make_plan
from syncing.engine.refs import Scope
from syncing.engine.snapshot import Snapshot, fingerprint, from_document, to_document
from syncing.tests.branches import Branch, Scene, client_of, inventory
from syncing.tests.replication.law_scenes import ids_of, leads_of, scene_of, slave_of

pytestmark = pytest.mark.law
law = laws.law(daily=8)
ODD = (("name", None), ("id", "x"), ("sort", "high"), ("type", {}), ("enums.0.value", None), ("required_statuses", 7))


def visible_differences(scene: Scene, branch: Branch) -> list[str]:
    found = differences(scene.master, branch.account)
    return [each for each in found if branch.account.super_fields or "hidden_statuses" not in each]


@law
@given(seed=seeds)
def test_a_plan_for_itself_is_empty(anywhere: RunningServer, seed: int) -> None:
    scene = scene_of(anywhere, seed, duplicates=seed % 2 == 0)
    same = scene.desired()
    for scope in Scope:
        plan = make_plan(same, same, {}, scope)
        assert (plan.changes, plan.conflicts, plan.extras) == ((), (), ())


@law
@given(seed=seeds)
def test_after_an_apply_the_plan_is_empty_and_nothing_of_the_slave_is_lost(anywhere: RunningServer, seed: int) -> None:
    scene = scene_of(anywhere, seed)
    south = slave_of(scene, seed)
    desired, leads, before = scene.desired(), leads_of(south.account), ids_of(south.account)
    wounds = south.wounds

    first = south.sync(desired)
    again = south.sync(desired)

    assert first.state in ("changed", "in_sync") or first.reason == "conflict", first.document
    if not first.document["conflicts"]:
        assert visible_differences(scene, south) == []
        assert again.state == "in_sync"
    assert again.document["changes"] == []
    assert leads_of(south.account) == leads
    assert south.wounds == wounds
    assert before <= ids_of(south.account), "nothing that was there is gone"


@law
@given(seed=seeds)
def test_no_id_of_the_slave_ever_appears_in_a_plan(anywhere: RunningServer, seed: int) -> None:
    scene = scene_of(anywhere, seed)
    south = slave_of(scene, seed)
    desired = scene.desired()
    own = {str(number) for number in ids_of(south.account)} - {"142", "143", "default", "statistic"}

    planned = south.sync(desired, writes=False)
    done = south.sync(desired)

    own |= {str(number) for number in ids_of(south.account)} - {"142", "143", "default", "statistic"}
    for result in (planned, done):
        text = json.dumps(result.document, ensure_ascii=False)
        assert own.isdisjoint(re.findall(r"\w+", text))


@law
@given(seed=seeds)
def test_equal_plans_in_different_accounts_have_the_same_digest(anywhere: RunningServer, seed: int) -> None:
    scene = scene_of(anywhere, seed)
    south, twin = slave_of(scene, seed), None
    scene.branch("between")  # so that no id of the twin is the same
    twin = slave_of(scene, seed, "twin")
    desired = scene.desired()

    digests = [branch.sync(desired, writes=False).digest for branch in (south, twin)]

    assert digests[0] == digests[1] != ""
    south.sync(desired)
    assert south.sync(desired, writes=False).digest != digests[0] or south.sync(desired).state == "in_sync"


@law
@given(seed=seeds)
def test_a_changed_master_is_followed_without_losing_anything(anywhere: RunningServer, seed: int) -> None:
    scene = scene_of(anywhere, seed)
    south = slave_of(scene, seed)
    south.sync(scene.desired())
    drift(scene.master, seed + 77_777, edits=5)
    drift(south.account, seed + 1, edits=3, destructive=False)
    leads, wounds = leads_of(south.account), south.wounds

    result = south.sync(scene.desired())

    assert result.state in ("changed", "in_sync") or result.reason == "conflict", result.document
    if not result.document["conflicts"]:
        assert visible_differences(scene, south) == []
    assert leads_of(south.account) == leads
    assert south.wounds == wounds


def make_odd(scene: Scene, branch: Branch | None, rng: Random) -> None:
    """Some items of an account read oddly from now on."""
    account = branch.account if branch else scene.master
    found = [*account.pipelines.values(), *(stage for each in account.pipelines.values() for stage in each.ordinary)]
    found += [item for items in account.fields.values() for item in items.values()]
    for item in rng.sample(found, 3):
        at, value = rng.choice(ODD)
        if "enums" not in at or getattr(item, "enums", ()):
            scene.fault("odd", branch, method="GET", item=item.id, at=at, value=value, times=None)


@law
@given(seed=seeds)
def test_what_reads_oddly_is_neither_lost_nor_made_twice_and_comes_to_rest(anywhere: RunningServer, seed: int) -> None:
    rng = Random(f"odd/{seed}")
    scene = scene_of(anywhere, seed)
    south = slave_of(scene, seed)
    if rng.random() < 0.5:
        south.sync(scene.desired())
    leads, wounds, before = leads_of(south.account), south.wounds, ids_of(south.account)
    for branch in rng.choice(([None], [south], [None, south])):
        make_odd(scene, branch, rng)

    first, again = south.sync(scene.desired()), south.sync(scene.desired())

    assert first.state in ("changed", "in_sync", "partial"), first.error
    assert again.document["changes"] == []
    assert before <= ids_of(south.account)
    assert (leads_of(south.account), south.wounds) == (leads, wounds)
    scene.world.faults.clear()
    last = south.sync(scene.desired())
    if not last.document["conflicts"]:
        assert visible_differences(scene, south) == []
        assert south.sync(scene.desired()).state == "in_sync"
    assert before <= ids_of(south.account)


@law
@given(seed=seeds)
def test_names_that_differ_in_case_only_are_never_taken_for_each_other(anywhere: RunningServer, seed: int) -> None:
    """A slave that has all of them by their exact names has nothing renamed, moved or made."""
    rng = Random(f"case/{seed}")
    scene = scene_of(anywhere, seed)
    twins(scene.master, rng)
    south = scene.branch("south")
    south.sync(scene.desired())
    south.known.clear()
    before = ids_of(south.account)

    again = south.sync(scene.desired())

    assert (again.state, again.document["changes"], again.document["conflicts"]) == ("in_sync", [], [])
    assert ids_of(south.account) == before
    assert visible_differences(scene, south) == []


def twins(account: SimAccount, rng: Random) -> None:
    """Of everything that people name there is another one in other letters."""
    other = rng.choice((str.upper, str.lower, str.swapcase))
    for pipeline in list(account.pipelines.values()):
        for stage in list(pipeline.ordinary):
            if other(stage.name) != stage.name:
                account.add_stage(pipeline, other(stage.name))
    for item in list(account.fields["leads"].values()):
        if item.type == "text" and not item.is_predefined and other(item.name) != item.name:
            account.add_field("leads", other(item.name))
        if item.type == "select":
            for enum in list(item.enums):
                if other(enum.value) not in [each.value for each in item.enums]:
                    account.add_enum(item, other(enum.value))


@law
@given(seed=seeds)
def test_namesakes_pair_by_order_and_come_to_rest(anywhere: RunningServer, seed: int) -> None:
    scene = scene_of(anywhere, seed, duplicates=True)
    north = scene.branch("north")
    desired = scene.desired()

    first, again = north.sync(desired), north.sync(desired)

    assert (first.state, again.state) == ("changed", "in_sync")
    stranger = Branch(north.server, north.account)
    before = inventory(north.account)
    assert stranger.sync(desired).created == 0
    assert inventory(north.account) == before


@law
@given(seed=seeds)
def test_a_snapshot_survives_its_document_and_its_fingerprint_tells_accounts_apart(
    anywhere: RunningServer, seed: int
) -> None:
    scene = scene_of(anywhere, seed)
    snapshot = scene.desired()
    copy = from_document(json.loads(json.dumps(to_document(snapshot))))

    assert copy == snapshot
    assert fingerprint(copy) == fingerprint(snapshot) == fingerprint(scene.desired())
    scene.master.ordered_pipelines[0].name += "!"
    with client_of(scene.server, scene.master) as client:
        assert fingerprint(Reader(client).read(with_fields=True)) != fingerprint(snapshot)
    assert from_document(to_document(Snapshot(snapshot.pipelines))) == Snapshot(snapshot.pipelines)
