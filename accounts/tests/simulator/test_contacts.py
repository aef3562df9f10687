"""Contacts and companies as lists: pages, values, and who is not listed though values are held."""

import pytest

KINDS = ("contacts", "companies")


@pytest.fixture(params=KINDS)
def entity(request):
    return request.param


@pytest.fixture
def add(account, entity):
    return account.add_contact if entity == "contacts" else account.add_company


def test_there_are_none_in_a_new_account(north, entity):
    assert north.get(entity).status == 204


def test_a_card_shows_what_it_holds(north, account, entity, add):
    kind = account.add_field(entity, "Kind", "select", enums=["A", "B"])
    card = add({kind.id: kind.enum("B").id}, name="Acme")
    add()

    first, second = north.get(entity).items(entity)

    assert (first["id"], first["name"], first["account_id"]) == (card.id, "Acme", account.account_id)
    assert first["custom_fields_values"] == [
        {
            "field_id": kind.id, "field_name": "Kind", "field_code": None, "field_type": "select",
            "values": [{"value": "B", "enum_id": kind.enum("B").id, "enum_code": None}],
        }
    ]  # fmt: skip
    assert second["custom_fields_values"] is None
    assert ("pipeline_id" in first, "first_name" in first) == (False, entity == "contacts")


def test_a_phone_has_a_kind(north, account, entity, add):
    phone = account.field(entity, "PHONE")
    add({phone.id: ["+55 11", "+55 12"]})
    (value,) = north.get(entity).items(entity)[0]["custom_fields_values"]
    kind = {"enum_id": phone.enums[0].id, "enum_code": "WORK"}
    assert value["values"] == [{"value": "+55 11", **kind}, {"value": "+55 12", **kind}]


def test_cards_come_in_pages_in_the_order_asked_for(north, entity, add):
    made = [add().id for _ in range(251)]
    first, second = (north.get(f"{entity}?limit=250&page={page}&order[id]=desc") for page in (1, 2))
    assert [each["id"] for reply in (first, second) for each in reply.items(entity)] == made[::-1]
    assert ("next" in first.body["_links"], "next" in second.body["_links"]) == (True, False)
    assert "_total_items" not in first.body
    assert north.get(f"{entity}?page=3&limit=250").status == 204


def test_cards_in_the_trash_and_of_incoming_leads_are_not_listed_but_lose_values(north, account, entity, add):
    field = account.add_field(entity, "Budget")
    add({field.id: 1}, is_deleted=True)
    add({field.id: 2}, is_unsorted=True)
    assert north.get(entity).status == north.get(f"{entity}?with=only_deleted").status == 204
    north.delete(f"{entity}/custom_fields/{field.id}")
    assert [(loss.value, loss.in_trash) for loss in account.losses] == [(1, True), (2, False)]


def test_filters_of_leads_do_not_work_on_cards(north, account, entity, add):
    first, second = add(), add()
    assert len(north.get(f"{entity}?filter[pipeline_id]=1").items(entity)) == 2
    assert [each["id"] for each in north.get(f"{entity}?filter[id][]={second.id}").items(entity)] == [second.id]
    account.variants.unknown_filter = "400"
    assert north.get(f"{entity}?filter[pipeline_id]=1&filter[id]={first.id}").status == 400


def test_what_one_entity_holds_is_not_in_the_other(north, account):
    account.add_contact()
    assert north.get("companies").status == 204
