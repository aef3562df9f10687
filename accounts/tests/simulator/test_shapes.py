"""Answers in odd shapes: lists keyed by index, odd items, and pages that promise an empty one."""

import pytest

from accounts.simulator.faults import Fault


def test_lists_come_as_objects_keyed_by_index(world, north, account):
    account.add_field("leads", "Source", "select", enums=["Web", "Fair"])
    world.variants.lists_as_objects = True
    fields = north.get("leads/custom_fields").body["_embedded"]["custom_fields"]
    assert set(fields) == {str(at) for at in range(len(fields))}
    source = next(field for field in fields.values() if field["name"] == "Source")
    assert [source["enums"][at]["value"] for at in ("0", "1")] == ["Web", "Fair"]
    assert source["required_statuses"] == [], "an empty list is one in PHP too"
    pipelines = north.get("leads/pipelines").body["_embedded"]["pipelines"]
    assert "0" in pipelines["0"]["_embedded"]["statuses"]


def test_items_are_odd_where_they_are_told_to_be_and_several_at_once(world, north, account):
    account.add_field("leads", "Source", "select", enums=["Web", "Fair"])
    source, main = account.field("leads", "Source"), account.ordered_pipelines[0]
    world.faults.add(Fault("odd", item=source.id, at="enums.1.value", value=None, times=None))
    world.faults.add(Fault("odd", item=source.id, at="name", missing=True, times=None))
    world.faults.add(Fault("odd", item=main.id, at="sort", value="high", path="pipelines"))
    for _ in range(2):
        fields = north.get("leads/custom_fields").body["_embedded"]["custom_fields"]
        (odd,) = [field for field in fields if field["id"] == source.id]
        assert [enum["value"] for enum in odd["enums"]] == ["Web", None]
        assert "name" not in odd
    assert source.enums[1].value == "Fair"
    assert north.get("leads/pipelines").body["_embedded"]["pipelines"][0]["sort"] == "high"
    assert north.get("leads/pipelines").body["_embedded"]["pipelines"][0]["sort"] == main.sort


@pytest.mark.parametrize(("behind", "status"), [("204", 204), ("list", 200), ("endless", 200)])
def test_the_last_page_promises_an_empty_one(world, north, account, behind, status):
    world.variants.empty_page_behind = behind
    account.add_contact({})
    first = north.get("contacts?limit=5").body
    assert "page=2" in first["_links"]["next"]["href"]
    second = north.get("contacts?limit=5&page=2")
    assert second.status == status
    if status == 200:
        assert second.body["_embedded"] == {"contacts": []}
        assert ("next" in second.body["_links"]) is (behind == "endless")
