"""Stages and descriptions as docs/kommo.md 4 has them."""

import pytest

from accounts.simulator.model import PALETTE


@pytest.fixture
def pipeline(account):
    return account.pipeline("Pipeline")


@pytest.fixture
def path(pipeline):
    return f"leads/pipelines/{pipeline.id}/statuses"


@pytest.fixture
def stage(pipeline):
    return pipeline.stage("Discussions")


def order(caller, path):
    return [each["name"] for each in caller.get(path).items("statuses") if each["is_editable"]]


def test_new_stages_are_numbered_behind_the_others(north, path):
    reply = north.post(path, [{"name": "A", "sort": 100}, {"name": "B", "sort": 200, "request_id": "b"}])
    made = reply.items("statuses")
    assert reply.status == 200
    assert [(each["sort"], each["request_id"]) for each in made] == [(60, "0"), (70, "b")]


def test_a_stage_is_shown_at_the_root(north, path, stage):
    body = north.get(f"{path}/{stage.id}").body
    assert (body["id"], body["is_editable"], "descriptions" in body) == (stage.id, True, False)


@pytest.mark.parametrize("color", PALETTE)
def test_every_palette_colour_is_accepted(north, path, color):
    assert north.post(path, [{"name": "A", "sort": 1, "color": color}]).items("statuses")[0]["color"] == color


@pytest.mark.parametrize("color", ["#99ccff", "#c1c1c1", "#0000ff", "red"])
def test_a_colour_outside_the_palette_is_refused(north, path, stage, color):
    reply = north.post(path, [{"name": "A", "sort": 1, "color": color}])
    assert (reply.status, reply.codes) == (400, [("NotSupportedChoice", "color")])
    assert north.patch(f"{path}/{stage.id}", {"name": "A", "color": color}).status == 400


def test_upper_case_colours_pass_unless_the_variant_says_no(north, account, path):
    item = {"name": "A", "sort": 1, "color": "#FFFEB2"}
    assert north.post(path, [item]).items("statuses")[0]["color"] == "#fffeb2"
    account.variants.palette_case_sensitive = True
    assert north.post(path, [item]).status == 400


def test_any_colour_passes_when_the_palette_is_off(north, account, path):
    account.variants.palette = False
    assert north.post(path, [{"name": "A", "sort": 1, "color": "#99ccff"}]).status == 200


@pytest.mark.parametrize("key", ["type", "is_editable", "id"])
def test_a_read_only_key_of_a_stage_is_not_expected(north, path, key):
    reply = north.post(path, [{"name": "A", "sort": 1, key: 0}])
    assert reply.codes == [("FieldNotExpected", key)]


def test_a_patch_without_a_name_blanks_it(north, account, path, stage):
    assert north.patch(f"{path}/{stage.id}", {"color": "#fffeb2"}).body["name"] == ""
    assert account.blanked_names == 1


def test_a_patch_without_a_name_keeps_it_when_the_variant_is_off(north, account, path, stage):
    account.variants.stage_patch_blanks_name = False
    assert north.patch(f"{path}/{stage.id}", {"color": "#fffeb2"}).body["name"] == "Discussions"
    assert account.blanked_names == 0


def test_each_patch_of_a_sort_renumbers_the_pipeline(north, path, stage):
    reply = north.patch(f"{path}/{stage.id}", {"name": "Discussions", "sort": 9000})
    assert reply.body["sort"] == 50
    assert order(north, path) == ["Initial contact", "Decision making", "Contract discussion", "Discussions"]


@pytest.mark.parametrize("number", [142, 143])
def test_won_and_lost_cannot_be_renamed(north, account, path, number):
    reply = north.patch(f"{path}/{number}", {"name": "Mine"})
    assert reply.status == 200
    assert "Mine" not in reply.body["name"]
    account.variants.system_stage_patch = "400"
    assert north.patch(f"{path}/{number}", {"name": "Mine"}).codes == [("NotSupportedChoice", "name")]


def test_system_stages_cannot_be_deleted(north, path, pipeline):
    for number in (142, 143, pipeline.stage("Incoming leads").id):
        assert north.delete(f"{path}/{number}").status == 404


def test_a_deleted_stage_moves_its_leads_to_the_first(north, account, path, pipeline, stage):
    lead = account.add_lead(pipeline.id, stage.id)
    field = account.add_field("leads", "Budget", required_statuses=[(pipeline.id, stage.id)])
    assert north.delete(f"{path}/{stage.id}").status == 204
    assert lead.status_id == pipeline.stage("Initial contact").id
    assert (account.moved_leads, field.required_statuses) == (1, [])


def test_the_hundred_and_first_stage_is_refused(north, path):
    assert north.post(path, [{"name": "A", "sort": 1}] * 93).status == 200
    assert north.post(path, [{"name": "A", "sort": 1}]).status == 422


def test_descriptions_are_shown_only_when_asked_for(north, account, path, stage):
    account.describe(stage, "newbie", "Call 📞")
    body = north.get(f"{path}/{stage.id}?with=descriptions").body["descriptions"][0]
    assert (body["level"], body["description"], body["status_id"]) == ("newbie", "Call 📞", stage.id)
    assert body["created_at"] == "2027-01-15 08:00:00"
    assert "descriptions" not in north.get(path).items("statuses")[0]


def test_a_level_is_overwritten_and_others_are_kept(north, account, path, stage):
    account.describe(stage, "newbie", "old")
    account.describe(stage, "master", "kept")
    changes = [{"level": "newbie", "description": "new"}]
    assert north.patch(f"{path}/{stage.id}", {"name": "A", "descriptions": changes}).status == 200
    assert {level: each.description for level, each in stage.descriptions.items()} == {
        "newbie": "new",
        "master": "kept",
    }


def test_a_description_with_id_and_level_alone_is_deleted(north, account, path, stage):
    account.describe(stage, "newbie", "old")
    number = stage.descriptions["newbie"].id
    north.patch(f"{path}/{stage.id}", {"name": "A", "descriptions": [{"id": number, "level": "newbie"}]})
    assert stage.descriptions == {}


@pytest.mark.parametrize(
    ("item", "code", "path_of_error"),
    [
        ({"level": "expert", "description": "x"}, "NotSupportedChoice", "descriptions.0.level"),
        ({"level": "newbie", "description": "x" * 1001}, "TooLong", "descriptions.0.description"),
        ({"level": "newbie"}, "FieldMissing", "descriptions.0.description"),
        ({"level": "newbie", "description": "x", "id": 1}, "NotSupportedChoice", "descriptions.0.id"),
    ],
)
def test_a_bad_description_is_named(north, path, stage, item, code, path_of_error):
    reply = north.patch(f"{path}/{stage.id}", {"name": "A", "descriptions": [item]})
    assert reply.codes == [(code, path_of_error)]


def test_a_description_of_a_thousand_characters_fits(north, path):
    texts = [{"level": "master", "description": "🚀" * 1000}]
    assert north.post(path, [{"name": "A", "sort": 1, "descriptions": texts}]).status == 200
