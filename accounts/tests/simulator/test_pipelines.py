"""Pipelines as docs/kommo.md 4 has them."""

import pytest


def new_pipeline(**facts):
    return {"name": "Sales", "sort": 20, "is_main": False, "is_unsorted_on": True, **facts}


def statuses(*names):
    return {"statuses": [{"name": name, "sort": 10 * at} for at, name in enumerate(names, 1)]}


def test_a_new_account_has_the_default_pipeline_in_its_language(north, south):
    (english,) = north.get("leads/pipelines").items("pipelines")
    (portuguese,) = south.get("leads/pipelines").items("pipelines")
    assert (english["name"], portuguese["name"]) == ("Pipeline", "Funil de vendas")
    assert [stage["color"] for stage in english["_embedded"]["statuses"]] == [
        "#c1c1c1", "#99ccff", "#ffff99", "#ffcc66", "#ffcccc", "#CCFF66", "#D5D8DB",
    ]  # fmt: skip


def test_ids_differ_in_every_account_except_won_and_lost(north, south):
    def ids(caller):
        (pipeline,) = caller.get("leads/pipelines").items("pipelines")
        return {pipeline["id"], *(stage["id"] for stage in pipeline["_embedded"]["statuses"])}

    assert ids(north) & ids(south) == {142, 143}


def test_a_read_shows_exactly_the_documented_keys(north):
    body = north.get("leads/pipelines").body
    assert set(body) == {"_total_items", "_links", "_embedded"}
    pipeline = body["_embedded"]["pipelines"][0]
    assert set(pipeline) == {
        "id", "name", "sort", "is_main", "is_unsorted_on", "is_archive", "account_id", "_links", "_embedded",
    }  # fmt: skip
    assert set(pipeline["_embedded"]["statuses"][0]) == {
        "id", "name", "sort", "is_editable", "pipeline_id", "color", "type", "account_id", "_links",
    }  # fmt: skip


def test_one_pipeline_is_shown_at_the_root(north, account):
    pipeline = account.pipeline("Pipeline")
    assert north.get(f"leads/pipelines/{pipeline.id}").body["name"] == "Pipeline"
    assert north.get("leads/pipelines/1").status == 404
    assert north.get("leads/pipelines/1").body["detail"] == "Pipeline not found"


def test_a_created_pipeline_gets_system_stages_and_renumbered_sorts(north):
    embedded = {
        "statuses": [
            {"id": 142, "name": "Won!"},
            {"name": "Second", "sort": 300, "color": "#fffeb2"},
            {"id": 143, "name": "Lost!"},
            {"name": "First", "sort": 100},
        ]
    }
    reply = north.post("leads/pipelines", [new_pipeline(_embedded=embedded, request_id="abc")])
    assert reply.status == 200
    (pipeline,) = reply.items("pipelines")
    assert pipeline["request_id"] == "abc"
    assert [(stage["name"], stage["sort"]) for stage in pipeline["_embedded"]["statuses"]] == [
        ("Incoming leads", 10), ("First", 20), ("Second", 30), ("Won!", 10000), ("Lost!", 11000),
    ]  # fmt: skip


def test_sorts_are_kept_when_renumbering_is_off(north, account):
    account.variants.renumber = False
    reply = north.post("leads/pipelines", [new_pipeline(_embedded=statuses("A", "B"))])
    stages = reply.items("pipelines")[0]["_embedded"]["statuses"]
    assert [stage["sort"] for stage in stages[1:3]] == [10, 20]


def test_unsorted_off_hides_the_incoming_stage_and_on_brings_the_same_back(north, account):
    pipeline = account.pipeline("Pipeline")
    path = f"leads/pipelines/{pipeline.id}"
    first = north.get(path).body["_embedded"]["statuses"][0]
    hidden = north.patch(path, {"is_unsorted_on": False}).body["_embedded"]["statuses"]
    assert (hidden[0]["type"], hidden[0]["sort"]) == (0, 10)
    assert north.patch(path, {"is_unsorted_on": True}).body["_embedded"]["statuses"][0] == first


@pytest.mark.parametrize("key", ["name", "sort", "is_main", "is_unsorted_on"])
def test_a_pipeline_needs_all_its_keys(north, key):
    item = new_pipeline()
    del item[key]
    reply = north.post("leads/pipelines", [item])
    assert reply.status == 400
    assert reply.codes == [("FieldMissing", key)]


@pytest.mark.parametrize(
    ("facts", "code", "path"),
    [
        ({"name": ""}, "NotBlank", "name"),
        ({"name": "x" * 256}, "TooLong", "name"),
        ({"name": 5}, "InvalidType", "name"),
        ({"sort": "1"}, "InvalidType", "sort"),
        ({"sort": 0}, "NotInRange", "sort"),
        ({"sort": 10_001}, "NotInRange", "sort"),
        ({"is_main": 1}, "InvalidType", "is_main"),
        ({"is_archive": False}, "FieldNotExpected", "is_archive"),
        ({"_embedded": {"statuses": [{"id": 7, "name": "X"}]}}, "NotSupportedChoice", "_embedded.statuses.0.id"),
        ({"_embedded": {"statuses": [{"sort": 1}]}}, "FieldMissing", "_embedded.statuses.0.name"),
        ({"_embedded": {"stages": []}}, "FieldNotExpected", "_embedded.stages"),
    ],
)
def test_a_bad_key_of_a_pipeline_is_named(north, facts, code, path):
    reply = north.post("leads/pipelines", [new_pipeline(**facts)])
    assert reply.status == 400
    assert reply.codes == [(code, path)]


def test_a_batch_with_one_bad_pipeline_makes_none(north, account):
    reply = north.post("leads/pipelines", [new_pipeline(), new_pipeline(name=""), new_pipeline(request_id="r", sort=0)])
    entries = reply.body["validation-errors"]
    assert [entry["request_id"] for entry in entries] == ["1", "r"]
    assert len(account.pipelines) == 1


def test_equal_names_are_allowed(north, account):
    assert north.post("leads/pipelines", [new_pipeline(), new_pipeline()]).status == 200
    assert [each.name for each in account.pipelines.values()].count("Sales") == 2


def test_is_main_moves_and_the_main_pipeline_sorts_first(north, account):
    north.post("leads/pipelines", [new_pipeline(sort=90)])
    other = account.pipeline("Sales")
    assert north.patch(f"leads/pipelines/{other.id}", {"is_main": True}).body["is_main"] is True
    listed = north.get("leads/pipelines").items("pipelines")
    assert [(each["name"], each["is_main"]) for each in listed] == [("Sales", True), ("Pipeline", False)]


def test_the_others_keep_their_order_behind_the_main_pipeline(north, account):
    north.post("leads/pipelines", [new_pipeline(name="B", sort=2), new_pipeline(name="A", sort=1)])
    assert [each["name"] for each in north.get("leads/pipelines").items("pipelines")] == ["Pipeline", "A", "B"]


def test_an_account_without_pipelines_answers_204(north, account):
    account.pipelines.clear()
    assert north.get("leads/pipelines").status == 204


def test_the_main_flag_cannot_be_taken_away(north, account):
    pipeline = account.pipeline("Pipeline")
    assert north.patch(f"leads/pipelines/{pipeline.id}", {"is_main": False}).body["is_main"] is True
    account.variants.unset_main = "400"
    assert north.patch(f"leads/pipelines/{pipeline.id}", {"is_main": False}).status == 400


def test_stages_cannot_be_patched_through_their_pipeline(north, account):
    pipeline = account.pipeline("Pipeline")
    reply = north.patch(f"leads/pipelines/{pipeline.id}", {"_embedded": statuses("X")})
    assert reply.codes == [("FieldNotExpected", "_embedded")]


def test_pipelines_have_no_batch_patch(north):
    assert north.patch("leads/pipelines", [{"id": 1}]).status == 405


def test_the_fifty_first_pipeline_is_refused(north, account):
    assert north.post("leads/pipelines", [new_pipeline()] * 49).status == 200
    reply = north.post("leads/pipelines", [new_pipeline()])
    assert (reply.status, len(account.pipelines)) == (422, 50)


def test_a_pipeline_of_more_than_a_hundred_stages_is_refused_with_its_whole_batch(north, account):
    good = new_pipeline(_embedded=statuses(*"ABC"))
    fits = new_pipeline(_embedded=statuses(*map(str, range(97))))
    over = new_pipeline(_embedded=statuses(*map(str, range(98))))
    assert north.post("leads/pipelines", [good, over]).status == 422
    assert len(account.pipelines) == 1
    assert north.post("leads/pipelines", [fits]).status == 200


def test_the_last_the_main_and_the_used_pipeline_stay(north, account):
    main = account.pipeline("Pipeline")
    assert north.delete(f"leads/pipelines/{main.id}").status == 400
    used = account.add_pipeline("Used", stages=["A"])
    account.add_lead(used.id, used.ordinary[0].id, is_deleted=True)
    assert north.delete(f"leads/pipelines/{used.id}").status == 400
    assert north.delete(f"leads/pipelines/{main.id}").status == 400
    account.variants.undeletable_status = 422
    assert north.delete(f"leads/pipelines/{main.id}").status == 422
    assert len(account.pipelines) == 2


def test_a_deleted_pipeline_leaves_no_required_status(north, account):
    spare = account.add_pipeline("Spare", stages=["A"])
    field = account.add_field("leads", "Budget", required_statuses=[(spare.id, 142)])
    reply = north.delete(f"leads/pipelines/{spare.id}")
    assert (reply.status, reply.raw) == (204, b"")
    assert field.required_statuses == []


def test_a_delete_answers_as_the_variant_says(north, account):
    spare = account.add_pipeline("Spare")
    account.variants.delete_status = 200
    reply = north.delete(f"leads/pipelines/{spare.id}")
    assert (reply.status, reply.body) == (200, {})
