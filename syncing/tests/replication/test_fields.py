"""Fields: which one is meant, and each of their attributes."""

import pytest

from accounts.simulator.compare import differences
from accounts.simulator.edits import change
from accounts.simulator.server import RunningServer
from syncing.tests.branches import Scene, bodies, shown


@pytest.fixture
def scene(simulator: RunningServer) -> Scene:
    return Scene(simulator)


# -- matching --


def test_the_same_name_with_another_type_is_a_conflict_that_shows_both_types(scene: Scene) -> None:
    scene.master.add_field("leads", "Budget", "numeric")
    scene.master.add_field("leads", "Source", "text")
    north = scene.branch()
    own = north.account.add_field("leads", "budget", "text")

    result = north.sync(scene.desired())

    assert (result.state, result.reason) == ("partial", "conflict")
    (conflict,) = result.document["conflicts"]
    assert "'numeric'" in conflict["message"]
    assert "'text'" in conflict["message"]
    assert (own.name, own.type) == ("budget", "text")
    assert north.account.field("leads", "Source").type == "text"
    assert "budget" not in {extra["name"] for extra in result.document["extras"]}


def test_the_code_is_the_identity_whatever_the_name(scene: Scene) -> None:
    scene.master.add_field("leads", "Source of the lead", "text", code="SOURCE")
    north = scene.branch()
    own = north.account.add_field("leads", "Quelle", "text", code="SOURCE")

    result = north.sync(scene.desired())

    assert shown(result)[-1] == ("update", "custom_field", "Source of the lead")
    assert own.name == "Source of the lead"


def test_one_name_with_two_codes_is_two_fields(scene: Scene) -> None:
    scene.master.add_field("leads", "Source", "text", code="OURS")
    north = scene.branch()
    own = north.account.add_field("leads", "Source", "text", code="THEIRS")

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert own.code == "THEIRS"
    assert len([item for item in north.account.fields["leads"].values() if item.name == "Source"]) == 2
    assert north.sync(scene.desired()).state == "in_sync"


def test_a_code_that_the_slaves_field_lacks_is_a_manual_item_and_never_patched(scene: Scene) -> None:
    scene.master.add_field("leads", "Source", "text", code="SOURCE")
    north = scene.branch()
    north.account.add_field("leads", "Source", "text")

    result = north.sync(scene.desired())

    assert result.state in ("changed", "in_sync")
    (manual,) = result.document["manual"]
    assert "'SOURCE'" in manual["message"]
    assert b"code" not in b"".join(record.body for record in north.sent("PATCH"))


def test_of_several_namesakes_the_one_in_the_same_group_is_meant(scene: Scene) -> None:
    group = scene.master.add_group("leads", "Deal")
    scene.master.add_field("leads", "Source", group=group)
    north = scene.branch()
    mine = north.account.add_group("leads", "Deal")
    outside = north.account.add_field("leads", "Source")
    inside = north.account.add_field("leads", "Source", group=mine)

    result = north.sync(scene.desired())

    assert (result.state, result.document["conflicts"]) == ("in_sync", [])
    assert f"leads/{inside.id}" in north.known.values()
    assert f"leads/{outside.id}" not in north.known.values()


def test_several_namesakes_without_a_group_to_tell_is_a_conflict(scene: Scene) -> None:
    group = scene.master.add_group("leads", "Deal")
    scene.master.add_field("leads", "Source", group=group)
    north = scene.branch()
    for _ in range(2):
        north.account.add_field("leads", "Source")

    result = north.sync(scene.desired())

    assert (result.state, result.reason) == ("partial", "conflict")
    assert len(north.account.fields["leads"]) == 12


@pytest.mark.parametrize("name", ["🚀", 'The "best"', "<script>alert(1)</script>", "O'Brien", "日本語", "x" * 255, "0"])
def test_any_name_arrives_as_it_is(scene: Scene, name: str) -> None:
    group = scene.master.add_group("companies", name)
    scene.master.add_field("companies", name, "select", enums=[name, "Second"], group=group)
    north = scene.branch()

    assert north.sync(scene.desired()).state == "changed"
    mine = north.account.field("companies", name)
    assert [option.value for option in mine.ordered_enums] == [name, "Second"]
    assert mine.group_id == north.account.group("companies", name).id
    assert north.sync(scene.desired()).state == "in_sync"


# -- what the API cannot do --


@pytest.mark.parametrize(("entity", "type_"), [("leads", "chained_list"), ("contacts", "payer"), ("leads", "items")])
def test_a_type_that_the_api_cannot_make_is_a_manual_item(scene: Scene, entity: str, type_: str) -> None:
    scene.master.add_field(entity, "Odd", type_)
    scene.master.add_field(entity, "Plain")
    north = scene.branch()

    result = north.sync(scene.desired())

    assert result.state == "changed"
    (manual,) = result.document["manual"]
    assert (manual["name"], manual["message"]) == ("Odd", f"The API cannot create {type_!r} fields here.")
    assert [row for row in shown(result) if row[1] == "custom_field"] == [("create", "custom_field", "Plain")]


# -- single attributes --


def test_a_monetary_field_always_carries_its_currency(scene: Scene) -> None:
    ours = scene.master.add_field("leads", "Budget", "monetary", currency="BRL")
    north = scene.branch()
    north.sync(scene.desired())
    for edit in ({"name": "Ticket"}, {"is_api_only": True}, {"currency": "EUR"}, {"sort": 3}):
        change(scene.master, "field", ours.id, **edit)
        north.sync(scene.desired())

    patches = [item for record in bodies(north.sent("PATCH")) if isinstance(record, list) for item in record]
    assert {item["currency"] for item in patches} == {"BRL", "EUR"}
    assert differences(scene.master, north.account) == []


def test_a_reminder_follows_and_never_is_no_difference(scene: Scene) -> None:
    ours = scene.master.add_field("contacts", "Born", "birthday", remind=None)
    north = scene.branch()
    north.sync(scene.desired())
    mine = north.account.field("contacts", "Born")
    mine.remind = "never"
    assert north.sync(scene.desired()).state == "in_sync"
    change(scene.master, "field", ours.id, remind="week")
    north.sync(scene.desired())
    assert mine.remind == "week"
    change(scene.master, "field", ours.id, remind=None)
    north.sync(scene.desired())
    assert mine.remind == "never"


def test_a_tracking_text_is_copied_changed_and_taken_away(scene: Scene) -> None:
    ours = scene.master.add_field("leads", "Campaign", "tracking_data", group_id="statistic", tracking_callback="a;")
    north = scene.branch()
    north.sync(scene.desired())
    mine = north.account.field("leads", "Campaign")
    assert (mine.tracking_callback, mine.group_id) == ("a;", "statistic")
    for text in ("b;" * 200, None):
        ours.tracking_callback = text
        result = north.sync(scene.desired())
        assert (result.state, mine.tracking_callback) == ("changed", text)
    assert north.sync(scene.desired()).state == "in_sync"


def test_api_only_is_switched_on_and_off(scene: Scene) -> None:
    ours = scene.master.add_field("leads", "Score", "numeric")
    north = scene.branch()
    north.sync(scene.desired())
    for wanted in (True, False):
        ours.is_api_only = wanted
        north.sync(scene.desired())
        assert north.account.field("leads", "Score").is_api_only is wanted


@pytest.mark.parametrize("status", [200, 201])
def test_a_creation_may_answer_200_or_201(scene: Scene, status: int) -> None:
    scene.world.variants.fields_created_status = scene.world.variants.groups_created_status = status
    group = scene.master.add_group("leads", "Deal")
    scene.master.add_field("leads", "Source", group=group)
    north = scene.branch()
    assert north.sync(scene.desired()).state == "changed"
    assert differences(scene.master, north.account) == []


# -- names that differ in case only --


def test_fields_that_differ_in_case_only_are_two_and_the_values_stay_where_they_are(scene: Scene) -> None:
    scene.master.add_field("leads", "Status")
    scene.master.add_field("leads", "STATUS")
    north = scene.branch()
    own = north.account.add_field("leads", "STATUS")
    stage = north.account.ordered_pipelines[0].ordinary[0]
    lead = north.account.add_lead(north.account.ordered_pipelines[0].id, stage.id, values={own.id: "open"})

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert shown(result)[-1] == ("create", "custom_field", "Status")
    assert (own.name, lead.values) == ("STATUS", {own.id: "open"})
    assert differences(scene.master, north.account) == []
    assert north.sync(scene.desired()).state == "in_sync"
