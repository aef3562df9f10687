"""The simulator over a real socket: keep-alive, resets, truncation, control routes."""

import http.client
import json
import threading
import time

import pytest

from accounts.simulator.faults import Fault
from accounts.simulator.server import serve
from accounts.simulator.world import World


@pytest.fixture
def world():
    world = World()
    world.limits.key = "none"
    world.add_account("north").issue_token(value="token-of-north")
    return world


@pytest.fixture
def server(world):
    with serve(world) as server:
        yield server


@pytest.fixture
def connection(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    yield connection
    connection.close()


def ask(connection, method, path, body=None):
    raw = None if body is None else json.dumps(body)
    headers = {"Authorization": "Bearer token-of-north", "Content-Type": "application/json"}
    connection.request(method, path, body=raw, headers=headers)
    answer = connection.getresponse()
    raw = answer.read()
    return answer.status, json.loads(raw) if raw else None


def test_one_connection_carries_many_requests(connection):
    assert ask(connection, "GET", "/north/api/v4/account")[0] == 200
    socket = connection.sock
    assert ask(connection, "GET", "/north/api/v4/leads/custom_fields?page=9") == (204, None)
    item = {"name": "Später 🚀", "type": "text"}
    status, body = ask(connection, "POST", "/north/api/v4/contacts/custom_fields", [item])
    assert (status, body["_embedded"]["custom_fields"][0]["name"]) == (201, "Später 🚀")
    assert connection.sock is socket


def test_a_link_leads_back_to_the_server(server, connection):
    _, body = ask(connection, "GET", "/north/api/v4/leads/custom_fields?limit=3")
    assert body["_links"]["next"]["href"].startswith(server.url_template.format(subdomain="north") + "/api/v4/")


@pytest.mark.parametrize(("kind", "applied"), [("reset", 0), ("reset_applied", 1)])
def test_a_reset_is_a_real_one(world, connection, kind, applied):
    world.faults.add(Fault(kind))
    with pytest.raises(ConnectionResetError):
        ask(connection, "POST", "/north/api/v4/contacts/custom_fields", [{"name": "A", "type": "text"}])
    assert len(world.accounts["north"].fields["contacts"]) == 3 + applied


def test_a_truncated_answer_ends_the_connection(world, connection):
    world.faults.add(Fault("truncated"))
    with pytest.raises(http.client.IncompleteRead):
        ask(connection, "GET", "/north/api/v4/leads/pipelines")
    connection.close()
    assert ask(connection, "GET", "/north/api/v4/leads/pipelines")[0] == 200


def test_the_client_may_close_and_come_back(connection):
    connection.request("GET", "/north/api/v4/account", headers={"Connection": "close"})
    assert connection.getresponse().read()
    assert ask(connection, "GET", "/north/api/v4/account")[0] == 200


def test_requests_at_once_do_not_wait_for_each_other(world):
    world.faults.add(Fault("slow", seconds=0.5, times=None))
    with serve(world, latency=0.01) as server:
        started = time.monotonic()
        threads = [threading.Thread(target=_ask_once, args=(server.port,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(world.log) == 8
    assert time.monotonic() - started < 8 * 0.5


def _ask_once(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    ask(connection, "GET", "/north/api/v4/account")
    connection.close()


def test_a_stopped_server_refuses_and_its_port_can_be_used_again(world):
    with serve(world) as server:
        pass
    with pytest.raises(ConnectionRefusedError):
        _ask_once(server.port)
    server.stop()
    with serve(world, port=server.port):
        _ask_once(server.port)


def test_the_state_counts_what_was_asked_and_harmed(world, connection):
    ask(connection, "GET", "/north/api/v4/account")
    account = world.accounts["north"]
    pipeline = account.pipeline("Pipeline")
    stage = pipeline.ordinary[1]
    leads = {"subdomain": "north", "pipeline_id": pipeline.id, "status_id": stage.id, "count": 3}
    assert len(ask(connection, "POST", "/_sim/leads", leads)[1]["leads"]) == 3
    ask(
        connection,
        "POST",
        "/_sim/edit",
        {"subdomain": "north", "op": "remove", "kind": "stage", "key": [pipeline.id, stage.id]},
    )
    state = ask(connection, "GET", "/_sim/state")[1]
    north = state["accounts"]["north"]
    assert (north["moved_leads"], north["leads"], north["stages"], north["requests"]) == (3, 3, 3, 1)
    assert (state["requests"], state["statuses"]) == (1, {"200": 1})


def test_who_holds_values_is_added_and_what_was_lost_is_read(world, connection):
    account = world.accounts["north"]
    world.add_account("south")
    pipeline, field = account.pipeline("Pipeline"), account.add_field("contacts", "Budget")
    where = {"subdomain": "north", "pipeline_id": pipeline.id}
    trash = {**where, "status_id": 142, "is_deleted": True}
    held = {"subdomain": "north", "values": {str(field.id): 5}}
    incoming, deleted = (ask(connection, "POST", "/_sim/leads", body)[1]["leads"][0] for body in (where, trash))
    contact = ask(connection, "POST", "/_sim/contacts", held)[1]["contacts"][0]
    assert len(ask(connection, "POST", "/_sim/companies", {"subdomain": "north", "count": 2})[1]["companies"]) == 2
    assert account.is_unsorted(account.leads[incoming])
    assert account.leads[deleted].is_deleted
    assert ask(connection, "GET", "/_sim/losses")[1] == {}
    ask(connection, "DELETE", f"/north/api/v4/contacts/custom_fields/{field.id}")
    losses = ask(connection, "GET", "/_sim/losses")[1]
    (loss,) = losses.pop("north")
    assert (loss["cause"], loss["entity"], loss["holder_id"], loss["value"]) == ("field", "contacts", contact, 5)
    assert losses == {}
    north = ask(connection, "GET", "/_sim/state")[1]["accounts"]["north"]
    assert [north[each] for each in ("leads", "contacts", "companies", "lost_values")] == [2, 1, 2, 1]
    assert ask(connection, "POST", "/_sim/contacts", {**held, "moon": 1})[0] == 400


def test_a_list_is_halved_for_ever_over_http(connection):
    path = "/north/api/v4/leads/custom_fields?page=1"
    fault = {"kind": "silent_half", "method": "GET", "path": "/leads/custom_fields?", "times": None}
    ask(connection, "POST", "/_sim/faults", fault)
    assert [ask(connection, "GET", path)[1]["_total_items"] for _ in range(3)] == [5, 5, 5]
    ask(connection, "DELETE", "/_sim/faults")
    assert ask(connection, "GET", path)[1]["_total_items"] == 10


def test_faults_variants_and_limits_are_set_over_http(world, connection):
    ask(connection, "POST", "/_sim/faults", {"kind": "500", "path": "account"})
    assert ask(connection, "GET", "/north/api/v4/account")[0] == 500
    ask(connection, "POST", "/_sim/knobs", {"renumber": False})
    assert world.variants.renumber is False
    ask(connection, "POST", "/_sim/limits", {"key": "account", "per_second": 1})
    assert [ask(connection, "GET", "/north/api/v4/account")[0] for _ in range(2)] == [200, 429]
    ask(connection, "POST", "/_sim/reset-log")
    assert ask(connection, "GET", "/_sim/log")[1] == []


def test_the_log_is_read_from_a_number_on(connection):
    ask(connection, "GET", "/north/api/v4/account")
    ask(connection, "PATCH", "/north/api/v4/contacts/custom_fields", [{"id": 1}])
    records = ask(connection, "GET", "/_sim/log?since=1")[1]
    assert [(each["number"], each["method"], each["body"]) for each in records] == [(2, "PATCH", '[{"id": 1}]')]


def test_a_senseless_control_request_is_told_why(connection):
    status, body = ask(connection, "POST", "/_sim/knobs", {"gravity": 0})
    assert (status, body["detail"]) == (400, "AttributeError: no 'gravity'")
    assert ask(connection, "POST", "/_sim/edit", {"subdomain": "nobody", "op": "add"})[0] == 400
    assert ask(connection, "GET", "/_sim/moon")[0] == 404


def test_kept_reads_never_outlive_a_write_or_an_edit(world, connection):
    world.cache_reads = True
    account = world.accounts["north"]
    path = f"/north/api/v4/leads/pipelines/{account.pipeline('Pipeline').id}"

    def name():
        return ask(connection, "GET", path)[1]["name"]

    assert (name(), name()) == ("Pipeline", "Pipeline")
    ask(connection, "PATCH", path, {"name": "By API"})
    assert name() == "By API"
    key = int(path.rpartition("/")[2])
    ask(
        connection,
        "POST",
        "/_sim/edit",
        {"subdomain": "north", "op": "change", "kind": "pipeline", "key": key, "name": "By hand"},
    )
    assert name() == "By hand"
    world.faults.add(Fault("truncated"))
    with pytest.raises(http.client.IncompleteRead):
        name()
    connection.close()
    assert name() == "By hand"


def test_the_server_can_be_told_to_stop(server, connection):
    assert ask(connection, "POST", "/_sim/stop")[1] == {"stopping": True}
    assert server.stopped.wait(60)
