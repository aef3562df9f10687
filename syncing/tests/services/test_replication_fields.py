"""Groups, fields, options, required and hidden statuses: what is copied, what is kept, what is said."""

from typing import Any

import pytest

from accounts.simulator.compare import differences
from accounts.simulator.edits import add, change
from accounts.simulator.model import SimField
from accounts.simulator.server import RunningServer
from syncing.tests.branches import WRITES, Branch, Scene, bodies, changes, shown


@pytest.fixture
def scene(simulator: RunningServer) -> Scene:
    return Scene(simulator)


def values(item: SimField) -> list[str]:
    return [enum.value for enum in item.ordered_enums]


def last_patch(branch: Branch) -> list[Any]:
    found: list[Any] = bodies([record for record in branch.sent("PATCH") if record.path.endswith("/custom_fields")])[-1]
    return found


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
    assert values(mine) == [name, "Second"]
    assert mine.group_id == north.account.group("companies", name).id
    assert north.sync(scene.desired()).state == "in_sync"


# -- options --


def sourced(scene: Scene) -> tuple[Branch, SimField, SimField]:
    """A select field in both, with a lead that holds its second option."""
    ours = scene.master.add_field("leads", "Source", "select", enums=["Web", "Fair", "Phone"])
    north = scene.branch()
    north.sync(scene.desired())
    mine = north.account.field("leads", "Source")
    home = north.account.ordered_pipelines[0]
    north.account.add_lead(home.id, home.ordinary[0].id, {mine.id: mine.enum("Fair").id})
    return north, ours, mine


def test_an_option_that_is_renamed_in_the_master_keeps_its_id(scene: Scene) -> None:
    north, ours, mine = sourced(scene)
    number = mine.enum("Fair").id
    ours.enum("Fair").value = "Exhibition"

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert mine.enum("Exhibition").id == number
    assert north.wounds == (0, 0, 0)


def test_the_order_of_options_follows_and_extra_options_stay(scene: Scene) -> None:
    north, ours, mine = sourced(scene)
    before = {enum.value: enum.id for enum in mine.enums}
    own = north.account.add_enum(mine, "Own", sort=1)
    for at, value in enumerate(("Phone", "Web", "Fair")):
        ours.enum(value).sort = at

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert [value for value in values(mine) if value != "Own"] == ["Phone", "Web", "Fair"]
    assert {enum.value: enum.id for enum in mine.enums} == before | {"Own": own.id}
    assert {"kind": "enum", "name": "Own", "parent": "Source"} in result.document["extras"]
    assert north.wounds == (0, 0, 0)


def test_no_option_that_exists_is_ever_sent_without_its_id(scene: Scene) -> None:
    north, ours, mine = sourced(scene)
    north.account.add_enum(mine, "Own")
    add(scene.master, "enum", field_id=ours.id, value="New one")
    existing = {enum.id for enum in mine.enums}

    north.sync(scene.desired())

    (body,) = last_patch(north)
    assert {enum.get("id") for enum in body["enums"]} == existing | {None}
    assert [enum["value"] for enum in body["enums"] if "id" not in enum] == ["New one"]


@pytest.mark.parametrize("needed", [True, False])
def test_a_renamed_select_field_keeps_all_its_options(scene: Scene, needed: bool) -> None:
    """Some PATCHes of select fields demand the list: it always goes along, with ids (docs/kommo.md 5.4)."""
    scene.world.variants.enums_required_on_patch = needed
    north, ours, mine = sourced(scene)
    before = [(enum.id, enum.value) for enum in mine.ordered_enums]
    ours.name = "Origin"

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert [(enum.id, enum.value) for enum in mine.ordered_enums] == before
    assert north.wounds == (0, 0, 0)


def test_options_that_swap_their_names_swap_them_in_the_slave_too(scene: Scene) -> None:
    north, ours, mine = sourced(scene)
    first, second = mine.enum("Web").id, mine.enum("Fair").id
    web, fair = ours.enum("Web"), ours.enum("Fair")
    web.value, fair.value = "Fair", "Web"

    north.sync(scene.desired())

    assert (mine.enum("Fair").id, mine.enum("Web").id) == (first, second)
    assert differences(scene.master, north.account) == []


def test_an_option_that_the_slave_deleted_is_made_again(scene: Scene) -> None:
    north, _, mine = sourced(scene)
    north.account.delete_enum(mine, mine.enum("Phone"))

    assert north.sync(scene.desired()).state == "changed"
    assert values(mine) == ["Web", "Fair", "Phone"]
    assert north.wounds == (0, 0, 0)
    assert north.sync(scene.desired()).state == "in_sync"


def test_ambiguous_options_are_a_conflict_and_the_field_keeps_its_list(scene: Scene) -> None:
    ours = scene.master.add_field("leads", "Source", "select", enums=["Web", "Fair"])
    north = scene.branch()
    mine = north.account.add_field("leads", "Source", "select", enums=["Web", "Web", "Own"])
    before = [(enum.id, enum.value) for enum in mine.enums]
    ours.is_api_only = True

    result = north.sync(scene.desired())

    assert (result.state, result.reason) == ("partial", "conflict")
    assert [(enum.id, enum.value) for enum in mine.enums] == before
    assert mine.is_api_only


def test_equal_options_pair_by_their_order(scene: Scene) -> None:
    scene.master.add_field("leads", "Source", "select", enums=["Same", "Same", "Other"])
    north = scene.branch()

    assert north.sync(scene.desired()).state == "changed"
    assert values(north.account.field("leads", "Source")) == ["Same", "Same", "Other"]
    assert north.sync(scene.desired()).state == "in_sync"
    keys = [key for ref, key in north.known.items() if ref.kind == "enum" and key.startswith("leads/")]
    assert len(keys) == len(set(keys)) == 3


def test_an_option_without_a_code_gets_the_masters_and_another_code_is_kept(scene: Scene) -> None:
    scene.master.add_field("leads", "Source", "select", enums=[("Web", "WEB"), ("Fair", "FAIR"), "Phone"])
    north = scene.branch()
    mine = north.account.add_field("leads", "Source", "select", enums=["Web", ("Fair", "MINE"), ("Phone", "TEL")])
    before = [enum.id for enum in mine.enums]

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert [(enum.id, enum.code) for enum in mine.enums] == list(zip(before, ("WEB", "MINE", "TEL"), strict=True))
    assert north.sync(scene.desired()).state == "in_sync"


def test_what_the_master_made_anew_under_its_old_name_adopts_what_the_slave_has(scene: Scene) -> None:
    """Deleted and made again in the master: other ids there, the same things here."""
    north = scene.branch()
    for _ in range(2):
        sales = scene.master.add_pipeline("Sales", stages=["New", "Offer"])
        group = scene.master.add_group("leads", "Deal")
        ours = scene.master.add_field("leads", "Source", "select", enums=["Web", "Fair"], group=group)
        ours.required_statuses = [(sales.id, sales.stage("New").id)]
        result = north.sync(scene.desired())
        scene.master.delete_pipeline(sales)
        scene.master.delete_field(ours)
        scene.master.delete_group("leads", group)

    assert (result.state, result.created, result.updated) == ("in_sync", 0, 0)
    assert len(north.account.pipelines) == 2
    assert north.wounds == (0, 0, 0)


def test_a_batch_answer_with_options_keyed_by_index_is_understood(scene: Scene) -> None:
    scene.world.variants.batch_patch_enums_as_object = True
    north, ours, mine = sourced(scene)
    ours.name = "Origin"
    assert north.sync(scene.desired()).state == "changed"
    assert mine.name == "Origin"


# -- predefined fields --


def test_predefined_fields_are_known_by_code_and_never_made_or_renamed(scene: Scene) -> None:
    north = scene.branch(language="pt")
    scene.master.field("contacts", "PHONE").name = "Telephone!"

    result = north.sync(scene.desired())

    assert not [row for row in shown(result) if row[1] == "custom_field"]
    assert north.account.field("contacts", "PHONE").name == "Telefone"
    assert result.document["manual"] == []


def test_a_predefined_field_that_is_missing_is_a_manual_item(scene: Scene) -> None:
    north = scene.branch()
    north.account.delete_field(north.account.field("contacts", "POSITION"))

    result = north.sync(scene.desired())

    assert result.state in ("changed", "in_sync")
    (manual,) = result.document["manual"]
    assert manual["kind"] == "custom_field"
    assert manual["name"] == "Position"
    assert len(north.account.fields["contacts"]) == 2


def test_fields_are_put_in_order_around_the_predefined_ones(scene: Scene) -> None:
    """Phone stands between the two in the master: so it does in the slave, and is not moved for it."""
    scene.master.field("contacts", "PHONE").sort = 50
    scene.master.add_field("contacts", "First", sort=10)
    scene.master.add_field("contacts", "Last", sort=90)
    north = scene.branch()
    phone = north.account.field("contacts", "PHONE")
    before = phone.sort

    north.sync(scene.desired())

    order = [item.name for item in north.account.members("contacts", "default")]
    assert order.index("First") < order.index("Phone") < order.index("Last")
    assert phone.sort == before


@pytest.mark.parametrize("hidden", ["PHONE", "EMAIL"])
def test_predefined_fields_keep_their_order_while_the_master_does_not_show_one_of_them(
    scene: Scene, hidden: str
) -> None:
    """There is no room for both between two of them, and whoever is numbered anew may not leave the third behind."""
    scene.master.add_field("contacts", "First", sort=400)
    scene.master.add_field("contacts", "Last", sort=900)
    item = scene.master.field("contacts", hidden)
    scene.fault("odd", method="GET", item=item.id, at="name", times=None)
    north = scene.branch()
    before = {item.id: item.sort for item in north.account.fields["contacts"].values()}

    assert north.sync(scene.desired()).state == "changed"

    order = [item.code or item.name for item in north.account.members("contacts", "default")]
    assert order == ["POSITION", "PHONE", "EMAIL", "First", "Last"]
    assert {number: north.account.fields["contacts"][number].sort for number in before} == before


def test_required_statuses_of_a_predefined_field_are_copied(scene: Scene) -> None:
    sales = scene.master.add_pipeline("Sales", stages=["New"])
    scene.master.field("contacts", "PHONE").required_statuses = [(sales.id, sales.stage("New").id)]
    north = scene.branch()

    assert north.sync(scene.desired()).state == "changed"
    assert len(north.account.field("contacts", "PHONE").required_statuses) == 1
    assert len(north.account.field("contacts", "PHONE").enums) == 6


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


def test_product_groups_are_not_ours(scene: Scene) -> None:
    scene.master.add_group("leads", "Products", type="linked_group")
    north = scene.branch()
    north.account.add_group("leads", "Products of mine", type="linked_group")

    result = north.sync(scene.desired())

    assert not [row for row in shown(result) if row[1] == "field_group"]
    assert "Products of mine" not in {extra["name"] for extra in result.document["extras"]}


# -- required and hidden statuses --


def required(scene: Scene) -> tuple[Branch, SimField]:
    sales = scene.master.add_pipeline("Sales", stages=["New", "Offer"])
    ours = scene.master.add_field("leads", "Source", required_statuses=[(sales.id, sales.stage("New").id)])
    north = scene.branch()
    north.sync(scene.desired())
    return north, ours


def test_required_in_the_slaves_own_stages_stays(scene: Scene) -> None:
    north, ours = required(scene)
    mine = north.account.field("leads", "Source")
    sales = north.account.pipeline("Sales")
    own = north.account.add_stage(sales, "Own")
    local = north.account.add_pipeline("Local", stages=["Here"])
    kept = [(sales.id, own.id), (local.id, local.stage("Here").id), (local.id, 142)]
    mine.required_statuses += kept
    theirs = scene.master.pipeline("Sales")
    ours.required_statuses = [(theirs.id, theirs.stage("Offer").id), (theirs.id, 143)]

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert set(mine.required_statuses) == {*kept, (sales.id, sales.stage("Offer").id), (sales.id, 143)}
    assert north.sync(scene.desired()).state == "in_sync"


def test_required_statuses_that_the_master_gave_up_are_given_up(scene: Scene) -> None:
    north, ours = required(scene)
    ours.required_statuses = []

    assert north.sync(scene.desired()).state == "changed"
    assert north.account.field("leads", "Source").required_statuses == []


def test_hidden_statuses_are_copied_where_both_accounts_have_the_feature(scene: Scene) -> None:
    sales = scene.master.add_pipeline("Sales", stages=["New", "Offer"])
    scene.master.add_field("leads", "Source", hidden_statuses=[(sales.id, sales.stage("New").id)])
    north = scene.branch()

    assert north.sync(scene.desired()).state == "changed"
    assert differences(scene.master, north.account) == []


@pytest.mark.parametrize("there", [False, True], ids=["new field", "old field"])
def test_hidden_statuses_where_the_slave_lacks_the_feature_are_a_manual_item(scene: Scene, there: bool) -> None:
    sales = scene.master.add_pipeline("Sales", stages=["New", "Offer"])
    scene.master.add_field("leads", "Source", hidden_statuses=[(sales.id, sales.stage("New").id)])
    north = scene.branch(super_fields=False)
    if there:
        north.account.add_field("leads", "Source")

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert "Source" in {item.name for item in north.account.fields["leads"].values()}
    (manual,) = result.document["manual"]
    assert "hidden by stage" in manual["message"]
    assert all("hidden_statuses" not in record.body.decode() for record in north.sent(*WRITES))


def test_a_master_without_hidden_statuses_leaves_those_of_the_slave_alone(scene: Scene) -> None:
    scene.master.super_fields = False
    sales = scene.master.add_pipeline("Sales", stages=["New"])
    scene.master.add_field("leads", "Source")
    north = scene.branch()
    north.sync(scene.desired())
    mine = north.account.pipeline("Sales")
    kept = [(mine.id, mine.stage("New").id)]
    north.account.field("leads", "Source").hidden_statuses = list(kept)
    assert sales

    assert north.sync(scene.desired()).state == "in_sync"
    assert north.account.field("leads", "Source").hidden_statuses == kept


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


@pytest.mark.parametrize("shown_as", ["null", "default"])
def test_a_field_moves_between_groups_and_back_to_the_main_one(scene: Scene, shown_as: str) -> None:
    scene.world.variants.main_group_shown_as = shown_as
    first, second = scene.master.add_group("leads", "First"), scene.master.add_group("leads", "Second")
    ours = scene.master.add_field("leads", "Source", group=first)
    north = scene.branch()
    north.sync(scene.desired())
    mine = north.account.field("leads", "Source")
    number = mine.id
    for group_id, name in ((second.id, "Second"), ("default", None), (first.id, "First")):
        ours.group_id = group_id
        result = north.sync(scene.desired())

        assert result.state == "changed"
        assert mine.group_id == ("default" if name is None else north.account.group("leads", name).id)
        assert north.sync(scene.desired()).state == "in_sync"
    assert mine.id == number


def test_a_field_in_another_group_is_moved_and_not_made_again(scene: Scene) -> None:
    group = scene.master.add_group("leads", "Deal")
    scene.master.add_field("leads", "Source", group=group)
    north = scene.branch()
    mine = north.account.add_field("leads", "Source")

    result = north.sync(scene.desired())

    assert [row for row in shown(result) if row[1] == "custom_field"] == [("update", "custom_field", "Source")]
    assert mine.group_id == north.account.group("leads", "Deal").id


def test_the_group_of_a_tracking_field_is_left_to_kommo(scene: Scene) -> None:
    scene.master.add_field("leads", "Campaign", "tracking_data", group_id="statistic")
    north = scene.branch()
    north.account.add_field("leads", "Campaign", "tracking_data", group_id="default")
    assert north.sync(scene.desired()).state == "in_sync"


def test_a_group_in_conflict_holds_back_the_fields_that_need_it_and_nothing_else(scene: Scene) -> None:
    group = scene.master.add_group("leads", "Deal")
    scene.master.add_field("leads", "Inside", group=group)
    scene.master.add_field("leads", "Outside")
    north = scene.branch()
    for _ in range(2):
        north.account.add_group("leads", "Deal")

    result = north.sync(scene.desired())

    assert (result.state, result.reason) == ("partial", "conflict")
    assert {(each["kind"], each["name"]) for each in result.document["conflicts"]} == {
        ("field_group", "Deal"),
        ("custom_field", "Inside"),
    }
    assert [each["name"] for each in changes(result, kind="custom_field")] == ["Outside"]


@pytest.mark.parametrize("sort", [0, 999_999, 1_000_000, 2**31 - 1])
def test_the_order_is_reached_beside_any_number_that_the_slave_has(scene: Scene, sort: int) -> None:
    for name in ("A", "B", "C"):
        scene.master.add_field("companies", name, sort=10 * ord(name))
    north = scene.branch()
    for name in ("C", "Own", "A", "B"):
        north.account.add_field("companies", name, sort=sort)

    result = north.sync(scene.desired())

    assert (result.state, result.reason) == ("changed", None)
    assert differences(scene.master, north.account) == []
    assert north.sync(scene.desired()).state == "in_sync"


def test_a_group_that_moves_takes_its_fields_along(scene: Scene) -> None:
    groups = [scene.master.add_group("leads", name) for name in ("A", "B", "C")]
    for group in groups:
        scene.master.add_field("leads", f"In {group.name}", group=group)
    north = scene.branch()
    north.sync(scene.desired())
    change(scene.master, "group", ["leads", groups[2].id], sort=0)
    scene.master.add_field("leads", "Also in C", group=groups[2])

    result = north.sync(scene.desired())

    assert result.state == "changed"
    assert differences(scene.master, north.account) == []


@pytest.mark.parametrize("status", [200, 201])
def test_a_creation_may_answer_200_or_201(scene: Scene, status: int) -> None:
    scene.world.variants.fields_created_status = scene.world.variants.groups_created_status = status
    group = scene.master.add_group("leads", "Deal")
    scene.master.add_field("leads", "Source", group=group)
    north = scene.branch()
    assert north.sync(scene.desired()).state == "changed"
    assert differences(scene.master, north.account) == []


def test_a_field_of_a_group_that_is_not_ours_to_copy_is_made_in_the_main_group(scene: Scene) -> None:
    products = scene.master.add_group("leads", "Products", type="linked_group")
    ours = scene.master.add_field("leads", "Inside", group=products)
    north = scene.branch()

    assert north.sync(scene.desired()).state == "changed"
    assert north.account.field("leads", "Inside").group_id == "default"
    ours.name = "Still inside"
    assert north.sync(scene.desired()).state == "changed"
    assert north.sync(scene.desired()).state == "in_sync"


def test_a_field_of_a_predefined_group_that_the_slave_lacks_is_made_in_the_main_group(scene: Scene) -> None:
    scene.master.add_field("leads", "Inside", group_id="statistic")
    north = scene.branch()
    north.account.delete_group("leads", north.account.group("leads", "statistic"))

    assert north.sync(scene.desired()).state == "changed"
    assert north.account.field("leads", "Inside").group_id == "default"
    assert north.sync(scene.desired()).state == "in_sync"


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


def test_options_and_stages_that_differ_in_case_only_keep_their_ids(scene: Scene) -> None:
    scene.master.add_field("leads", "Answer", "select", enums=["yes", "Yes"])
    scene.master.add_pipeline("Deals", stages=["new", "New"])
    north = scene.branch()
    own = north.account.add_field("leads", "Answer", "select", enums=["Yes"])
    mine = north.account.add_pipeline("Deals", stages=["New"])
    option, stage = own.enums[0].id, mine.ordinary[0].id

    assert north.sync(scene.desired()).state == "changed"

    assert {enum.value: enum.id for enum in own.enums}["Yes"] == option
    assert values(own) == ["yes", "Yes"]
    assert {each.name: each.id for each in mine.ordinary}["New"] == stage
    assert [each.name for each in mine.ordinary] == ["new", "New"]
    assert north.wounds == (0, 0, 0)
    assert north.sync(scene.desired()).state == "in_sync"
