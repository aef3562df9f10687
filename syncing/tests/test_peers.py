"""What the peers did wrong, seen by running them: each a rule for us.

The halves of bugs 6, 7 and 11 that need runs, lanes and doors (a second trigger joins, a run's state, who may log in)
are tested beside those rooms; here is what reading, planning and writing owe to them.
"""

import pytest

from accounts.simulator.compare import differences
from accounts.simulator.edits import add, change, remove
from accounts.simulator.server import RunningServer
from syncing.engine.refs import Kind
from syncing.tests.branches import WRITES, Branch, Scene, bodies, changes, inventory, shown


@pytest.fixture
def scene(simulator: RunningServer) -> Scene:
    return Scene(simulator)


def lead_in(branch: Branch, pipeline: str, stage: str) -> int:
    home = branch.account.pipeline(pipeline)
    return branch.account.add_lead(home.id, home.stage(stage).id).id


# -- 1: matching by name only --


def test_bug_1_a_rename_in_the_master_is_an_update_and_moves_no_lead(scene: Scene) -> None:
    sales = scene.master.add_pipeline("Sales", stages=["New", "Offer", "Contract"])
    north = scene.branch()
    north.sync(scene.desired())
    lead = lead_in(north, "Sales", "Offer")
    before = north.account.stage("Sales", "Offer").id
    change(scene.master, "pipeline", sales.id, name="Deals")
    change(scene.master, "stage", [sales.id, sales.stage("Offer").id], name="Proposal")

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert shown(result) == [("update", "pipeline", "Deals"), ("update", "stage", "Proposal")]
    assert north.account.stage("Deals", "Proposal").id == before == north.account.leads[lead].status_id
    assert north.wounds == (0, 0, 0)
    assert [record.method for record in north.sent(*WRITES)[-2:]] == ["PATCH", "PATCH"]


def test_bug_1_a_renamed_field_and_a_renamed_group_keep_their_ids(scene: Scene) -> None:
    group = scene.master.add_group("leads", "Deal")
    budget = scene.master.add_field("leads", "Budget", "numeric", group=group)
    north = scene.branch()
    north.sync(scene.desired())
    ids = north.account.field("leads", "Budget").id, north.account.group("leads", "Deal").id
    change(scene.master, "field", budget.id, name="Ticket")
    change(scene.master, "group", ["leads", group.id], name="Business")

    result = north.sync(scene.desired())

    assert shown(result) == [("update", "field_group", "Business"), ("update", "custom_field", "Ticket")]
    assert ids == (north.account.field("leads", "Ticket").id, north.account.group("leads", "Business").id)
    assert north.account.field("leads", "Ticket").group_id == ids[1]
    assert bodies(north.sent("PATCH"))[0]["fields"] == [ids[0]], "a PATCH of a group without its fields may empty it"


# -- 2: only the first page --


def test_bug_2_every_page_of_fields_is_read_and_nothing_is_made_twice(scene: Scene) -> None:
    for number in range(300):
        scene.master.add_field("leads", f"Field {number}", sort=number)
    north = scene.branch()
    desired = scene.desired()
    assert len([item for item in desired.fields or () if item.entity == "leads"]) == 310

    result = north.sync(desired)
    again = north.sync(desired)

    assert (result.state, again.state) == ("changed", "in_sync")
    assert len(north.account.fields["leads"]) == 310
    assert differences(scene.master, north.account) == []
    assert again.document["changes"] == []


# -- 3: one empty answer of the master --


def test_bug_3_an_empty_answer_of_a_slave_writes_nothing(scene: Scene) -> None:
    scene.master.add_field("leads", "Budget", "numeric")
    north = scene.branch()
    desired = scene.desired()
    north.sync(desired)
    scene.world.log.clear()
    scene.fault("no_content", north, path="/leads/custom_fields?")

    result = north.sync(desired)

    assert (result.state, result.reason) == ("failed", "bad_answer")
    assert north.sent(*WRITES) == []


def test_bug_3_fields_that_the_master_lost_are_kept_in_the_slave(scene: Scene) -> None:
    """The run's guard against a shrunken master is tested with the runs; even past it nothing is deleted."""
    for number in range(36):
        scene.master.add_field("leads", f"Field {number}")
    north = scene.branch()
    north.sync(scene.desired())
    scene.master.fields["leads"] = {key: item for key, item in scene.master.fields["leads"].items() if item.code}

    result = north.sync(scene.desired())

    assert result.state == "in_sync"
    assert len([extra for extra in result.document["extras"] if extra["kind"] == "custom_field"]) == 36
    assert len(north.account.fields["leads"]) == 46
    assert north.sent("DELETE") == []


# -- 4: options without ids --


def test_bug_4_a_new_option_leaves_every_other_option_and_value_alone(scene: Scene) -> None:
    source = scene.master.add_field("leads", "Source", "select", enums=["Web", "Fair"])
    north = scene.branch()
    north.sync(scene.desired())
    mine = north.account.field("leads", "Source")
    ids = {enum.value: enum.id for enum in mine.enums}
    home = north.account.ordered_pipelines[0]
    lead = north.account.add_lead(home.id, home.ordinary[0].id, {mine.id: ids["Fair"]})
    add(scene.master, "enum", field_id=source.id, value="Phone", sort=1)

    result = north.sync(scene.desired())

    assert shown(result) == [("update", "custom_field", "Source")]
    assert [enum.value for enum in mine.ordered_enums] == ["Phone", "Web", "Fair"]
    assert {enum.value: enum.id for enum in mine.enums}.items() >= ids.items()
    assert lead.values == {mine.id: ids["Fair"]}
    assert north.account.lost_values == 0


# -- 5: names that look like system stages --


@pytest.mark.parametrize("name", ["Lost contact - retry", "Entrada paga", "Won back", "Sucesso", "Closed - won"])
def test_bug_5_a_stage_is_ordinary_whatever_its_name(scene: Scene, name: str) -> None:
    scene.master.add_pipeline("Sales", stages=["New", name])
    north = scene.branch()

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert [stage.name for stage in north.account.pipeline("Sales").ordinary] == ["New", name]


# -- 6: two at once --


def test_bug_6_a_second_pass_over_the_same_account_makes_nothing_twice(scene: Scene) -> None:
    """Even one that knows nothing of the first: what is there is adopted. That two never run at once is the lanes'."""
    scene.master.add_pipeline("Sales", stages=["New", "Offer"])
    scene.master.add_field("leads", "Source", "select", enums=["Web"])
    north = scene.branch()
    desired = scene.desired()
    north.sync(desired)
    before = inventory(north.account)

    stranger = Branch(north.server, north.account)
    result = stranger.sync(desired)

    assert result.state == "in_sync"
    assert inventory(north.account) == before
    assert result.adopted >= 4
    assert set(stranger.ours(Kind.PIPELINE).values()) == {False}


# -- 7: one rejected field --


def test_bug_7_a_rejected_field_costs_only_itself_and_is_no_success(scene: Scene) -> None:
    for number in range(5):
        scene.master.add_field("leads", f"Field {number}")
    scene.master.field("leads", "Field 2").name = "x" * 300
    north = scene.branch()

    result = north.sync(scene.desired())

    assert (result.state, result.reason) == ("partial", "validation")
    assert [change["outcome"] for change in changes(result, kind="custom_field", action="create")].count("failed") == 1
    assert {f"Field {number}" for number in (0, 1, 3, 4)} <= {f.name for f in north.account.fields["leads"].values()}
    failed = next(change for change in result.document["changes"] if change["outcome"] == "failed")
    assert "TooLong" in failed["message"]


# -- 8: likeness --


def test_bug_8_nothing_is_matched_by_likeness_and_no_type_is_replaced(scene: Scene) -> None:
    scene.master.add_field("leads", "Contract value", "numeric")
    scene.master.add_field("contacts", "Born", "birthday", remind="week")
    scene.master.add_field("leads", "Region", "chained_list", chained_lists=[])
    north = scene.branch()
    own = north.account.add_field("leads", "Contract values", "numeric")

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert own.name == "Contract values"
    assert north.account.field("leads", "Contract value").id != own.id
    assert north.account.field("contacts", "Born").type == "birthday"
    assert [(each["name"], each["message"]) for each in result.document["manual"]] == [
        ("Region", "The API cannot create 'chained_list' fields here.")
    ]
    assert "Region" not in {item.name for item in north.account.fields["leads"].values()}


# -- 9: what was never updated, and colours --


def test_bug_9_name_order_and_main_flag_of_pipelines_follow_the_master(scene: Scene) -> None:
    for name in ("A", "B", "C"):
        scene.master.add_pipeline(name, stages=["New"])
    north = scene.branch()
    north.sync(scene.desired())
    change(scene.master, "pipeline", scene.master.pipeline("C").id, sort=2, name="First")
    change(scene.master, "pipeline", scene.master.pipeline("B").id, is_main=True)

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert differences(scene.master, north.account) == []
    assert north.account.pipeline("B").is_main


def test_bug_9_a_colour_outside_the_palette_converges_at_once_and_is_never_sent(scene: Scene) -> None:
    colors = ["#99ccff", "#ffff99", "#FFCC66", "#ffcccc", "#0000ff", "#FFFEB2"]
    scene.master.add_pipeline("Sales", stages=[(f"Stage {at}", color) for at, color in enumerate(colors)])
    north = scene.branch()

    first = north.sync(scene.desired())
    again = north.sync(scene.desired())

    assert (first.state, again.state, again.document["changes"]) == ("changed", "in_sync", [])
    made = bodies(north.sent("POST"))[0][0]["_embedded"]["statuses"]
    assert [stage["color"] for stage in made][:4] == ["#98cbff", "#fffd7f", "#ffce5a", "#ffc8c8"]
    assert not {stage["color"] for stage in made} & set(colors)


# -- 10: the slave's own main pipeline --


def test_bug_10_the_slaves_original_main_pipeline_is_kept_with_its_leads(scene: Scene) -> None:
    scene.master.pipelines.clear()
    scene.master.add_pipeline("Sales", stages=["New"])
    north = scene.branch(language="pt")
    lead = lead_in(north, "Funil de vendas", "Discussões")

    for _ in range(3):
        result = north.sync(scene.desired())

    assert result.state == "in_sync"
    assert {"kind": "pipeline", "name": "Funil de vendas", "parent": ""} in result.document["extras"]
    assert north.account.pipeline("Sales").is_main
    assert not north.account.pipeline("Funil de vendas").is_main
    assert lead in north.account.leads
    assert north.wounds == (0, 0, 0)
    assert north.sent("DELETE") == []


# -- 11: 429, timeouts, tokens --


@pytest.mark.parametrize("kind", ["429", "429_header", "429_plain"])
def test_bug_11_a_429_without_end_is_given_up_after_a_bounded_number_of_requests(scene: Scene, kind: str) -> None:
    scene.master.add_pipeline("Sales", stages=["New"])
    north = scene.branch()
    desired = scene.desired()
    scene.fault(kind, north, times=None)

    result = north.sync(desired)

    assert (result.state, result.reason) == ("failed", "rate_limited")
    assert result.requests == len(north.sent()) == 5
    assert north.clock.now <= 20, "seconds that were waited in all"
    assert result.error is not None
    assert "KOMMO_RATE_PER_ACCOUNT" in result.error["remedy"]


def test_bug_11_no_token_is_shown_in_what_a_failed_account_says(scene: Scene) -> None:
    north = scene.branch()
    desired = scene.desired()
    token = north.account.token
    scene.fault("answer", north, status=500, body=f"upstream said Bearer {token}", times=None)

    result = north.sync(desired)

    assert result.state == "failed"
    assert token not in repr(result)
    assert token not in repr(north.outcomes)


def test_bug_11_a_removed_item_of_the_master_is_never_removed_from_a_slave(scene: Scene) -> None:
    sales = scene.master.add_pipeline("Sales", stages=["New", "Offer"])
    north = scene.branch()
    north.sync(scene.desired())
    remove(scene.master, "stage", [sales.id, sales.stage("Offer").id])

    result = north.sync(scene.desired())

    assert result.state == "in_sync"
    assert ("Offer", "Sales") in [(each["name"], each["parent"]) for each in result.document["extras"]]
