"""Guarantees 1, 3, 4 and 7 of docs/lifecycle.md, as far as they are one account's (5 and 6 are the run's)."""

import re

import pytest

from accounts.kommo.errors import ReadOnly
from accounts.kommo.stopping import Stopped
from accounts.simulator.seed import seed_demo, seed_random
from accounts.simulator.server import RunningServer
from syncing.adapters import endpoints
from syncing.engine.refs import Scope
from syncing.tests.branches import WRITES, Branch, Scene, changes, client_of

LISTS = [
    re.compile(pattern)
    for entity in ("leads", "contacts", "companies")
    for pattern in (rf"/{entity}/custom_fields\?", rf"/{entity}/custom_fields/groups")
]
PIPELINES = re.compile(r"/leads/pipelines$")


@pytest.fixture
def scene(simulator: RunningServer) -> Scene:
    made = Scene(simulator)
    made.master.add_pipeline("Sales", stages=["New", "Offer"])
    for entity in ("leads", "contacts", "companies"):
        group = made.master.add_group(entity, "Extra")
        made.master.add_field(entity, "Source", "select", enums=["Web"], group=group)
    return made


# -- 1: complete, fail-closed reads --


@pytest.mark.parametrize("known", [False, True], ids=["first", "later"])
@pytest.mark.parametrize("kind", ["truncated", "half", "no_content", "garbage", "empty"])
@pytest.mark.parametrize("path", [PIPELINES, *LISTS], ids=lambda path: path.pattern)
def test_guarantee_1_an_incomplete_list_fails_the_account_and_writes_nothing(
    scene: Scene, path: re.Pattern[str], kind: str, known: bool
) -> None:
    north = scene.branch()
    north.account.add_pipeline("Own", stages=["Mine"])
    desired = scene.desired()
    if known:
        north.sync(desired)
        scene.master.add_pipeline("Later", stages=["New"])
        desired = scene.desired()
    scene.world.log.clear()
    scene.fault(kind, north, method="GET", path=path, times=None)
    mapped = dict(north.known)

    result = north.sync(desired)

    assert (result.state, result.reason) == ("failed", "bad_answer")
    assert result.error is not None
    assert north.sent(*WRITES) == []
    assert north.known == mapped, "no mapping is forgotten for a list that did not come"


@pytest.mark.parametrize("body", [
    '{"_total_items": 3, "_embedded": {"pipelines": []}}',
    '{"_total_items": 0, "_embedded": {"pipelines": []}}',
    '{"_embedded": {"pipelines": [{"id": 1, "name": "A", "sort": 1, "is_main": true, "is_unsorted_on": true}]}}',
    '{"_embedded": {"pipelines": [{"id": 1, "name": "A", "sort": 1, "is_main": true, "is_unsorted_on": true,'
    ' "_embedded": {"statuses": []}}]}}',
    '{"_embedded": {"pipelines": {}}}',
    '{"_embedded": {}}',
    "[]",
    "{}",
    "null",
])  # fmt: skip
def test_guarantee_1_a_list_that_does_not_add_up_fails_the_account(scene: Scene, body: str) -> None:
    north = scene.branch()
    desired = scene.desired()
    scene.fault("answer", north, path=PIPELINES, body=body, times=None)

    result = north.sync(desired)

    assert (result.state, result.reason) == ("failed", "bad_answer")
    assert north.sent(*WRITES) == []


def test_guarantee_1_pages_that_lie_fail_the_account(scene: Scene) -> None:
    for number in range(260):
        scene.master.add_field("contacts", f"Field {number}")
    north = scene.branch()
    desired = scene.desired()
    north.sync(desired)
    scene.world.log.clear()
    second = re.compile(r"/contacts/custom_fields\?.*page=2")
    for kind in ("no_content", "half", "truncated"):
        scene.fault(kind, north, path=second, times=None)

        result = north.sync(desired)

        assert (result.state, result.reason) == ("failed", "bad_answer"), kind
        scene.world.faults.clear()
    assert north.sent(*WRITES) == []


@pytest.mark.parametrize(("kind", "reason"), [
    ("500", "server_error"), ("504", "server_error"), ("reset", "unreachable"), ("401", "unauthorised"),
    ("402", "unpaid"), ("403_json", "forbidden"), ("403_plain", "ip_blocked"), ("404", "not_found"),
])  # fmt: skip
@pytest.mark.parametrize("path", [PIPELINES, LISTS[1], LISTS[4]], ids=lambda path: path.pattern)
def test_guarantee_1_an_error_on_any_list_fails_the_account_with_its_reason(
    scene: Scene, path: re.Pattern[str], kind: str, reason: str
) -> None:
    north = scene.branch()
    desired = scene.desired()
    scene.fault(kind, north, method="GET", path=path, times=None)

    result = north.sync(desired)

    assert (result.state, result.reason) == ("failed", reason)
    assert result.error is not None
    assert result.error["remedy"]
    assert north.sent(*WRITES) == []


@pytest.mark.parametrize("kind", ["truncated", "half", "garbage", "empty"])
def test_guarantee_1_an_incomplete_list_of_the_master_is_an_error(scene: Scene, kind: str) -> None:
    for path in (PIPELINES, *LISTS):
        scene.world.faults.clear()
        scene.fault(kind, path=path, times=None)
        with pytest.raises(Exception, match="master"):
            scene.desired()


def test_guarantee_1_a_re_reading_that_fails_is_no_success(scene: Scene) -> None:
    north = scene.branch()
    desired = scene.desired()
    scene.fault("no_content", north, method="GET", path=PIPELINES, skip=1, times=None)

    result = north.sync(desired)
    scene.world.faults.clear()

    assert (result.state, result.reason) == ("failed", "bad_answer")
    assert north.sync(desired).state == "in_sync"


# -- 3: values survive --


def test_guarantee_3_slaves_that_live_lose_nothing(simulator: RunningServer) -> None:
    master = seed_demo(simulator.world, slaves=6)
    scene = Scene.__new__(Scene)
    scene.server, scene.world, scene.master = simulator, simulator.world, master
    desired = scene.desired()
    for account in list(simulator.world.accounts.values())[1:]:
        unit = Branch(simulator, account)
        leads = {lead.id: (lead.status_id, dict(lead.values)) for lead in account.leads.values()}

        assert unit.sync(desired).state == "changed"
        again = unit.sync(desired)

        assert (again.state, again.document["changes"]) == ("in_sync", [])
        assert unit.wounds == (0, 0, 0)
        assert {lead.id: (lead.status_id, lead.values) for lead in account.leads.values()} == leads
        assert unit.sent("DELETE") == []


# -- 4: the master is never written --


def test_guarantee_4_the_masters_client_refuses_every_write_before_anything_is_sent(scene: Scene) -> None:
    with client_of(scene.server, scene.master, read_only=True) as client:
        for write in (
            lambda: client.post(endpoints.PIPELINES, [{"name": "x"}]),
            lambda: client.patch(endpoints.pipeline(1), {"name": "x"}),
            lambda: client.delete(endpoints.pipeline(1)),
        ):
            with pytest.raises(ReadOnly):
                write()
    assert scene.world.log.of("master") == []


def test_guarantee_4_a_whole_replication_only_reads_the_master(scene: Scene) -> None:
    scene.branch().sync(scene.desired())
    assert {record.method for record in scene.world.log.of("master")} == {"GET"}


# -- 7: truthful status --


def test_guarantee_7_in_sync_is_said_only_where_nothing_had_to_be_done(scene: Scene) -> None:
    north = scene.branch()
    states = [north.sync(scene.desired()) for _ in range(2)]
    assert [(each.state, each.reason, each.error) for each in states] == [
        ("changed", None, None),
        ("in_sync", None, None),
    ]
    assert (states[1].created, states[1].updated, states[1].adopted) == (0, 0, 0)


def test_guarantee_7_a_write_that_does_not_show_on_re_reading_is_unverified(scene: Scene) -> None:
    scene.world.variants.system_required_statuses = "drop"
    sales = scene.master.pipeline("Sales")
    scene.master.field("leads", "Source").required_statuses = [(sales.id, 142), (sales.id, 143)]
    north = scene.branch()

    result = north.sync(scene.desired())

    assert (result.state, result.reason) == ("partial", "bad_answer")
    (doubted,) = changes(result, outcome="unverified")
    assert (doubted["kind"], doubted["name"]) == ("custom_field", "Source")
    assert "required_statuses" in doubted["message"]
    assert [each.state for each in north.outcomes if each.name == "Source" and each.kind == "custom_field"][-1] == (
        "unverified"
    )


def test_guarantee_7_a_plan_says_what_an_apply_then_does(scene: Scene) -> None:
    north = scene.branch()
    desired = scene.desired()

    planned = north.sync(desired, writes=False)
    assert north.sent(*WRITES) == []
    assert north.known == {}
    done = north.sync(desired)

    assert (planned.state, done.state) == ("planned", "changed")
    assert {each["outcome"] for each in planned.document["changes"]} == {"planned"}
    assert {each["outcome"] for each in done.document["changes"]} == {"done"}
    assert planned.digest == done.digest
    assert (planned.created, planned.updated, planned.adopted) == (done.created, done.updated, done.adopted)
    assert (planned.created, planned.updated) == (done.created, done.updated)
    assert shown_of(planned.document) == shown_of(done.document)


def shown_of(document: dict[str, list[dict[str, object]]]) -> list[tuple[object, ...]]:
    return [(each["action"], each["kind"], each["name"], str(each["fields"])) for each in document["changes"]]


def test_guarantee_7_the_wrong_account_is_never_written(scene: Scene) -> None:
    north = scene.branch()
    desired = scene.desired()
    north.kommo_id = north.account.account_id + 1

    result = north.sync(desired)

    assert (result.state, result.reason) == ("failed", "wrong_account")
    assert [record.method for record in north.sent()] == ["GET"], "noticed at the first answer"


def test_guarantee_7_what_a_cut_short_account_did_not_try_is_skipped(scene: Scene) -> None:
    north = scene.branch()
    desired = scene.desired()
    scene.fault("402", north, method="POST", path="/contacts/custom_fields", times=None)

    result = north.sync(desired)

    assert (result.state, result.reason) == ("failed", "unpaid")
    outcomes = {each["outcome"] for each in result.document["changes"]}
    assert outcomes == {"done", "skipped"}
    assert result.created == len(changes(result, action="create", outcome="done"))


def test_guarantee_7_one_bad_account_does_not_touch_the_others(scene: Scene) -> None:
    south, west = scene.branch("south"), scene.branch("west")
    desired = scene.desired()
    scene.fault("401", west, times=None)

    assert [branch.sync(desired).state for branch in (west, south)] == ["failed", "changed"]


def test_a_scope_of_pipelines_asks_for_nothing_else(simulator: RunningServer) -> None:
    scene = Scene(simulator)
    seed_random(scene.master, 3)
    north = scene.branch()
    desired = scene.desired(with_fields=False)
    result = north.sync(desired, scope=Scope.PIPELINES)

    assert result.state == "changed"
    assert {record.path.split("?")[0].split("/")[4] for record in north.sent()} == {"pipelines"}
    assert {extra["kind"] for extra in result.document["extras"]} <= {"pipeline", "stage"}


# -- stopping between two requests --


def stopping(branch: Branch, at: int, death: Exception) -> Branch:
    branch.dies_at, branch.death = at, death
    return branch


def test_a_cancel_between_two_requests_keeps_what_was_done_and_says_the_rest_was_not(
    scene: Scene,
) -> None:
    north = stopping(scene.branch(), 12, Stopped("cancelled"))
    desired = scene.desired()

    result = north.sync(desired)

    assert (result.state, result.reason, result.error) == ("cancelled", "cancelled", None)
    assert {each["outcome"] for each in result.document["changes"]} == {"done", "skipped"}
    assert result.created == len(changes(result, outcome="done"))
    north.dies_at = None
    assert north.sync(desired).state == "changed"
    assert north.sync(desired).state == "in_sync"


@pytest.mark.parametrize("code", ["handed_back", "lost_claim"])
def test_an_account_that_has_to_stop_for_another_reason_gives_no_result(scene: Scene, code: str) -> None:
    with pytest.raises(Stopped) as caught:
        stopping(scene.branch(), 10, Stopped(code)).sync(scene.desired())
    assert caught.value.code == code


def test_a_blocked_ip_fails_the_account_that_met_it_and_stops_the_others(scene: Scene) -> None:
    result = stopping(scene.branch(), 10, Stopped("ip_blocked")).sync(scene.desired())
    assert (result.state, result.reason) == ("failed", "ip_blocked")


def test_an_error_of_our_own_is_never_hidden(scene: Scene) -> None:
    with pytest.raises(ZeroDivisionError):
        stopping(scene.branch(), 10, ZeroDivisionError()).sync(scene.desired())


def test_a_field_required_in_won_of_a_pipeline_in_conflict_is_made_without_it(scene: Scene) -> None:
    sales = scene.master.pipeline("Sales")
    scene.master.field("leads", "Source").required_statuses = [(sales.id, 142)]
    north = scene.branch()
    for _ in range(2):
        north.account.add_pipeline("Sales", stages=["x"])
    result = north.sync(scene.desired())
    assert (result.state, result.reason) == ("partial", "conflict")
    assert north.account.field("leads", "Source").required_statuses == []
