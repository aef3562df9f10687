"""A bad item costs only itself, in a bounded number of requests."""

import pytest

from accounts.simulator.compare import differences
from accounts.simulator.server import RunningServer
from syncing.tests.branches import Scene, changes


@pytest.fixture
def scene(simulator: RunningServer) -> Scene:
    return Scene(simulator)


def fields(scene: Scene, number: int, *, monetary: tuple[int, ...] = ()) -> None:
    for at in range(number):
        facts = {"type": "monetary", "currency": "BRL"} if at in monetary else {}
        scene.master.add_field("leads", f"Field {at}", sort=at, **facts)


def test_where_kommo_cannot_make_monetary_fields_only_those_fail(scene: Scene) -> None:
    """40 fields with 2 monetary ones: 21 POSTs in all, and a look after each 500 (docs/kommo.md 5.3)."""
    fields(scene, 40, monetary=(7, 30))
    scene.world.variants.monetary_post_500 = True
    north = scene.branch()

    result = north.sync(scene.desired())

    failed = changes(result, outcome="failed")
    assert (result.state, result.reason) == ("partial", "server_error")
    assert [change["name"] for change in failed] == ["Field 7", "Field 30"]
    assert len(north.account.fields["leads"]) == 10 + 38
    assert len([record for record in north.sent("POST") if "/leads/custom_fields" in record.path]) <= 22
    assert result.requests <= 50


def test_the_failed_are_tried_again_by_the_next_run_and_the_others_left_alone(scene: Scene) -> None:
    fields(scene, 5, monetary=(2,))
    scene.world.variants.monetary_post_500 = True
    north = scene.branch()
    north.sync(scene.desired())
    scene.world.variants.monetary_post_500 = False

    result = north.sync(scene.desired())

    assert [(each["name"], each["outcome"]) for each in changes(result, action="create")] == [("Field 2", "done")]
    assert differences(scene.master, north.account) == []


@pytest.mark.parametrize("limit", [1, 3, 20])
@pytest.mark.parametrize("applied", [False, True])
def test_batches_that_are_too_big_for_the_gateway_are_halved(scene: Scene, applied: bool, limit: int) -> None:
    fields(scene, 30)
    for number in range(4):
        scene.master.add_pipeline(f"P{number}", stages=["New"])
    scene.world.variants.batch_504_above = limit
    scene.world.variants.batch_504_applied = applied
    north = scene.branch()

    result = north.sync(scene.desired())

    assert (result.state, result.reason) == ("changed", None)
    assert differences(scene.master, north.account) == []
    assert len(north.account.fields["leads"]) == 40
    assert result.requests <= 21 + 4 * (30 // limit + 1) + 20


def test_patches_that_are_too_big_for_the_gateway_are_halved_too(scene: Scene) -> None:
    fields(scene, 30)
    north = scene.branch()
    north.sync(scene.desired())
    for item in scene.master.fields["leads"].values():
        item.name += "!" if not item.is_predefined else ""
    scene.world.variants.batch_504_above = 10

    result = north.sync(scene.desired())

    assert (result.state, result.updated) == ("changed", 30)
    assert differences(scene.master, north.account) == []
    assert result.requests <= 60


def test_several_bad_fields_are_told_in_one_refusal_and_the_rest_is_made(scene: Scene) -> None:
    fields(scene, 20)
    for at in (3, 9):
        scene.master.field("leads", f"Field {at}").name = "x" * (256 + at)
    north = scene.branch()

    result = north.sync(scene.desired())

    assert len(changes(result, outcome="failed")) == 2
    assert len(changes(result, kind="custom_field", outcome="done")) == 18
    assert len([record for record in north.sent("POST") if "fields" in record.path]) == 2, "refused, then the rest"


def test_a_bad_update_costs_only_itself(scene: Scene) -> None:
    fields(scene, 6)
    north = scene.branch()
    north.sync(scene.desired())
    for item in scene.master.fields["leads"].values():
        item.name += "?" if not item.is_predefined else ""
    scene.master.field("leads", "Field 4?").name = "y" * 300

    result = north.sync(scene.desired())

    assert (result.state, result.reason) == ("partial", "validation")
    assert [change["name"][0] for change in changes(result, outcome="failed")] == ["y"]
    assert len(changes(result, outcome="done")) == 5


def test_one_bad_stage_of_a_new_pipeline_costs_only_itself(scene: Scene) -> None:
    scene.master.add_pipeline("Sales", stages=["New", "z" * 300, "Offer"])
    scene.master.add_pipeline("Service", stages=["Ticket"])
    north = scene.branch()

    result = north.sync(scene.desired())

    assert (result.state, result.reason) == ("partial", "validation")
    assert [change["kind"] for change in changes(result, outcome="failed")] == ["stage"]
    assert [stage.name for stage in north.account.pipeline("Sales").ordinary] == ["New", "Offer"]
    assert [stage.name for stage in north.account.pipeline("Service").ordinary] == ["Ticket"]


def test_a_bad_pipeline_costs_its_stages_and_nothing_else(scene: Scene) -> None:
    scene.master.add_pipeline("p" * 300, stages=["New", "Offer"])
    scene.master.add_pipeline("Service", stages=["Ticket"])
    bad = scene.master.pipeline("p" * 300)
    scene.master.add_field("leads", "Source", required_statuses=[(bad.id, bad.stage("New").id)])
    north = scene.branch()

    result = north.sync(scene.desired())

    assert result.state == "partial"
    assert [each["outcome"] for each in changes(result, kind="stage", parent="p" * 300)] == ["skipped", "skipped"]
    assert changes(result, kind="custom_field", name="Source", action="create")
    assert north.account.pipeline("Service").ordinary
    assert north.account.field("leads", "Source").required_statuses == []


def test_one_bad_new_stage_of_an_old_pipeline_costs_only_itself(scene: Scene) -> None:
    sales = scene.master.add_pipeline("Sales", stages=["New"])
    north = scene.branch()
    north.sync(scene.desired())
    for name in ("One", "w" * 300, "Two"):
        scene.master.add_stage(sales, name)

    result = north.sync(scene.desired())

    assert [change["kind"] for change in changes(result, outcome="failed")] == ["stage"]
    assert [stage.name for stage in north.account.pipeline("Sales").ordinary] == ["New", "One", "Two"]


def test_a_field_whose_group_could_not_be_made_waits_and_says_so(scene: Scene) -> None:
    group = scene.master.add_group("leads", "g" * 300)
    scene.master.add_field("leads", "Inside", group=group)
    scene.master.add_field("leads", "Outside")
    north = scene.branch()

    result = north.sync(scene.desired())

    assert {(each["name"], each["outcome"]) for each in changes(result, kind="custom_field")} == {
        ("Inside", "skipped"),
        ("Outside", "done"),
    }


def test_a_refusal_that_names_nobody_is_bisected(scene: Scene) -> None:
    fields(scene, 8)
    north = scene.branch()
    desired = scene.desired()
    body = '{"title": "Bad Request", "status": 400, "detail": "no"}'
    facts = {"status": 400, "body": body, "content_type": "application/problem+json"}
    scene.fault("answer", north, method="POST", path="/leads/custom_fields", times=3, **facts)

    result = north.sync(desired)

    assert (result.state, result.reason) == ("changed", None)
    assert differences(scene.master, north.account) == []


def test_an_account_that_refuses_every_write_is_told_so_in_bounded_requests(scene: Scene) -> None:
    fields(scene, 50)
    north = scene.branch()
    desired = scene.desired()
    facts = {"status": 400, "body": '{"detail": "no"}', "content_type": "application/problem+json"}
    scene.fault("answer", north, method="POST", times=None, **facts)

    result = north.sync(desired)

    assert (result.state, result.reason) == ("partial", "validation")
    assert result.created == 0
    assert result.requests <= 7 + 2 * 51 + 10
