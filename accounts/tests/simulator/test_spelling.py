"""Servers that keep or show names otherwise than they were sent, answer a POST loosely, or read late."""

import pytest

from accounts.simulator.account import SimAccount
from accounts.simulator.spelling import shown_name, stored_name
from accounts.simulator.variants import Variants
from accounts.simulator.world import World
from accounts.tests.simulator.conftest import Caller, Clock


@pytest.mark.parametrize(("way", "sent", "kept"), [
    ("cut", "Idea \U0001f4a1 new", "Idea "),
    ("drop", "Idea \U0001f4a1 new", "Idea  new"),
    ("question", "Idea \U0001f4a1", "Idea ?"),
    ("escape", "A & B <c> \"d\" 'e'", "A &amp; B &lt;c&gt; &quot;d&quot; &#x27;e&#x27;"),
    ("escape_plain", "A & \"B\"", "A &amp; \"B\""),
    ("trim", "  A B ", "A B"),
    ("collapse", " A   B ", "A B"),
    ("upper", "Straße", "STRASSE"),
    ("nfd", "São", "Sa\u0303o"),
    ("short", "x" * 30, "x" * 24),
    ("ascii", "São", "Sao"),
    ("trim,upper", " a ", "A"),
])  # fmt: skip
def test_each_way_to_respell_a_name(way: str, sent: str, kept: str) -> None:
    assert stored_name(Variants(stored_names=way), "stage", sent) == kept
    assert shown_name(Variants(shown_names=way), "stage", sent) == kept
    assert stored_name(Variants(stored_names=way, respelt_kinds="enum,field"), "stage", sent) == sent
    assert shown_name(Variants(), "stage", sent) == sent


def test_names_are_respelt_where_they_are_written(north: Caller, account: SimAccount, world: World) -> None:
    world.variants.stored_names = "escape"
    pipeline = {"name": "A&B", "sort": 1, "is_main": False, "is_unsorted_on": True,
                "_embedded": {"statuses": [{"id": 142, "name": "W&n"}, {"name": "S&T", "sort": 10}]}}  # fmt: skip
    (made,) = north.post("leads/pipelines", [pipeline]).items("pipelines")
    (group,) = north.post("leads/custom_fields/groups", [{"name": "G&H"}]).items("custom_field_groups")
    body = {"name": "F&G", "type": "select", "enums": [{"value": "x&y"}]}
    (field,) = north.post("leads/custom_fields", [body]).items("custom_fields")

    assert made["name"] == "A&amp;B"
    assert {"W&amp;n", "S&amp;T"} <= {stage["name"] for stage in made["_embedded"]["statuses"]}
    assert (group["name"], field["name"], field["enums"][0]["value"]) == ("G&amp;H", "F&amp;G", "x&amp;y")

    north.patch(f"leads/pipelines/{made['id']}", {"name": "A&amp;B"})
    north.patch(f"leads/custom_fields/groups/{group['id']}", {"name": "G&amp;H"})
    north.patch("leads/custom_fields", [{"id": field["id"], "name": "F", "enums": field["enums"]}])
    again = north.get(f"leads/custom_fields/{field['id']}").body
    assert north.get(f"leads/pipelines/{made['id']}").body["name"] == "A&amp;amp;B"
    assert account.groups["leads"][group["id"]].name == "G&amp;amp;H"
    assert (again["name"], again["enums"][0]["value"]) == ("F", "x&amp;amp;y")


def test_names_may_be_respelt_only_on_their_way_out(north: Caller, account: SimAccount, world: World) -> None:
    world.variants.shown_names = "escape"
    pipeline = account.add_pipeline("A&B", stages=["S&T"])
    shown_one = north.get(f"leads/pipelines/{pipeline.id}").body
    assert (shown_one["name"], pipeline.name) == ("A&amp;B", "A&B")
    assert "S&amp;T" in {stage["name"] for stage in shown_one["_embedded"]["statuses"]}


def test_an_answer_may_lack_request_ids_and_the_order_of_the_request(north: Caller, world: World) -> None:
    world.variants.request_ids, world.variants.answers_reversed = False, True
    items = north.post("leads/custom_fields/groups", [{"name": "A"}, {"name": "B"}]).items("custom_field_groups")
    assert [(item["name"], "request_id" in item) for item in items] == [("B", False), ("A", False)]


def test_the_first_readings_after_a_write_may_show_the_account_as_it_was(
    north: Caller, account: SimAccount, world: World
) -> None:
    world.variants.stale_reads = 2
    (made,) = north.post("leads/custom_fields/groups", [{"name": "A"}]).items("custom_field_groups")
    paths = ["leads/custom_fields/groups", f"leads/custom_fields/groups/{made['id']}"]

    assert made["id"] not in {item["id"] for item in north.get(paths[0]).items("custom_field_groups")}
    assert north.get(paths[1]).status == 404
    assert north.get(paths[1]).body["name"] == "A"
    north.patch(paths[1], {"name": "B"})
    assert account.groups["leads"][made["id"]].name == "B"
    assert north.get(paths[1]).body["name"] == "A"


def test_readings_may_lag_by_seconds(north: Caller, world: World, clock: Clock) -> None:
    world.variants.stale_seconds = 3.0
    (made,) = north.post("leads/custom_fields/groups", [{"name": "A"}]).items("custom_field_groups")
    clock.now += 2.5
    assert north.get(f"leads/custom_fields/groups/{made['id']}").status == 404
    clock.now += 1.0
    assert north.get(f"leads/custom_fields/groups/{made['id']}").status == 200
