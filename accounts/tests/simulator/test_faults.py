"""Each fault in process: what is answered and whether the write was applied."""

import json
import re

import pytest

from accounts.simulator.faults import KINDS, Fault
from accounts.simulator.wsgi import AnswerLost, call

PIPELINE = {"name": "Sales", "sort": 20, "is_main": False, "is_unsorted_on": True}


@pytest.mark.parametrize(
    ("kind", "status", "content_type"),
    [
        ("429", 429, "application/problem+json"),
        ("429_header", 429, "application/problem+json"),
        ("429_plain", 429, "text/html"),
        ("401", 401, "application/problem+json"),
        ("402", 402, "application/problem+json"),
        ("403_json", 403, "application/problem+json"),
        ("403_plain", 403, "text/html"),
        ("404", 404, "application/problem+json"),
        ("500", 500, "application/problem+json"),
        ("500_applied", 500, "application/problem+json"),
        ("503", 503, "text/html"),
        ("504", 504, "text/html"),
        ("504_applied", 504, "text/html"),
        ("garbage", 200, "text/html"),
        ("empty", 200, "application/hal+json"),
    ],
)
def test_a_fault_answers_in_its_way(world, north, kind, status, content_type):
    world.faults.add(Fault(kind))
    reply = north.get("leads/pipelines")
    assert (reply.status, reply.headers["Content-Type"]) == (status, content_type)
    assert ("Retry-After" in reply.headers) == (kind == "429_header")
    assert north.get("leads/pipelines").status == 200


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"slow", "answer"}))
def test_a_fault_applies_the_write_exactly_if_it_says_so(world, north, account, kind):
    world.faults.add(Fault(kind, method="POST"))
    try:
        north.post("leads/pipelines", [PIPELINE])
    except AnswerLost:
        assert world.log[-1].status == 0
    applied = kind.endswith("_applied") or kind in ("truncated", "garbage", "empty", "half", "silent_half", "odd")
    assert len(account.pipelines) == 1 + applied


def test_a_slow_answer_waits_after_the_write(world, north, account):
    waited = []
    world.sleep = lambda seconds: waited.append((seconds, len(account.pipelines)))
    world.faults.add(Fault("slow", seconds=3))
    assert north.post("leads/pipelines", [PIPELINE]).status == 200
    assert waited == [(3, 2)]


def test_a_truncated_answer_keeps_the_length_of_the_whole(world, north):
    whole = north.get("leads/pipelines").raw
    world.faults.add(Fault("truncated"))
    reply = north.get("leads/pipelines")
    assert (int(reply.headers["Content-Length"]), reply.raw) == (len(whole), whole[: len(whole) // 2])


def test_half_an_answer_keeps_its_totals(world, north):
    world.faults.add(Fault("half"))
    body = north.get("leads/custom_fields").body
    assert (body["_total_items"], len(body["_embedded"]["custom_fields"])) == (10, 5)


LISTS = (
    "leads", "leads/unsorted", "contacts", "companies", "leads/custom_fields", "leads/custom_fields/groups",
    "leads/pipelines", "leads/pipelines/{id}/statuses",
)  # fmt: skip


@pytest.mark.parametrize("path", LISTS)
def test_a_silent_half_is_the_first_half_and_agrees_with_itself(world, north, account, path):
    pipeline = account.add_pipeline("Used", stages=["A"])
    for _ in range(4):
        account.add_lead(pipeline.id, 142)
        account.add_unsorted(pipeline.id)
        account.add_contact()
        account.add_company()
    path = path.format(id=pipeline.id)
    (whole,) = north.get(path).body["_embedded"].values()
    world.faults.add(Fault("silent_half", method="GET", path=f"/api/v4/{path}"))

    body = north.get(path).body

    (left,) = body["_embedded"].values()
    assert left == whole[: len(whole) // 2]
    assert (body.get("_total_items", len(left)), body.get("_page_count", 1)) == (len(left), 1)
    assert set(body["_links"]) == {"self"}
    assert list(north.get(path).body["_embedded"].values()) == [whole]


def test_a_silent_half_of_many_pages_has_half_the_pages(world, north, account):
    numbers = [account.add_contact().id for _ in range(10)]
    fault = world.faults.add(Fault("silent_half", path="/api/v4/contacts", times=None))

    first, second = (north.get(f"contacts?limit=3&page={page}").body for page in (1, 2))

    seen = [each["id"] for body in (first, second) for each in body["_embedded"]["contacts"]]
    assert seen == numbers[:5]
    assert ("next" in first["_links"], "next" in second["_links"]) == (True, False)
    assert north.get("contacts?limit=3&page=3").status == 204
    assert fault.hits == 3


def test_a_silent_half_of_one_is_nothing(world, north, account):
    account.add_company()
    world.faults.add(Fault("silent_half", times=2))
    assert [north.get(path).status for path in ("companies", "companies/custom_fields/groups")] == [204, 204]
    assert north.get("companies").status == 200


def test_a_silent_half_is_never_kept_for_the_next_reader(world, north, account):
    world.cache_reads = True
    world.faults.add(Fault("silent_half", skip=1))
    found = [len(north.get("leads/custom_fields").items("custom_fields")) for _ in range(3)]
    assert found == [10, 5, 10]


def test_an_empty_list_can_be_pretended(world, north):
    world.faults.add(Fault("no_content"))
    assert north.get("leads/custom_fields").status == 204


def test_any_answer_can_be_given(world, north):
    world.faults.add(Fault("answer", status=200, body=json.dumps([])))
    assert north.get("leads/pipelines").body == []


def test_a_fault_strikes_only_what_it_names(world, north, south):
    fault = Fault("500", subdomain="north", method="GET", path=re.compile(r"/contacts/custom_fields\?"), times=None)
    world.faults.add(fault)
    assert south.get("contacts/custom_fields?page=1").status == 200
    assert north.get("contacts/custom_fields").status == 200
    assert [north.get("contacts/custom_fields?page=1").status for _ in range(3)] == [500] * 3
    world.faults.clear()
    assert north.get("contacts/custom_fields?page=1").status == 200
    assert fault.hits == 3


def test_a_fault_lets_some_pass_and_then_strikes_some_times(world, north):
    world.faults.add(Fault("504", path="account", skip=2, times=2))
    assert [north.get("account").status for _ in range(5)] == [200, 200, 504, 504, 200]


def test_an_unknown_fault_is_an_error():
    with pytest.raises(ValueError, match="no fault 'quake'"):
        Fault("quake")


def test_a_fault_of_writes_strikes_every_write_and_no_reading(world, north):
    world.faults.add(Fault("503", method="write", times=None))
    assert north.get("leads/pipelines").status == 200
    assert [north.post("leads/pipelines", [PIPELINE]).status, north.delete("leads/pipelines/1").status] == [503, 503]


@pytest.mark.parametrize(("answer", "status", "text"), [
    ("html_404", 404, b"404 Not Found"), ("json_404", 404, b"Cannot GET /api/v4/account"), ("401", 401, b"Invalid"),
])  # fmt: skip
def test_a_former_address_answers_as_the_variant_says_and_an_unknown_one_does_not(
    world, app, account, answer, status, text
):
    world.variants.former_address = answer
    world.rename_account("north", "north-2")
    replies = [call(app, "GET", f"http://sim/{name}/api/v4/account", token=account.token) for name in ("north", "who")]
    assert replies[0][0] == status
    assert text in replies[0][2]
    assert (replies[1][0], b"404 Not Found" in replies[1][2]) == (404, True)
