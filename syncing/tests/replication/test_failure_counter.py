"""A server in trouble ends its account after a bounded number of requests; a culprit still costs only itself."""

import pytest

from accounts.kommo.failure_counter import MOST_FAILING
from accounts.simulator.compare import differences
from accounts.simulator.model import ENTITIES
from accounts.simulator.server import RunningServer
from syncing.replication.contract import Result
from syncing.tests.branches import Branch, Scene, changes

FAILED = (0, 500, 503, 504)


@pytest.fixture
def scene(simulator: RunningServer) -> Scene:
    return Scene(simulator)


def furnished(scene: Scene, fields: int = 120) -> None:
    for name in ("Sales", "Service"):
        scene.master.add_pipeline(name, stages=["New", "Offer", "Won soon"])
    for at in range(fields):
        options = {"type": "select", "enums": ["A", "B"]} if at % 5 == 0 else {}
        scene.master.add_field("leads", f"Field {at}", **options)


def renamed(scene: Scene) -> None:
    """Everything in the master has another name."""
    for pipeline in scene.master.pipelines.values():
        pipeline.name += "!"
        for stage in pipeline.ordinary:
            stage.name += "!"
    for item in scene.master.fields["leads"].values():
        item.name += "" if item.is_predefined else "!"


def failing(north: Branch) -> int:
    return sum(record.status in FAILED for record in north.sent("GET", "POST", "PATCH", "DELETE"))


def assert_ended(result: Result) -> None:
    assert (result.state, result.reason) == ("failed", "server_error")
    assert result.error is not None
    assert (
        "writes in a row failed" in result.error["message"] or "requests of this run failed" in result.error["message"]
    )
    assert changes(result, outcome="skipped")
    assert not changes(result, outcome="planned")


@pytest.mark.parametrize("kind", ["503", "500", "504", "reset", "reset_applied", "504_applied"])
def test_an_account_whose_every_patch_fails_ends_within_25_failing_requests(scene: Scene, kind: str) -> None:
    furnished(scene)
    north = scene.branch()
    north.sync(scene.desired())
    renamed(scene)
    since = len(scene.world.log)
    scene.fault(kind, north, method="PATCH", times=None)

    result = north.sync(scene.desired())

    sent = [record for record in list(scene.world.log)[since:] if record.subdomain == "north"]
    assert sum(record.status in FAILED for record in sent) <= MOST_FAILING
    assert_ended(result)
    assert north.clock.now < 60


@pytest.mark.parametrize("kind", ["503", "500", "504", "reset"])
def test_an_account_whose_every_post_fails_ends_after_eight_of_them(scene: Scene, kind: str) -> None:
    furnished(scene)
    north = scene.branch()
    scene.fault(kind, north, method="POST", times=None)

    result = north.sync(scene.desired())

    assert failing(north) <= 8
    assert_ended(result)


@pytest.mark.parametrize("kind", ["503", "reset"])
def test_an_account_whose_every_write_fails_ends_within_25_failing_requests(scene: Scene, kind: str) -> None:
    furnished(scene)
    north = scene.branch()
    north.sync(scene.desired())
    renamed(scene)
    for at in range(60):
        scene.master.add_field("contacts", f"Other {at}")
    scene.fault(kind, north, method="write", times=None)

    result = north.sync(scene.desired())

    assert failing(north) <= MOST_FAILING
    assert_ended(result)


def test_timeouts_and_errors_in_turn_are_counted_together(scene: Scene) -> None:
    furnished(scene)
    north = scene.branch()
    for at in range(40):
        scene.fault(("503", "reset", "504")[at % 3], north, method="write")

    result = north.sync(scene.desired())

    assert failing(north) <= MOST_FAILING
    assert_ended(result)


def test_readings_that_come_at_the_fifth_attempt_each_are_counted_too(scene: Scene) -> None:
    furnished(scene, fields=10)
    north = scene.branch()
    desired = scene.desired()
    lists = [f"/{entity}/custom_fields{kind}" for entity in ENTITIES for kind in ("?", "/groups")]
    for path in ("/leads/pipelines", *lists):
        scene.fault("503", north, method="GET", path=path, times=4)

    result = north.sync(desired)

    assert (result.state, result.reason) == ("failed", "server_error")
    assert failing(north) == MOST_FAILING


def test_what_ended_an_account_is_made_by_the_next_run(scene: Scene) -> None:
    furnished(scene)
    north = scene.branch()
    north.sync(scene.desired())
    renamed(scene)
    scene.fault("503", north, method="PATCH", times=None)
    north.sync(scene.desired())
    scene.world.faults.clear()

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert differences(scene.master, north.account) == []


@pytest.mark.parametrize("places", [(0,), (49,), (0, 1), (48, 49), (24, 25), (10, 31)])
def test_monetary_fields_that_alone_fail_cost_only_themselves_in_a_batch_of_fifty(
    scene: Scene, places: tuple[int, ...]
) -> None:
    for at in range(50):
        scene.master.add_field(
            "leads", f"Field {at}", **({"type": "monetary", "currency": "BRL"} if at in places else {})
        )
    scene.world.variants.monetary_post_500 = True
    north = scene.branch()

    result = north.sync(scene.desired())

    assert (result.state, result.reason) == ("partial", "server_error")
    assert [each["name"] for each in changes(result, outcome="failed")] == [f"Field {at}" for at in places]
    assert result.created == 50 - len(places)
    assert failing(north) <= MOST_FAILING


@pytest.mark.parametrize("kind", ["500", "reset"])
def test_one_field_whose_patch_alone_fails_costs_only_itself(scene: Scene, kind: str) -> None:
    for at in range(50):
        scene.master.add_field("leads", f"Field {at}")
    north = scene.branch()
    north.sync(scene.desired())
    for at in range(50):
        scene.master.field("leads", f"Field {at}").name += "!"
    scene.fault(kind, north, method="PATCH", holds="Field 33!", times=None)

    result = north.sync(scene.desired())

    assert (result.state, result.updated) == ("partial", 49)
    assert [each["name"] for each in changes(result, outcome="failed")] == ["Field 33!"]
    assert failing(north) <= MOST_FAILING


def test_refusals_and_the_pace_are_no_failures(scene: Scene) -> None:
    furnished(scene, fields=60)
    north = scene.branch()
    for _ in range(30):
        scene.fault("429", north, method="POST", times=2)

    result = north.sync(scene.desired())

    assert (result.state, result.reason) != ("failed", "server_error")
