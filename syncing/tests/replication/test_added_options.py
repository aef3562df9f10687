"""A PATCH that adds options is a creation: whatever becomes of its answer, nothing gets another id, nothing is lost."""

import pytest

from accounts.simulator.compare import differences
from accounts.simulator.model import SimEnum, SimField
from accounts.simulator.server import RunningServer
from syncing.engine.refs import Kind
from syncing.tests.branches import Branch, Scene, bodies, changes

FIELDS = "/leads/custom_fields"
APPLIED = ("reset_applied", "504_applied", "500_applied", "empty", "garbage", "truncated")
NOT_APPLIED = ("reset", "504", "500")


@pytest.fixture
def scene(simulator: RunningServer) -> Scene:
    made = Scene(simulator)
    made.master.add_field("leads", "Source", "select", enums=["Web", "Fair"])
    made.master.add_field("leads", "Kind", "multiselect", enums=["A", "B"])
    return made


@pytest.fixture
def north(scene: Scene) -> Branch:
    branch = scene.branch()
    assert branch.sync(scene.desired()).state == "changed"
    return branch


def source(branch: Branch) -> SimField:
    return branch.account.field("leads", "Source")


def option(field: SimField, value: str) -> SimEnum:
    return next(enum for enum in field.enums if enum.value == value)


def values(branch: Branch) -> list[str]:
    return [enum.value for enum in source(branch).ordered_enums]


def pick(branch: Branch, value: str) -> None:
    """A salesperson picks this option in a lead."""
    pipeline = next(iter(branch.account.pipelines.values()))
    stage = pipeline.ordinary[0]
    field = source(branch)
    branch.account.add_lead(pipeline.id, stage.id, values={field.id: [option(field, value).id]})


def patches(branch: Branch) -> int:
    return len([each for each in branch.sent("PATCH") if FIELDS in each.path])


@pytest.mark.parametrize("kind", ["reset", "500", "504"])
def test_an_option_added_while_the_answer_to_a_part_is_lost_is_kept(scene: Scene, north: Branch, kind: str) -> None:
    """Kommo refuses two fields without a word; while a part of the first is tried a person adds to the second."""
    for name in ("Source", "Kind"):
        field = scene.master.field("leads", name)
        field.name += "!"
        for value in ("Bad", "Good"):
            scene.master.add_enum(field, f"{name} {value}")
    scene.world.variants.complaint_paths, scene.world.variants.enums_required_on_patch = "none", True
    scene.world.variants.refused_options = "Source Bad,Kind Bad"

    def meanwhile() -> None:
        for field in north.account.fields["leads"].values():
            if field.enums and not any(enum.value == "Own" for enum in field.enums):
                north.account.add_enum(field, "Own")
                pipeline = north.account.ordered_pipelines[0]
                north.account.add_lead(pipeline.id, pipeline.ordinary[0].id, {field.id: [field.enums[-1].id]})

    scene.fault(kind, north, method="PATCH", path=FIELDS, skip=5, meanwhile=meanwhile)

    result = north.sync(scene.desired())

    assert result.state == "partial"
    assert north.wounds == (0, 0, 0)
    for field in north.account.fields["leads"].values():
        assert not field.enums or "Own" in [enum.value for enum in field.enums]


@pytest.mark.parametrize("kind", APPLIED)
def test_a_value_picked_after_the_lost_answer_survives(scene: Scene, north: Branch, kind: str) -> None:
    scene.master.add_enum(scene.master.field("leads", "Source"), "Radio")
    fault = scene.fault(kind, north, method="PATCH", path=FIELDS, meanwhile=lambda: pick(north, "Radio"))

    result = north.sync(scene.desired())

    assert (fault.hits, patches(north)) == (1, 1), "what is there is not sent again"
    assert (result.state, result.reason) == ("changed", None)
    assert north.wounds == (0, 0, 0)
    assert values(north) == ["Web", "Fair", "Radio"]
    assert f"leads/{source(north).id}/{option(source(north), 'Radio').id}" in north.known.values()
    assert north.ours(Kind.ENUM)["Radio"], "made by us"
    assert north.sync(scene.desired()).state == "in_sync"


@pytest.mark.parametrize("kind", [*APPLIED, *NOT_APPLIED])
def test_an_option_that_a_person_adds_meanwhile_is_kept(scene: Scene, north: Branch, kind: str) -> None:
    scene.master.add_enum(scene.master.field("leads", "Source"), "Radio")

    def meanwhile() -> None:
        north.account.add_enum(source(north), "Mine")
        pick(north, "Mine")

    scene.fault(kind, north, method="PATCH", path=FIELDS, meanwhile=meanwhile)
    before = {enum.value: enum.id for enum in source(north).enums}

    result = north.sync(scene.desired())

    assert (result.state, result.reason) == ("changed", None)
    assert north.wounds == (0, 0, 0)
    assert sorted(values(north)) == ["Fair", "Mine", "Radio", "Web"]
    assert before.items() <= {enum.value: enum.id for enum in source(north).enums}.items()


@pytest.mark.parametrize("kind", [*APPLIED, *NOT_APPLIED])
def test_in_a_batch_only_what_is_missing_is_sent_again(scene: Scene, north: Branch, kind: str) -> None:
    """An option added, one renamed and moved, a rename of another field, all in one request whose answer is lost."""
    field = scene.master.field("leads", "Source")
    scene.master.add_enum(field, "Radio")
    option(field, "Web").value = "Internet"
    scene.master.add_enum(scene.master.field("leads", "Kind"), "C")
    scene.master.field("leads", "Kind").name = "Sort"
    ids = {enum.id for enum in source(north).enums}
    scene.fault(kind, north, method="PATCH", path=FIELDS)

    result = north.sync(scene.desired())

    assert (result.state, result.updated) == ("changed", 2)
    assert differences(scene.master, north.account) == []
    assert ids <= {enum.id for enum in source(north).enums}
    assert north.wounds == (0, 0, 0)


def test_a_field_that_kommo_cannot_change_costs_only_itself_though_options_are_added(
    scene: Scene, north: Branch
) -> None:
    for at in range(6):
        scene.master.add_field("leads", f"Choice {at}", "select", enums=["One"])
    north.sync(scene.desired())
    for at in range(6):
        scene.master.add_enum(scene.master.field("leads", f"Choice {at}"), "Two")
    culprit = north.account.field("leads", "Choice 3").id
    before = {field.id: [enum.id for enum in field.enums] for field in north.account.fields["leads"].values()}
    fault = scene.fault("500", north, method="PATCH", path=FIELDS, times=None, holds=f'{{"id":{culprit},')

    result = north.sync(scene.desired())

    assert (result.state, result.reason) == ("partial", "server_error")
    assert [each["name"] for each in changes(result, outcome="failed")] == ["Choice 3"]
    assert fault.hits <= 6
    for field in north.account.fields["leads"].values():
        assert [enum.id for enum in field.enums][: len(before[field.id])] == before[field.id]
    assert len(north.account.field("leads", "Choice 5").enums) == 2


def test_a_lost_answer_twice_over_is_failed_and_the_next_run_finds_it_done(scene: Scene, north: Branch) -> None:
    scene.master.add_enum(scene.master.field("leads", "Source"), "Radio")
    fault = scene.fault("504", north, method="PATCH", path=FIELDS, times=None)

    result = north.sync(scene.desired())
    scene.world.faults.clear()

    assert (result.state, result.reason, fault.hits) == ("partial", "server_error", 2)
    assert north.sync(scene.desired()).state == "changed"
    assert values(north) == ["Web", "Fair", "Radio"]


def test_a_reading_that_lags_behind_the_lost_answer_does_not_reissue_the_option(scene: Scene, north: Branch) -> None:
    scene.master.add_enum(scene.master.field("leads", "Source"), "Radio")
    desired = scene.desired()
    fault = scene.fault("504_applied", north, method="PATCH", path=FIELDS, meanwhile=lambda: pick(north, "Radio"))
    scene.world.variants.stale_reads = 1

    result = north.sync(desired)

    assert (fault.hits, patches(north)) == (1, 1)
    assert result.state == "changed"
    assert north.wounds == (0, 0, 0)


@pytest.mark.parametrize("kind", [*APPLIED, *NOT_APPLIED])
def test_descriptions_of_a_stage_are_written_once_whatever_becomes_of_the_answer(
    scene: Scene, north: Branch, kind: str
) -> None:
    pipeline = scene.master.add_pipeline("Sales", stages=["New", "Offer"])
    north.sync(scene.desired())
    scene.master.describe(pipeline.stage("New"), "newbie", "Call at once")
    fault = scene.fault(kind, north, method="PATCH", path="/statuses/")

    result = north.sync(scene.desired())

    stage = north.account.pipeline("Sales").stage("New")
    sent = [each for each in north.sent("PATCH") if "/statuses/" in each.path]
    assert (result.state, fault.hits) == ("changed", 1)
    assert len(sent) == (1 if kind in APPLIED else 2)
    assert [text.description for text in stage.descriptions.values()] == ["Call at once"]
    assert north.wounds == (0, 0, 0)


def test_a_repeat_after_429_or_a_refused_connection_needs_no_reading(scene: Scene, north: Branch) -> None:
    scene.master.add_enum(scene.master.field("leads", "Source"), "Radio")
    reads = len(north.sent("GET"))
    scene.fault("429", north, method="PATCH", path=FIELDS)

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert len(north.sent("GET")) - reads == 7 + 1
    assert len(set(map(str, bodies(north.sent("PATCH"))))) == 1


def test_an_option_added_in_the_master_costs_one_write_and_one_reading(scene: Scene, north: Branch) -> None:
    scene.master.add_enum(scene.master.field("leads", "Source"), "Radio")
    assert north.sync(scene.desired()).requests == 7 + 1 + 1


def test_a_reading_that_is_old_when_options_are_written_is_refreshed_first(scene: Scene, north: Branch) -> None:
    """A rate limit holds the account for 20 s between reading and writing, and a person adds an option meanwhile."""
    scene.master.add_enum(scene.master.field("leads", "Source"), "Radio")
    scene.master.add_group("leads", "Deal")

    def meanwhile() -> None:
        north.account.add_enum(source(north), "Mine")
        pick(north, "Mine")

    scene.fault("429", north, method="POST", path="/groups", retry_after=20, meanwhile=meanwhile)

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert north.wounds == (0, 0, 0)
    assert sorted(values(north)) == ["Fair", "Mine", "Radio", "Web"]
    assert result.requests == 7 + 2 + 1 + 1 + 2, "one reading more than without the delay"


def test_after_a_long_pause_that_kommo_asks_for_the_options_are_read_again(scene: Scene, north: Branch) -> None:
    scene.master.add_enum(scene.master.field("leads", "Source"), "Radio")

    def meanwhile() -> None:
        north.account.add_enum(source(north), "Mine")
        pick(north, "Mine")

    started = north.clock.now
    scene.fault("429", north, method="PATCH", path=FIELDS, retry_after=30, meanwhile=meanwhile)

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert north.clock.now - started >= 30, "as Kommo asks"
    assert north.wounds == (0, 0, 0)
    assert sorted(values(north)) == ["Fair", "Mine", "Radio", "Web"]


@pytest.mark.parametrize("how", ["dotted", "pointer", "none"])
def test_options_that_are_demanded_with_every_patch_go_with_their_ids(scene: Scene, north: Branch, how: str) -> None:
    scene.world.variants.enums_required_on_patch, scene.world.variants.complaint_paths = True, how
    scene.master.field("leads", "Source").name = "Origin"
    ids = [enum.id for enum in source(north).enums]

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert [enum.id for enum in north.account.field("leads", "Origin").enums] == ids
