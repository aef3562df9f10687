"""What may be deleted and what goes with it (docs/kommo.md 4.3, 4.6, 5.1, 5.5)."""

import pytest


@pytest.fixture
def main(account):
    return account.pipeline("Pipeline")


@pytest.fixture
def spare(account):
    return account.add_pipeline("Spare", stages=["A", "B", "C"])


def delete(caller, pipeline, stage=None):
    end = "" if stage is None else f"/statuses/{stage}"
    return caller.delete(f"leads/pipelines/{pipeline.id}{end}")


def test_a_pipeline_without_leads_goes_once(north, account, spare):
    assert delete(north, spare).status == 204
    assert delete(north, spare).status == 404
    assert spare.id not in account.pipelines


def test_the_last_pipeline_stays_even_where_the_main_one_may_go(north, account, main):
    account.variants.main_pipeline_deletable = True
    assert delete(north, main).status == 400


@pytest.mark.parametrize("trash", [False, True])
def test_a_pipeline_with_a_lead_stays_though_the_lead_is_in_the_trash(north, account, spare, trash):
    lead = account.add_lead(spare.id, 143, is_deleted=trash)
    assert delete(north, spare).status == 400
    del account.leads[lead.id]
    assert delete(north, spare).status == 204


def test_a_pipeline_with_an_incoming_lead_stays_though_its_incoming_stage_is_hidden(north, account, spare):
    account.add_unsorted(spare.id)
    assert delete(north, spare).status == 400
    assert north.patch(f"leads/pipelines/{spare.id}", {"is_unsorted_on": False}).status == 200
    assert delete(north, spare).status == 400


def test_the_main_pipeline_stays_unless_the_variant_says_no_and_then_another_is_main(north, account, main, spare):
    assert delete(north, main).status == 400
    account.variants.main_pipeline_deletable = True
    assert delete(north, main).status == 204
    assert [(each["id"], each["is_main"]) for each in north.get("leads/pipelines").items("pipelines")] == [
        (spare.id, True)
    ]


def test_a_refused_deletion_has_the_status_of_the_variant(north, account, main, spare):
    account.variants.undeletable_status = 422
    account.add_lead(spare.id, 142)
    phone = account.field("contacts", "PHONE")
    replies = [
        delete(north, main),
        delete(north, spare),
        north.delete(f"contacts/custom_fields/{phone.id}"),
        north.delete("leads/custom_fields/groups/statistic"),
    ]
    assert [reply.status for reply in replies] == [422] * 4


def test_who_is_no_administrator_deletes_nothing(north, account, spare):
    field = account.add_field("leads", "Budget")
    account.admin = False
    paths = (f"leads/pipelines/{spare.id}", f"leads/custom_fields/{field.id}", "leads/custom_fields/groups/default")
    assert {north.delete(path).status for path in paths} == {403}


def test_every_deletion_answers_with_an_empty_object_if_the_variant_says_so(north, account, spare):
    account.variants.delete_status = 200
    field, group = account.add_field("companies", "Budget"), account.add_group("companies", "Deal")
    replies = [
        delete(north, spare, spare.ordinary[0].id),
        delete(north, spare),
        north.delete(f"companies/custom_fields/{field.id}"),
        north.delete(f"companies/custom_fields/groups/{group.id}"),
    ]
    assert [(reply.status, reply.body) for reply in replies] == [(200, {})] * 4


# -- stages --


def test_the_leads_of_a_deleted_stage_go_to_the_first_stage_of_their_pipeline(north, account, main, spare):
    first, second, third = spare.ordinary
    moved = [account.add_lead(spare.id, third.id, is_deleted=trash) for trash in (False, True)]
    stays, elsewhere = account.add_lead(spare.id, second.id), account.add_lead(main.id, main.ordinary[2].id)
    assert delete(north, spare, third.id).status == 204
    assert [lead.status_id for lead in moved] == [first.id, first.id]
    assert (stays.status_id, elsewhere.status_id) == (second.id, main.ordinary[2].id)
    assert [loss.holder_id for loss in account.losses] == [lead.id for lead in moved]


def test_the_leads_of_the_first_stage_go_to_the_one_that_is_first_then(north, account, spare):
    first, second, _ = spare.ordinary
    lead = account.add_lead(spare.id, first.id)
    delete(north, spare, first.id)
    assert lead.status_id == second.id


@pytest.mark.parametrize("shown", [True, False])
def test_system_stages_are_not_found_by_a_deletion(north, account, spare, shown):
    spare.is_unsorted_on = shown
    assert {delete(north, spare, number).status for number in (142, 143, spare.incoming.id)} == {404}
    assert len(spare.stages) == 6


def test_a_stage_is_deleted_through_its_own_pipeline_only(north, main, spare):
    assert delete(north, main, spare.ordinary[0].id).status == 404


# -- what referred to it --


@pytest.mark.parametrize("key", ["required_statuses", "hidden_statuses"])
def test_a_deleted_stage_and_a_deleted_pipeline_leave_no_status_behind(north, account, main, spare, key):
    kept, a, b = main.ordinary[0].id, *(stage.id for stage in spare.ordinary[:2])
    field = account.add_field("leads", "Budget", **{key: [(main.id, kept), (spare.id, a), (spare.id, b)]})

    def shown():
        body = north.get(f"leads/custom_fields/{field.id}").body[key]
        return [(each["pipeline_id"], each["status_id"]) for each in body]

    delete(north, spare, a)
    assert shown() == [(main.id, kept), (spare.id, b)]
    delete(north, spare)
    assert shown() == [(main.id, kept)]


@pytest.mark.parametrize("entity", ["contacts", "companies"])
def test_fields_of_contacts_and_companies_forget_a_deleted_stage_too(north, account, spare, entity):
    field = account.add_field(entity, "Budget", required_statuses=[(spare.id, spare.ordinary[1].id), (spare.id, 142)])
    delete(north, spare, spare.ordinary[1].id)
    assert field.required_statuses == [(spare.id, 142)]


# -- fields and groups --


def test_a_predefined_field_stays_with_its_values(north, account):
    phone = account.field("contacts", "PHONE")
    contact = account.add_contact({phone.id: "+55"})
    assert north.delete(f"contacts/custom_fields/{phone.id}").status == 400
    assert (contact.values, account.losses) == ({phone.id: "+55"}, [])


def test_a_field_is_deleted_through_its_own_entity_only(north, account):
    field = account.add_field("contacts", "Budget")
    assert north.delete(f"leads/custom_fields/{field.id}").status == 404
    assert north.delete(f"contacts/custom_fields/{field.id}").status == 204


@pytest.mark.parametrize("entity", ["leads", "contacts", "companies"])
def test_a_deleted_group_leaves_its_fields_in_main_with_their_values(north, account, entity):
    group = account.add_group(entity, "Deal")
    field = account.add_field(entity, "Budget", group=group)
    assert north.delete(f"{entity}/custom_fields/groups/{group.id}").status == 204
    assert north.get(f"{entity}/custom_fields/{field.id}").body["group_id"] is None
    assert field.id in north.get(f"{entity}/custom_fields/groups/default").body["fields"]
    assert account.losses == []
