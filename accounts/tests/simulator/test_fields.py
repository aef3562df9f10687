"""Custom fields as docs/kommo.md 5.1 to 5.4 has them."""

import pytest

from accounts.simulator.api.field_rules import COMMON_TYPES


def create(caller, entity="leads", **facts):
    return caller.post(f"{entity}/custom_fields", [{"name": "Budget", "type": "text", **facts}])


def made(reply):
    assert reply.status == 201, reply.raw
    return reply.items("custom_fields")[0]


def minimal(type_):
    facts = {"type": type_}
    if type_ in ("select", "multiselect", "radiobutton"):
        facts["enums"] = [{"value": "A"}]
    if type_ == "monetary":
        facts["currency"] = "EUR"
    return facts


@pytest.fixture
def source(account):
    return account.add_field("leads", "Source", "select", enums=["Web", "Phone", "Fair"])


def test_a_list_has_fifty_fields_a_page_and_says_where_the_next_is(north, account):
    for number in range(70):
        account.add_field("contacts", f"Field {number}")
    first = north.get("contacts/custom_fields").body
    assert (first["_total_items"], first["_page"], first["_page_count"]) == (73, 1, 2)
    assert len(first["_embedded"]["custom_fields"]) == 50
    path = first["_links"]["next"]["href"].partition("/api/v4/")[2]
    second = north.get(path).body
    assert len(second["_embedded"]["custom_fields"]) == 23
    assert "next" not in second["_links"]


def test_a_page_holds_at_most_two_hundred_and_fifty(north):
    assert north.get("leads/custom_fields?limit=250").status == 200
    reply = north.get("leads/custom_fields?limit=251")
    assert (reply.status, reply.body["detail"]) == (422, "Limit 250 per page")


def test_an_empty_page_is_204(north):
    reply = north.get("leads/custom_fields?page=9")
    assert (reply.status, reply.raw) == (204, b"")
    assert north.get("leads/custom_fields?filter[type][0]=items").status == 204


def test_a_list_can_be_filtered_and_ordered(north, account, source):
    reply = north.get("leads/custom_fields?filter[type][0]=select&filter[type][1]=date")
    assert [each["id"] for each in reply.items("custom_fields")] == [source.id]
    account.add_field("leads", "First", sort=1)
    ordered = north.get("leads/custom_fields?order[sort]=asc").items("custom_fields")
    assert ordered[0]["name"] == "First"


def test_a_read_shows_exactly_the_documented_keys(north, source):
    body = north.get(f"leads/custom_fields/{source.id}").body
    assert set(body) == {
        "id", "name", "type", "account_id", "code", "sort", "is_api_only", "enums", "group_id", "required_statuses",
        "is_deletable", "is_predefined", "entity_type", "tracking_callback", "remind", "triggers", "currency",
        "chained_lists", "hidden_statuses", "_links",
    }  # fmt: skip
    assert body["group_id"] is None


def test_hidden_statuses_are_for_leads_of_accounts_with_super_fields(north, account):
    assert create(north, "contacts", hidden_statuses=[]).codes == [("FieldNotExpected", "hidden_statuses")]
    account.super_fields = False
    assert create(north, hidden_statuses=[]).codes == [("FieldNotExpected", "hidden_statuses")]
    assert "hidden_statuses" not in made(create(north))


def test_predefined_fields_are_there_from_the_start(north):
    codes = {each["code"]: each for each in north.get("contacts/custom_fields").items("custom_fields")}
    assert set(codes) == {"PHONE", "EMAIL", "POSITION"}
    assert [enum["code"] for enum in codes["EMAIL"]["enums"]] == ["WORK", "PRIV", "OTHER"]
    assert codes["PHONE"]["is_deletable"] is False


def test_a_predefined_field_can_be_neither_deleted_nor_made(north, account):
    number = account.field("contacts", "PHONE").id
    assert north.delete(f"contacts/custom_fields/{number}").status == 400
    assert create(north, "contacts", type="multitext").codes == [("NotSupportedChoice", "type")]
    assert create(north, "contacts", code="PHONE").codes == [("NotUnique", "code")]


@pytest.mark.parametrize("entity", ["leads", "contacts", "companies"])
@pytest.mark.parametrize("type_", sorted(COMMON_TYPES))
def test_every_common_type_can_be_made_in_every_entity(north, entity, type_):
    field = made(create(north, entity, **minimal(type_)))
    assert (field["type"], field["sort"], field["request_id"]) == (type_, 500, "0")


@pytest.mark.parametrize("type_", ["price", "category", "items", "linked_entity", "payer", "colour"])
def test_a_type_of_elsewhere_is_refused(north, type_):
    assert create(north, type=type_).codes == [("NotSupportedChoice", "type")]


@pytest.mark.parametrize("type_", ["tracking_data", "chained_list"])
def test_two_types_are_for_leads_only(north, type_):
    assert create(north, type=type_).status == 201
    assert create(north, "contacts", type=type_).codes == [("NotSupportedChoice", "type")]


def test_a_tracking_field_goes_to_the_statistic_group(north):
    assert made(create(north, type="tracking_data", tracking_callback="return 1"))["group_id"] == "statistic"


@pytest.mark.parametrize(
    ("facts", "code", "path"),
    [
        ({"name": ""}, "NotBlank", "name"),
        ({"name": "x" * 256}, "TooLong", "name"),
        ({"is_required": True}, "FieldNotExpected", "is_required"),
        ({"is_predefined": False}, "FieldNotExpected", "is_predefined"),
        ({"sort": None}, "InvalidType", "sort"),
        ({"is_api_only": 0}, "InvalidType", "is_api_only"),
        ({"group_id": "leads_1"}, "NotSupportedChoice", "group_id"),
        ({"enums": [{"value": "A"}]}, "FieldNotExpected", "enums"),
        ({"currency": "EUR"}, "FieldNotExpected", "currency"),
        ({"remind": "day"}, "FieldNotExpected", "remind"),
        ({"tracking_callback": "x"}, "FieldNotExpected", "tracking_callback"),
        ({"type": "select"}, "FieldMissing", "enums"),
        ({"type": "select", "enums": []}, "NotBlank", "enums"),
        ({"type": "select", "enums": [{"value": ""}]}, "NotBlank", "enums.0.value"),
        ({"type": "select", "enums": [{"value": "A", "id": 1}]}, "FieldNotExpected", "enums.0.id"),
        ({"type": "monetary"}, "FieldMissing", "currency"),
        ({"type": "monetary", "currency": "euro"}, "NotSupportedChoice", "currency"),
        ({"type": "birthday", "remind": "year"}, "NotSupportedChoice", "remind"),
        ({"type": "chained_list", "chained_lists": [{"title": "A", "catalog_id": 5}]},
         "NotSupportedChoice", "chained_lists.0.catalog_id"),
        ({"required_statuses": [{"pipeline_id": 1, "status_id": 142}]},
         "NotSupportedChoice", "required_statuses.0.pipeline_id"),
        ({"required_statuses": [{"status_id": 142}]}, "FieldMissing", "required_statuses.0.pipeline_id"),
    ],
)  # fmt: skip
def test_a_bad_key_of_a_field_is_named(north, facts, code, path):
    reply = create(north, **facts)
    assert reply.status == 400
    assert reply.codes == [(code, path)]


def test_a_code_is_unique_within_its_entity_and_its_batch(north):
    assert create(north, code="BUDGET").status == 201
    assert create(north, code="BUDGET").codes == [("NotUnique", "code")]
    assert create(north, "contacts", code="BUDGET").status == 201
    twice = [{"name": name, "type": "text", "code": "TWICE"} for name in "AB"]
    assert north.post("companies/custom_fields", twice).codes == [("NotUnique", "code")]


def test_equal_names_are_allowed(north):
    assert [create(north).status for _ in range(2)] == [201, 201]


def test_a_batch_with_one_bad_field_makes_none(north, account):
    before = len(account.fields["leads"])
    items = [{"name": "Good", "type": "text"}, {"name": "Bad", "type": "nothing"}]
    reply = north.post("leads/custom_fields", items)
    assert [entry["request_id"] for entry in reply.body["validation-errors"]] == ["1"]
    assert len(account.fields["leads"]) == before


def test_a_type_cannot_be_changed_but_repeated(north, source):
    path = f"leads/custom_fields/{source.id}"
    assert north.patch(path, {"type": "select", "name": "From"}).body["name"] == "From"
    assert north.patch(path, {"type": "text"}).codes == [("NotSupportedChoice", "type")]


def test_a_code_cannot_be_set_later(north, account, source):
    path = f"leads/custom_fields/{source.id}"
    assert north.patch(path, {"code": "SOURCE"}).codes == [("OnlyNull", "code")]
    account.variants.code_patch_only_null = False
    assert north.patch(path, {"code": "SOURCE"}).body["code"] == "SOURCE"


def test_a_patch_of_a_monetary_field_needs_its_currency(north, account):
    number = account.add_field("leads", "Budget", "monetary", currency="EUR").id
    path = f"leads/custom_fields/{number}"
    assert north.patch(path, {"sort": 1}).codes == [("FieldMissing", "currency")]
    assert north.patch(path, {"sort": 1, "currency": "BRL"}).body["currency"] == "BRL"


def test_a_post_of_a_monetary_field_may_break_the_server(north, account):
    account.variants.monetary_post_500 = True
    reply = create(north, **minimal("monetary"))
    assert (reply.status, reply.body["title"]) == (500, "ErrInternalServer")
    assert "trace_id" in reply.body


def test_null_as_group_is_refused_in_a_patch_unless_the_variant_allows(north, account, source):
    source.group_id = account.add_group("leads", "Deal").id
    path = f"leads/custom_fields/{source.id}"
    assert north.patch(path, {"group_id": None}).codes == [("InvalidType", "group_id")]
    account.variants.group_null_patch_rejected = False
    account.variants.main_group_shown_as = "default"
    assert north.patch(path, {"group_id": None}).body["group_id"] == "default"


def test_required_statuses_are_replaced(north, account, source):
    pipeline = account.pipeline("Pipeline")
    first, second = ({"pipeline_id": pipeline.id, "status_id": stage.id} for stage in pipeline.ordinary[:2])
    path = f"leads/custom_fields/{source.id}"
    north.patch(path, {"required_statuses": [first]})
    assert north.patch(path, {"required_statuses": [second]}).body["required_statuses"] == [second]
    assert north.patch(path, {"required_statuses": None}).body["required_statuses"] == []


def test_won_and_lost_stick_in_required_statuses_or_are_dropped_without_a_word(north, account, source):
    won = {"pipeline_id": account.pipeline("Pipeline").id, "status_id": 142}
    path = f"leads/custom_fields/{source.id}"
    assert north.patch(path, {"required_statuses": [won]}).body["required_statuses"] == [won]
    account.variants.system_required_statuses = "drop"
    reply = north.patch(path, {"required_statuses": [won]})
    assert (reply.status, reply.body["required_statuses"]) == (200, [])


def test_a_batch_patch_answers_options_as_an_object(north, account, source):
    change = [{"id": source.id, "sort": 3}]
    body = north.patch("leads/custom_fields", change).items("custom_fields")[0]
    assert list(body["enums"]) == ["0", "1", "2"]
    account.variants.batch_patch_enums_as_object = False
    assert isinstance(north.patch("leads/custom_fields", change).items("custom_fields")[0]["enums"], list)


def test_a_batch_patch_with_one_bad_item_changes_nothing(north, source):
    reply = north.patch("leads/custom_fields", [{"id": source.id, "name": "X"}, {"id": 1, "name": "Y"}, {"name": "Z"}])
    assert reply.codes == [("NotSupportedChoice", "id"), ("FieldMissing", "id")]
    assert source.name == "Source"


def test_options_named_by_id_keep_it_and_their_values(north, account, source):
    pipeline = account.pipeline("Pipeline")
    web, phone, fair = source.enums
    account.add_lead(pipeline.id, 142, {source.id: web.id})
    enums = [{"id": web.id, "value": "Site"}, {"id": phone.id, "value": "Phone"}, {"id": fair.id, "value": "Fair"},
             {"value": "New", "sort": 900}]  # fmt: skip
    reply = north.patch(f"leads/custom_fields/{source.id}", {"enums": enums})
    assert [each["value"] for each in reply.body["enums"]] == ["Site", "Phone", "Fair", "New"]
    assert reply.body["enums"][0]["id"] == web.id
    assert account.lost_values == 0


def test_options_sent_without_their_id_lose_every_value(north, account, source):
    pipeline = account.pipeline("Pipeline")
    many = account.add_field("leads", "Tags", "multiselect", enums=["A", "B"])
    values = {source.id: source.enums[0].id, many.id: [many.enums[0].id, many.enums[1].id]}
    lead = account.add_lead(pipeline.id, 142, values)
    north.patch(f"leads/custom_fields/{source.id}", {"enums": [{"value": "Web"}]})
    north.patch(f"leads/custom_fields/{many.id}", {"enums": [{"value": "B", "id": many.enums[1].id}]})
    assert account.lost_values == 2
    assert lead.values == {many.id: [many.enums[0].id]}


def test_an_option_of_another_field_or_named_twice_is_refused(north, source):
    path = f"leads/custom_fields/{source.id}"
    number = source.enums[0].id
    assert north.patch(path, {"enums": [{"id": 1, "value": "X"}]}).codes == [("NotSupportedChoice", "enums.0.id")]
    twice = [{"id": number, "value": "X"}, {"id": number, "value": "Y"}]
    assert north.patch(path, {"enums": twice}).codes == [("NotSupportedChoice", "enums.1.id")]


def test_a_patch_may_have_to_carry_the_options(north, account, source):
    account.variants.enums_required_on_patch = True
    assert north.patch(f"leads/custom_fields/{source.id}", {"sort": 1}).codes == [("FieldMissing", "enums")]


def test_a_deleted_field_takes_its_values_along(north, account, source):
    account.add_lead(account.pipeline("Pipeline").id, 142, {source.id: source.enums[0].id})
    assert north.delete(f"leads/custom_fields/{source.id}").status == 204
    assert account.lost_values == 1
    assert north.get(f"leads/custom_fields/{source.id}").status == 404


def test_customers_are_switched_off(north):
    reply = north.get("customers/custom_fields")
    assert (reply.status, reply.body["detail"]) == (422, "Customers disabled")
