"""Leads and incoming leads as lists: pages, filters, trash (amoCRM's leads-api, filters-api and unsorted-api)."""

import pytest


@pytest.fixture
def pipeline(account):
    return account.pipeline("Pipeline")


@pytest.fixture
def stage(pipeline):
    return pipeline.stage("Discussions")


@pytest.fixture
def other(account):
    return account.add_pipeline("Other", stages=["A"])


def ids(reply):
    return [] if reply.status == 204 else [each["id"] for each in reply.items("leads")]


def pair(at, pipeline, status_id):
    return f"filter[statuses][{at}][pipeline_id]={pipeline.id}&filter[statuses][{at}][status_id]={status_id}"


def test_a_lead_shows_where_it_stands_and_what_it_holds(north, account, pipeline, stage):
    source = account.add_field("leads", "Source", "select", enums=[("Web", "WEB"), "Fair"], code="SOURCE")
    many = account.add_field("leads", "Many", "multiselect", enums=["A", "B"])
    budget = account.add_field("leads", "Budget", "numeric")
    a, b = many.enums
    values = {source.id: source.enums[0].id, many.id: [a.id, b.id], budget.id: 5}
    lead = account.add_lead(pipeline.id, stage.id, values, name="Deal")
    account.add_lead(pipeline.id, 142)

    first, second = north.get("leads").items("leads")

    assert (first["id"], first["name"], first["pipeline_id"], first["status_id"], first["is_deleted"]) == (
        lead.id, "Deal", pipeline.id, stage.id, False,
    )  # fmt: skip
    assert first["custom_fields_values"] == [
        {
            "field_id": source.id, "field_name": "Source", "field_code": "SOURCE", "field_type": "select",
            "values": [{"value": "Web", "enum_id": source.enums[0].id, "enum_code": "WEB"}],
        },
        {
            "field_id": many.id, "field_name": "Many", "field_code": None, "field_type": "multiselect",
            "values": [{"value": each.value, "enum_id": each.id, "enum_code": None} for each in (a, b)],
        },
        {
            "field_id": budget.id, "field_name": "Budget", "field_code": None, "field_type": "numeric",
            "values": [{"value": 5}],
        },
    ]  # fmt: skip
    assert second["custom_fields_values"] is None


def test_no_leads_are_no_content(north):
    assert (north.get("leads").status, north.get("leads/unsorted").status) == (204, 204)


def test_leads_come_in_pages_that_do_not_tell_how_many_there_are(north, account, pipeline):
    made = [account.add_lead(pipeline.id, 142).id for _ in range(251)]
    pages = [north.get(f"leads?limit=250&page={page}") for page in (1, 2, 3)]
    assert [len(ids(page)) for page in pages] == [250, 1, 0]
    assert ids(pages[0]) + ids(pages[1]) == made
    assert set(pages[0].body) == {"_page", "_links", "_embedded"}
    assert (set(pages[0].body["_links"]), set(pages[1].body["_links"])) == ({"self", "next"}, {"self", "first", "prev"})
    assert len(ids(north.get("leads"))) == 50


@pytest.mark.parametrize("path", ["leads", "leads/unsorted", "contacts", "companies"])
def test_more_than_two_hundred_and_fifty_a_page_are_refused(north, path):
    reply = north.get(f"{path}?limit=251")
    assert (reply.status, reply.body["detail"]) == (422, "Limit 250 per page")


def test_leads_are_ordered_by_id(north, account, pipeline):
    made = [account.add_lead(pipeline.id, 142).id for _ in range(3)]
    assert ids(north.get("leads?order[id]=asc")) == made
    assert ids(north.get("leads?order[id]=desc&limit=2")) == made[:0:-1]


def test_leads_are_filtered_by_pairs_of_pipeline_and_stage(north, account, pipeline, stage, other):
    here = account.add_lead(pipeline.id, stage.id)
    won = account.add_lead(pipeline.id, 142)
    account.add_lead(pipeline.id, 143)
    account.add_lead(other.id, 142)
    assert ids(north.get(f"leads?{pair(0, pipeline, stage.id)}")) == [here.id]
    both = f"leads?{pair(0, pipeline, stage.id)}&{pair(1, pipeline, 142)}"
    assert ids(north.get(both)) == [here.id, won.id]
    assert north.get(f"leads?{pair(0, other, stage.id)}").status == 204


@pytest.mark.parametrize("key", ["filter[pipeline_id]", "filter[pipeline_id][]", "filter[pipeline_id][0]"])
def test_leads_are_filtered_by_pipeline(north, account, pipeline, other, key):
    account.add_lead(pipeline.id, 142)
    there = account.add_lead(other.id, 142)
    assert ids(north.get(f"leads?{key}={other.id}")) == [there.id]
    assert len(ids(north.get(f"leads?filter[pipeline_id][]={other.id}&filter[pipeline_id][]={pipeline.id}"))) == 2


def test_filters_of_several_kinds_all_hold(north, account, pipeline, other):
    second = [account.add_lead(pipeline.id, 142) for _ in range(2)][1]
    assert ids(north.get(f"leads?filter[pipeline_id]={pipeline.id}&filter[id][]={second.id}")) == [second.id]
    assert ids(north.get(f"leads?{pair(0, pipeline, 142)}&filter[pipeline_id]={other.id}")) == []


def test_of_a_filter_without_brackets_that_is_given_twice_the_last_counts(north, account, pipeline, other):
    here, there = (account.add_lead(each.id, 142).id for each in (pipeline, other))
    assert ids(north.get(f"leads?filter[pipeline_id]={pipeline.id}&filter[pipeline_id]={other.id}")) == [there]
    assert ids(north.get(f"leads?filter[id][]={here}&filter[id][]={there}")) == [here, there]


NOT_UNDERSTOOD = (
    "filter[status_id]=142",
    "filter[pipelines][]=1",
    "filter[pipeline_id]=1,2",
    "filter[pipeline_id][from]=1",
    "filter[statuses]=142",
    "filter[statuses][]=142",
    "filter[statuses][0][status_id]=143",
    "filter[statuses][][pipeline_id]=1&filter[statuses][][status_id]=143",
    "filter[custom_fields_values][1]=x",
    "filter=x",
)


@pytest.mark.parametrize("query", NOT_UNDERSTOOD)
def test_a_filter_that_is_not_understood_is_ignored_unless_the_variant_says_no(north, account, pipeline, query):
    lead = account.add_lead(pipeline.id, 142)
    assert ids(north.get(f"leads?{query}")) == [lead.id]
    account.variants.unknown_filter = "400"
    assert north.get(f"leads?{query}").status == 400
    assert ids(north.get(f"leads?{pair(0, pipeline, 142)}&filter[pipeline_id]={pipeline.id}")) == [lead.id]


def test_an_account_without_filters_shows_everything(north, account, pipeline, other):
    account.add_lead(pipeline.id, 142)
    account.add_unsorted(pipeline.id)
    account.variants.filters_enabled, account.variants.unknown_filter = False, "400"
    assert len(ids(north.get(f"leads?filter[pipeline_id]={other.id}&filter[moon]=1"))) == 1
    assert north.get(f"leads/unsorted?filter[pipeline_id]={other.id}").status == 200


def test_leads_in_the_trash_are_shown_only_when_asked_for_and_only_by_their_id(north, account, pipeline, stage):
    lives = account.add_lead(pipeline.id, stage.id)
    gone = account.add_lead(pipeline.id, stage.id, is_deleted=True)
    assert ids(north.get("leads")) == [lives.id]
    (body,) = north.get("leads?with=contacts,only_deleted").items("leads")
    assert (body["id"], body["is_deleted"]) == (gone.id, True)
    assert set(body) == {"id", "updated_by", "updated_at", "is_deleted", "_links"}
    account.variants.trash_is_bare = False
    (body,) = north.get("leads?with=only_deleted").items("leads")
    assert (body["id"], body["status_id"]) == (gone.id, stage.id)


def test_the_trash_can_be_filtered_unless_the_variant_says_no(north, account, pipeline, stage, other):
    here, there = (account.add_lead(each.id, 142, is_deleted=True).id for each in (pipeline, other))
    query = f"leads?with=only_deleted&filter[pipeline_id]={pipeline.id}"
    assert ids(north.get(query)) == [here]
    account.variants.trash_filtered = False
    assert ids(north.get(query)) == [here, there]


def test_an_incoming_lead_is_in_the_list_of_its_own(north, account, pipeline, other):
    field = account.add_field("leads", "Budget")
    lead = account.add_unsorted(pipeline.id, {field.id: 5})
    account.add_unsorted(other.id)
    account.add_unsorted(pipeline.id, is_deleted=True)
    account.add_lead(pipeline.id, 142)

    reply = north.get(f"leads/unsorted?filter[pipeline_id]={pipeline.id}")

    (body,) = reply.items("unsorted")
    assert set(body) == {
        "uid", "source_uid", "source_name", "category", "pipeline_id", "created_at", "metadata", "account_id",
        "_links", "_embedded",
    }  # fmt: skip
    assert (body["pipeline_id"], body["category"]) == (pipeline.id, "forms")
    (stub,) = body["_embedded"]["leads"]
    assert (stub["id"], set(stub)) == (lead.id, {"id", "_links"})
    assert len(north.get("leads/unsorted").items("unsorted")) == 2
    assert north.get("leads/unsorted?filter[pipeline_id]=1").status == 204


def test_the_filter_of_incoming_leads_takes_one_pipeline_only(north, account, pipeline, other):
    account.add_unsorted(pipeline.id)
    query = f"leads/unsorted?filter[pipeline_id][]={other.id}"
    assert len(north.get(query).items("unsorted")) == 1
    account.variants.unknown_filter = "400"
    assert north.get(query).status == 400


def test_incoming_leads_are_among_the_leads_only_if_the_variant_says_so(north, account, pipeline):
    lead = account.add_unsorted(pipeline.id)
    query = f"leads?{pair(0, pipeline, pipeline.incoming.id)}"
    assert north.get(query).status == 204
    account.variants.unsorted_in_leads = True
    assert ids(north.get(query)) == [lead.id]


def test_incoming_leads_come_in_pages(north, account, pipeline):
    for _ in range(3):
        account.add_unsorted(pipeline.id)
    pages = [north.get(f"leads/unsorted?limit=2&page={page}") for page in (1, 2)]
    assert [len(page.items("unsorted")) for page in pages] == [2, 1]
    assert ["next" in page.body["_links"] for page in pages] == [True, False]
    assert len({each["uid"] for page in pages for each in page.items("unsorted")}) == 3


def test_leads_are_read_only_here(north):
    assert {north.post(path, [{}]).status for path in ("leads", "leads/unsorted", "contacts", "companies")} == {405}
