"""What deletions take from leads, contacts and companies, and that every bit of it is written down."""

import pytest

from accounts.simulator import edits

ADDERS = {
    "leads": lambda account, values: account.add_lead(account.pipeline("Pipeline").id, 142, values),
    "contacts": lambda account, values: account.add_contact(values),
    "companies": lambda account, values: account.add_company(values),
}
entities = pytest.mark.parametrize("entity", list(ADDERS))


@entities
def test_a_deleted_field_takes_the_values_of_its_own_entity(north, account, clock, entity):
    field = account.add_field(entity, "Budget", "numeric")
    kept = account.add_field(entity, "Kept")
    holder = ADDERS[entity](account, {field.id: 5, kept.id: "x"})
    other = ADDERS[entity](account, {kept.id: "y"})

    assert north.delete(f"{entity}/custom_fields/{field.id}").status == 204

    assert (holder.values, other.values) == ({kept.id: "x"}, {kept.id: "y"})
    (loss,) = account.losses
    assert (loss.cause, loss.cause_id, loss.entity, loss.holder_id) == ("field", field.id, entity, holder.id)
    assert (loss.field_id, loss.value, loss.in_trash, loss.at) == (field.id, 5, False, int(clock.now))
    assert account.lost_values == 1


@entities
def test_an_option_left_out_of_a_patch_takes_its_values(north, account, entity):
    one = account.add_field(entity, "One", "select", enums=["A", "B"])
    many = account.add_field(entity, "Many", "multiselect", enums=["A", "B"])
    only, (a, b) = one.enum("A"), many.enums
    holder = ADDERS[entity](account, {one.id: only.id, many.id: [a.id, b.id]})
    for field in (one, many):
        left = field.enum("B")
        north.patch(f"{entity}/custom_fields/{field.id}", {"enums": [{"id": left.id, "value": left.value}]})

    assert holder.values == {many.id: [b.id]}
    taken = [(loss.cause, loss.cause_id, loss.field_id, loss.value) for loss in account.losses]
    assert taken == [("enum", only.id, one.id, only.id), ("enum", a.id, many.id, a.id)]
    assert {loss.holder_id for loss in account.losses} == {holder.id}
    assert account.lost_values == 2


def test_the_last_chosen_option_of_several_leaves_no_value(account):
    many = account.add_field("contacts", "Many", "multiselect", enums=["A", "B"])
    contact = account.add_contact({many.id: [many.enums[0].id]})
    edits.remove(account, "enum", [many.id, many.enums[0].id])
    assert contact.values == {}


def test_what_nobody_holds_is_lost_without_a_loss(north, account):
    field = account.add_field("contacts", "Idle", "select", enums=["A"])
    account.add_contact()
    north.delete(f"contacts/custom_fields/{field.id}")
    assert (account.losses, account.lost_values) == ([], 0)


def test_a_deleted_stage_tells_which_leads_it_moved_where(account):
    pipeline = account.pipeline("Pipeline")
    gone, first = pipeline.stage("Discussions"), pipeline.stage("Initial contact")
    leads = [account.add_lead(pipeline.id, gone.id, is_deleted=trash) for trash in (False, True)]
    account.add_lead(pipeline.id, first.id)

    account.delete_stage(pipeline, gone)

    assert [(loss.cause, loss.cause_id, loss.entity) for loss in account.losses] == [("stage", gone.id, "leads")] * 2
    assert [(loss.holder_id, loss.in_trash) for loss in account.losses] == [(leads[0].id, False), (leads[1].id, True)]
    assert {(loss.pipeline_id, loss.moved_to) for loss in account.losses} == {(pipeline.id, first.id)}
    assert (account.moved_leads, account.lost_values) == (2, 0)


@entities
def test_nobody_holds_a_value_of_a_field_that_is_not_there(account, entity):
    foreign = account.add_field("contacts" if entity == "leads" else "leads", "Foreign")
    with pytest.raises(KeyError):
        ADDERS[entity](account, {foreign.id: 1})
    assert account.records.of(entity) == {}
