"""A saved world comes back as it was."""

import stat

import pytest

from accounts.simulator import store
from accounts.simulator.compare import differences
from accounts.simulator.seed import seed_demo
from accounts.simulator.world import World


def test_a_world_survives_being_saved(tmp_path):
    world = World()
    master = seed_demo(world, slaves=6)
    token = master.token
    master.lost_values, world.knobs.renumber = 3, False
    path = tmp_path / "deep" / "world.json"
    store.save(world, path)
    again = store.load(path)
    twin = again.accounts["headquarters"]
    assert differences(master, twin) == differences(twin, master) == []
    assert (twin.lost_values, twin.accepts(token), again.knobs.renumber) == (3, True, False)
    assert store._dump(again.accounts["unit-004"]) == store._dump(world.accounts["unit-004"])
    assert twin.next_id() == master.next_id()
    assert twin.knobs is again.knobs


def test_a_saved_world_is_for_its_owner_only_and_leaves_no_draft(tmp_path):
    store.save(World(), tmp_path / "world.json")
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "world.json"
    path.write_text("[]")
    with pytest.raises(ValueError, match="not a saved world"):
        store.load(path)
