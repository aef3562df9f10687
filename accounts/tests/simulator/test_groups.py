"""Field groups as docs/kommo.md 5.5 has them."""

import re

import pytest


@pytest.fixture
def deal(account):
    return account.add_group("leads", "Deal")


def test_a_new_account_has_the_main_group_and_statistics_for_leads(north):
    leads = north.get("leads/custom_fields/groups").items("custom_field_groups")
    contacts = north.get("contacts/custom_fields/groups").items("custom_field_groups")
    assert [(each["id"], each["is_predefined"]) for each in leads] == [("default", True), ("statistic", True)]
    assert [each["id"] for each in contacts] == ["default"]
    assert len(leads[1]["fields"]) == 10


def test_a_read_shows_exactly_the_documented_keys(north, deal):
    body = north.get(f"leads/custom_fields/groups/{deal.id}").body
    assert set(body) == {"id", "name", "is_predefined", "type", "fields", "entity_type", "sort", "_links"}


def test_a_new_group_has_a_text_as_id_and_may_take_fields_along(north, account):
    field = account.add_field("companies", "Tax id")
    item = {"name": "Tax", "sort": 4, "fields": [field.id], "request_id": "t"}
    reply = north.post("companies/custom_fields/groups", [item])
    (group,) = reply.items("custom_field_groups")
    assert reply.status == 201
    assert re.fullmatch(r"companies_\d{14}", group["id"])
    assert (group["sort"], group["fields"], group["request_id"]) == (4, [field.id], "t")


def test_fields_set_the_whole_membership_but_no_sort(north, account, deal):
    kept, gone = (account.add_field("leads", name, group=deal, sort=5) for name in ("Kept", "Gone"))
    come = account.add_field("leads", "Come", sort=7)
    reply = north.patch(f"leads/custom_fields/groups/{deal.id}", {"fields": [come.id, kept.id]})
    assert reply.body["fields"] == [kept.id, come.id]
    assert (gone.group_id, kept.sort, come.sort) == ("default", 5, 7)


def test_a_group_without_fields_in_the_patch_keeps_them(north, account, deal):
    field = account.add_field("leads", "Kept", group=deal)
    assert north.patch(f"leads/custom_fields/groups/{deal.id}", {"name": "Business"}).body["fields"] == [field.id]


def test_tracking_fields_never_leave_the_statistic_group(north, account, deal):
    field = account.field("leads", "UTM_SOURCE")
    assert north.patch(f"leads/custom_fields/groups/{deal.id}", {"fields": [field.id]}).body["fields"] == []
    assert field.group_id == "statistic"


@pytest.mark.parametrize(
    ("item", "code", "path"),
    [
        ({"sort": 1}, "FieldMissing", "name"),
        ({"name": ""}, "NotBlank", "name"),
        ({"name": "A", "is_collapsed": True}, "FieldNotExpected", "is_collapsed"),
        ({"name": "A", "fields": [1]}, "NotSupportedChoice", "fields.0"),
        ({"name": "A", "fields": ["1"]}, "InvalidType", "fields.0"),
    ],
)
def test_a_bad_key_of_a_group_is_named(north, item, code, path):
    reply = north.post("leads/custom_fields/groups", [item])
    assert (reply.status, reply.codes) == (400, [(code, path)])


def test_a_field_of_another_entity_cannot_join(north, account, deal):
    field = account.add_field("contacts", "Birthday", "birthday")
    reply = north.patch(f"leads/custom_fields/groups/{deal.id}", {"fields": [field.id]})
    assert reply.codes == [("NotSupportedChoice", "fields.0")]


@pytest.mark.parametrize("name", ["default", "statistic"])
def test_a_predefined_group_stays(north, name):
    assert north.delete(f"leads/custom_fields/groups/{name}").status == 400


def test_the_fields_of_a_deleted_group_go_to_main(north, account, deal):
    field = account.add_field("leads", "Budget", group=deal)
    assert north.delete(f"leads/custom_fields/groups/{deal.id}").status == 204
    assert field.group_id == "default"
    assert north.get(f"leads/custom_fields/groups/{deal.id}").status == 404


def test_groups_have_no_batch_patch(north):
    assert north.patch("leads/custom_fields/groups", [{"id": "default"}]).status == 405
