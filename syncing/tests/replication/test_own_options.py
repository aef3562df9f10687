"""An option that nobody changed is never left reading otherwise than before, whatever the server makes of names."""

import pytest

from accounts.simulator import spelling
from accounts.simulator.account import SimAccount
from accounts.simulator.model import SimField
from accounts.simulator.server import RunningServer
from accounts.simulator.world import World
from syncing.tests.branches import Branch, Scene, bodies, changes

OWN = ("Rádio & TV", "a < b", "L'Oréal", "plain")


@pytest.fixture
def scene(simulator: RunningServer) -> Scene:
    made = Scene(simulator)
    made.master.add_field("leads", "Source", "select", enums=["Web", "Fair"])
    return made


def reading(world: World, item: SimField) -> dict[int, str]:
    """The options as the API shows them."""
    return {enum.id: spelling.shown_name(world.variants, "enum", enum.value) for enum in item.ordered_enums}


def branch(scene: Scene, *own: str) -> tuple[Branch, SimField, dict[int, str]]:
    """A slave that has the field with options of its own, as the server keeps them; a lead holds each."""
    north = scene.branch()
    kept = [spelling.stored_name(scene.world.variants, "enum", value) for value in own]
    item = north.account.add_field("leads", "Source", "select", enums=["Web", *kept])
    pipeline = north.account.ordered_pipelines[0]
    for enum in item.enums:
        north.account.add_lead(pipeline.id, pipeline.incoming.id, {item.id: enum.id})
    own_ids = [enum.id for enum in item.enums[1:]]
    return north, item, {number: reading(scene.world, item)[number] for number in own_ids}


def edit(master: SimAccount, run: int) -> None:
    source = master.field("leads", "Source")
    if run in (2, 5):
        master.add_enum(source, f"New & {run}")
    if run == 4:
        source.enum("Web").value = "Web & TV"
    if run == 7:
        source.enum("Fair").sort = 1


@pytest.mark.parametrize("way", ["escape", "escape_plain", "cut", "trim", "upper", "nfd", "ascii"])
@pytest.mark.parametrize("variant", ["stored_names", "shown_names"])
def test_own_options_read_as_before_in_ten_runs_with_changes_between(scene: Scene, variant: str, way: str) -> None:
    setattr(scene.world.variants, variant, way)
    north, item, before = branch(scene, *OWN)
    for run in range(10):
        edit(scene.master, run)
        setattr(scene.world.variants, variant, "")
        desired = scene.desired()
        setattr(scene.world.variants, variant, way)
        since = len(north.sent("PATCH"))

        result = north.sync(desired)

        now = reading(scene.world, item)
        assert before.items() <= now.items()
        assert len(now) == len(before) + len(scene.master.field("leads", "Source").enums)
        assert north.wounds == (0, 0, 0)
        assert result.state in ("changed", "in_sync", "partial")
        assert not [row for row in result.document["changes"] if row["outcome"] == "failed"]
        written = [each for each in north.sent("PATCH")[since:] if "custom_fields" in each.path]
        assert len(written) <= (2 if run < 3 else 1)


def test_an_option_that_the_write_has_escaped_is_put_back_in_the_same_run_and_never_again(scene: Scene) -> None:
    scene.world.variants.stored_names = "escape"
    north, item, before = branch(scene, "R&D")

    north.sync(scene.desired())

    first, second = (body[0]["enums"] for body in bodies(north.sent("PATCH")))
    assert {"R&amp;D"} <= {each["value"] for each in first}
    assert {"R&D"} <= {each["value"] for each in second}
    assert before.items() <= reading(scene.world, item).items()
    scene.master.add_enum(scene.master.field("leads", "Source"), "Later")
    since = len(north.sent("PATCH"))
    north.sync(scene.desired())
    (body,) = bodies(north.sent("PATCH")[since:])
    assert {"R&D"} <= {each["value"] for each in body[0]["enums"]}
    assert before.items() <= reading(scene.world, item).items()


def test_an_account_that_is_known_to_escape_gets_what_it_escaped_before_unescaped_at_once(scene: Scene) -> None:
    scene.master.add_pipeline("A & B", stages=["New"])
    north, item, _ = branch(scene)
    scene.world.variants.stored_names = "escape"
    north.sync(scene.desired())
    own = north.account.add_enum(item, "R&amp;D")
    scene.master.add_enum(scene.master.field("leads", "Source"), "Later")
    scene.world.variants.stored_names = ""
    desired = scene.desired()
    scene.world.variants.stored_names = "escape"
    since = len(north.sent("PATCH"))

    north.sync(desired)

    assert len(north.sent("PATCH")) == since + 1
    assert reading(scene.world, item)[own.id] == "R&amp;D"


def test_an_own_option_that_cannot_be_put_back_is_said(scene: Scene) -> None:
    """Typed in by hand where nothing is escaped: no write can make the account show it so again."""
    scene.world.variants.stored_names = "escape"
    north, item, _ = branch(scene)
    north.account.add_enum(item, "R&D")

    result = north.sync(scene.desired())
    again = north.sync(scene.desired())

    assert result.state == "partial"
    (row,) = changes(result, outcome="unverified")
    assert (row["kind"], row["name"], row["parent"]) == ("enum", "R&D", "Source")
    assert row["message"] == "It was only written back, and Kommo stores it as 'R&amp;D' since."
    assert again.state == "in_sync"
    assert reading(scene.world, item)[item.enums[-1].id] == "R&amp;D"
