"""Edits by hand: free of the API's rules, with the same effects on leads."""

import pytest

from accounts.simulator import edits


def test_things_are_changed_by_kind_and_key(account):
    pipeline = account.pipeline("Pipeline")
    stage = pipeline.stage("Discussions")
    field = account.add_field("leads", "Source", "select", enums=["Web"])
    group = account.add_group("leads", "Deal")
    edits.change(account, "pipeline", pipeline.id, name="Sales")
    edits.change(account, "stage", [pipeline.id, stage.id], name="Talk", color="#123456", sort=900)
    edits.change(account, "enum", [field.id, field.enums[0].id], value="Site")
    edits.change(account, "group", ["leads", group.id], name="Business")
    edits.change(account, "field", field.id, name="From", required_statuses=[[pipeline.id, 142]])
    edits.change(account, "account", paid=False)
    assert (pipeline.name, pipeline.ordinary[-1].name, stage.color) == ("Sales", "Talk", "#123456")
    assert (field.name, field.enums[0].value, field.required_statuses) == ("From", "Site", [(pipeline.id, 142)])
    assert (group.name, account.paid) == ("Business", False)


def test_a_removed_option_takes_its_values_along(account):
    field = account.add_field("leads", "Source", "select", enums=["Web"])
    account.add_lead(account.pipeline("Pipeline").id, 142, {field.id: field.enums[0].id})
    edits.remove(account, "enum", [field.id, field.enums[0].id])
    assert (account.lost_values, field.enums) == (1, [])


def test_leads_and_cards_are_changed_by_their_ids(account):
    pipeline = account.pipeline("Pipeline")
    lead, contact, company = account.add_lead(pipeline.id, 142), account.add_contact(), account.add_company()
    edits.change(account, "lead", lead.id, status_id=143, is_deleted=True)
    edits.change(account, "contact", contact.id, is_unsorted=True)
    edits.change(account, "company", company.id, is_deleted=True)
    assert (lead.status_id, lead.is_deleted) == (143, True)
    assert (contact.is_unsorted, company.is_deleted) == (True, True)
    with pytest.raises(KeyError):
        edits.remove(account, "lead", lead.id)


def test_things_are_added_by_kind(account):
    pipeline = edits.add(account, "pipeline", name="Sales", stages=["A"], is_main=True)
    stage = edits.add(account, "stage", pipeline_id=pipeline.id, name="B", sort=1)
    field = edits.add(account, "field", entity="leads", name="Source", type="select", enums=["Web"])
    edits.add(account, "enum", field_id=field.id, value="Fair")
    assert account.ordered_pipelines[0].ordinary[0] is stage
    assert [enum.value for enum in field.enums] == ["Web", "Fair"]
    edits.add(account, "description", pipeline_id=pipeline.id, stage_id=stage.id, level="newbie", text="Hi")
    assert stage.descriptions["newbie"].description == "Hi"
    assert edits.add(account, "group", entity="leads", name="Deal").id.startswith("leads_")


@pytest.mark.parametrize(
    ("kind", "key", "attributes", "error"),
    [
        ("pipeline", 1, {"name": "X"}, KeyError),
        ("field", 1, {"name": "X"}, KeyError),
        ("planet", 1, {"name": "X"}, KeyError),
        ("account", None, {"tokens": {}}, AttributeError),
    ],
)
def test_an_unknown_thing_is_an_error(account, kind, key, attributes, error):
    with pytest.raises(error):
        edits.change(account, kind, key, **attributes)
