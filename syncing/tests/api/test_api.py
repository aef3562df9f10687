"""The REST API: who comes in, what is refused and how, what the answers hold."""

import json
from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import SyncGroup
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import (
    AcceptedDifference,
    AccountState,
    ApiKey,
    IdMapping,
    LogEntry,
    RunMode,
    RunType,
    SyncRun,
    Trigger,
    Watch,
    Window,
)
from syncing.selectors.documents import run_document
from syncing.services.keys import create_key
from syncing.tests.factories import AccountRunFactory, RunFactory

pytestmark = pytest.mark.django_db

TRIGGER, STATUS = "/api/sync/trigger", "/api/sync/status"


def bearer(*scopes: str, name: str = "bot") -> dict[str, str]:
    return {"Authorization": f"Bearer {create_key(name=name, scopes=scopes)[1]}"}


@pytest.fixture
def may_read() -> dict[str, str]:
    return bearer("read", name="reader")


@pytest.fixture
def may_trigger() -> dict[str, str]:
    return bearer("trigger", name="starter")


def post(client, headers: dict[str, str], body: object = None):
    data = body if isinstance(body, (str, bytes)) else json.dumps(body or {})
    return client.post(TRIGGER, data, content_type="application/json", headers=headers)


def error_of(response) -> dict[str, str]:
    error = response.json()["error"]
    assert set(error) == {"code", "message", "remedy"}
    return error


# -- who comes in --


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer token-of-north"])
def test_it_lets_nobody_in_without_a_known_key(client, header) -> None:
    response = client.get(STATUS, headers={"Authorization": header} if header is not None else {})
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert error_of(response)["code"] in {"no_key", "bad_key"}


def test_a_revoked_key_ends_at_once(client, may_read) -> None:
    assert client.get(STATUS, headers=may_read).status_code == 200
    ApiKey.objects.update(revoked=True)
    assert client.get(STATUS, headers=may_read).status_code == 401


@pytest.mark.parametrize("path", [STATUS, "/api/sync/runs/1", "/api/accounts/north/ids"])
def test_a_key_that_may_only_trigger_may_not_read(client, may_trigger, path) -> None:
    response = client.get(path, headers=may_trigger)
    assert response.status_code == 403
    assert "read" in error_of(response)["remedy"]


def test_a_key_that_may_only_read_starts_nothing(client, may_read) -> None:
    AccountFactory.cast()
    assert post(client, may_read).status_code == 403
    assert not SyncRun.objects.exists()


def test_it_keeps_only_the_hash_of_a_key() -> None:
    key, secret = create_key(name="bot", scopes=["read"])
    row = json.dumps(ApiKey.objects.values().get(pk=key.pk), default=str)
    assert secret not in row
    assert secret.startswith(key.prefix)


def test_the_use_of_a_key_is_noted_at_most_once_a_minute(client, may_read) -> None:
    client.get(STATUS, headers=may_read)
    first = ApiKey.objects.get().last_used_at
    client.get(STATUS, headers=may_read)
    assert first is not None
    assert ApiKey.objects.get().last_used_at == first
    ApiKey.objects.update(last_used_at=timezone.now() - timedelta(minutes=2))
    client.get(STATUS, headers=may_read)
    assert ApiKey.objects.get().last_used_at > first


@pytest.mark.parametrize(("method", "path"), [("get", TRIGGER), ("post", STATUS), ("delete", "/api/sync/runs/1")])
def test_a_wrong_method_is_told_the_right_one(client, may_read, method, path) -> None:
    response = getattr(client, method)(path, headers=may_read)
    assert response.status_code == 405
    assert response["Allow"] in error_of(response)["remedy"]


@pytest.mark.parametrize("path", ["/api/", "/api/nothing", "/api/sync/trigger/", "/api/sync/runs/x"])
def test_what_is_not_there_is_json_too(client, path) -> None:
    response = client.post(path)
    assert response.status_code == 404
    assert "/api/sync/trigger" in error_of(response)["remedy"]


# -- trigger --


def test_a_trigger_starts_a_run_and_says_where_it_is(client, may_trigger, may_read) -> None:
    group = AccountFactory.cast()["north"].group
    response = post(client, may_trigger, {"sync_type": "pipelines", "mode": "plan", "group": group.name})
    run = SyncRun.objects.get()
    assert response.status_code == 202
    assert response.json() == {"run": run.pk, "status_url": f"http://testserver/api/sync/runs/{run.pk}"}
    assert (run.type, run.mode, run.trigger) == (RunType.PIPELINES, RunMode.PLAN, Trigger.API)
    assert client.get(response.json()["status_url"], headers=may_read).json()["run"] == run.pk


def test_an_empty_body_means_everything_for_the_only_group(client, may_trigger) -> None:
    AccountFactory.cast()
    assert post(client, may_trigger, b"").status_code == 202
    run = SyncRun.objects.get()
    assert (run.type, run.mode, run.account_runs.count()) == (RunType.FULL, RunMode.APPLY, 4)


def test_a_trigger_of_some_accounts_leaves_the_others_alone(client, may_trigger) -> None:
    AccountFactory.cast()
    assert post(client, may_trigger, {"accounts": ["south", "north", "south"]}).status_code == 202
    names = SyncRun.objects.get().account_runs.values_list("account__subdomain", flat=True)
    assert sorted(names) == ["north", "south"]


def test_a_second_trigger_joins_the_run_that_waits(client, may_trigger) -> None:
    AccountFactory.cast()
    assert post(client, may_trigger).json() == post(client, may_trigger).json()


def test_a_program_can_name_a_run_and_say_what_it_is_for(client, may_trigger) -> None:
    AccountFactory.cast()
    assert post(client, may_trigger, {"name": "Summer", "reason": "New fields"}).status_code == 202
    run = SyncRun.objects.get()
    assert (run.name, run.wish) == ("Summer", "New fields")
    assert post(client, may_trigger, {"name": "x" * 81}).status_code == 400


def test_the_log_of_a_run_names_the_key_that_asked_for_it(client, may_trigger) -> None:
    AccountFactory.cast()
    post(client, may_trigger)
    assert LogEntry.objects.filter(run=SyncRun.objects.get(), message__contains="starter").exists()


@pytest.mark.parametrize(
    ("body", "code", "allowed"),
    [
        ("{", "bad_json", "JSON"),
        ("[1]", "bad_json", "JSON"),
        ("\xff", "bad_json", "JSON"),
        ({"force": True}, "unknown_key", "sync_type, mode, group, accounts, name, reason"),
        ({"sync_type": "everything"}, "bad_sync_type", "full, pipelines, custom_fields"),
        ({"sync_type": ["full"]}, "bad_sync_type", "full"),
        ({"mode": "write"}, "bad_mode", "plan, apply"),
        ({"group": "Nobody"}, "unknown_group", "Branches"),
        ({"group": 7}, "unknown_group", "Branches"),
        ({"accounts": "north"}, "bad_accounts", "north"),
        ({"accounts": []}, "bad_accounts", "south"),
        ({"accounts": ["nobody"]}, "unknown_account", "north"),
        ({"accounts": ["master"]}, "unknown_account", "north"),
        ({"accounts": [None]}, "unknown_account", "north"),
    ],
)
def test_a_wrong_order_starts_nothing_and_is_told_what_is_allowed(client, may_trigger, body, code, allowed) -> None:
    AccountFactory.cast()
    response = post(client, may_trigger, body)
    assert response.status_code == 400
    assert error_of(response)["code"] == code
    assert allowed in error_of(response)["remedy"]
    assert not SyncRun.objects.exists()


def test_with_several_groups_one_must_be_named(client, may_trigger) -> None:
    AccountFactory.cast()
    GroupFactory(name="Others")
    response = post(client, may_trigger)
    assert response.status_code == 400
    assert "Branches, Others" in error_of(response)["remedy"]


def test_a_group_without_a_master_is_refused_with_the_remedy(client, may_trigger) -> None:
    AccountFactory(subdomain="north")
    response = post(client, may_trigger)
    assert response.status_code == 409
    assert error_of(response)["code"] == "no_master"


def test_a_body_beyond_the_limit_is_not_read(client, may_trigger) -> None:
    response = post(client, may_trigger, b" " * 70_000)
    assert response.status_code == 413


def test_it_needs_no_csrf_token(may_trigger) -> None:
    AccountFactory.cast()
    assert post(Client(enforce_csrf_checks=True), may_trigger).status_code == 202


# -- reading --


def test_the_status_tells_every_account_and_the_last_run_of_its_group(client, may_read) -> None:
    cast = AccountFactory.cast()
    RunFactory(group=cast["north"].group)
    run = RunFactory(group=cast["north"].group, state="partial")
    AccountRunFactory(run=run, account=cast["north"])
    AccountRunFactory(run=run, account=cast["west"], state=AccountState.FAILED, reason="token_expired")
    document = client.get(STATUS, headers=may_read).json()
    group = document["groups"][0]
    states = {account["subdomain"]: (account["state"], account["reason"]) for account in group["accounts"]}
    assert document["workers"] == {"alive": 0}
    assert group["last_run"]["run"] == run.pk
    assert group["last_run"]["totals"] == {"in_sync": 1, "failed": 1}
    assert states["west"] == ("failed", "token_expired")
    assert states["south"] == (None, None)
    assert {"health", "health_reason", "checked_at", "token_expires_at"} <= group["accounts"][0].keys()


def test_the_status_tells_the_watcher_of_each_group(client, may_read) -> None:
    looked = timezone.now() - timedelta(hours=1)
    on, off = GroupFactory(name="A", watch="report"), GroupFactory(name="B")
    Watch.objects.create(group=on, state="idle", last_look=looked, next_look=looked, due_at=looked)
    documents = {group["name"]: group["watch"] for group in client.get(STATUS, headers=may_read).json()["groups"]}
    nothing = {"last_look": None, "last_change": None, "next_look": None, "overdue": False}
    assert documents[off.name] == {"mode": "off", "state": "off", **nothing}
    assert documents[on.name].keys() == documents[off.name].keys()
    assert (documents[on.name]["state"], documents[on.name]["overdue"]) == ("overdue", True)
    assert documents[on.name]["last_look"] == documents[on.name]["next_look"] == looked.isoformat()[:23] + "Z"


def test_the_status_tells_until_when_a_group_is_paused_and_frozen(client, may_read) -> None:
    free, paused = GroupFactory(name="Free"), GroupFactory(name="Paused", paused=True)
    end = timezone.now() + timedelta(hours=2)
    SyncGroup.objects.filter(pk=paused.pk).update(paused_until=end)
    Window.objects.create(group=paused, kind="deny", cron="* * * * *", minutes=60)  # opens again before it closes
    groups = {each["name"]: each for each in client.get("/api/sync/status", headers=may_read).json()["groups"]}
    assert (groups[free.name]["paused_until"], groups[free.name]["frozen_until"]) == (None, None)
    assert datetime.fromisoformat(groups["Paused"]["paused_until"]) == pytest.approx(end, abs=timedelta(seconds=1))
    assert groups["Paused"]["frozen_until"].startswith("9999-01-01")


def test_the_status_costs_the_same_for_few_and_many(client, may_read, django_assert_max_num_queries) -> None:
    client.get(STATUS, headers=may_read)  # notes the use of the key
    run = RunFactory(group=AccountFactory(master=True).group)
    for account in AccountFactory.create_batch(20, group=run.group):
        AccountRunFactory(run=run, account=account)
    with django_assert_max_num_queries(11):  # two of them are the clock, where the database is a server
        client.get(STATUS, headers=may_read)


def test_a_run_is_the_document_that_the_command_prints(client, may_read) -> None:
    account_run = AccountRunFactory(document={"changes": [{"name": "É 🎉 <b>"}]})
    answer = client.get(f"/api/sync/runs/{account_run.run_id}", headers=may_read)
    assert answer.json() == json.loads(json.dumps(run_document(account_run.run)))


@pytest.mark.parametrize("run_id", [1, 10**30])
def test_an_unknown_run_is_not_found(client, may_read, run_id) -> None:
    response = client.get(f"/api/sync/runs/{run_id}", headers=may_read)
    assert response.status_code == 404
    assert error_of(response)["code"] == "no_such_run"


def test_the_ids_of_an_account_are_kommos_own(client, may_read) -> None:
    north = AccountFactory(subdomain="north")
    for kind, master_key, slave_key in [
        ("stage", "7/142", "70/142"),
        ("field_group", "leads/leads_5", "leads/leads_50"),
        ("enum", "contacts/12/34", "contacts/120/340"),
    ]:
        IdMapping.objects.create(
            account=north, kind=kind, master_key=master_key, slave_key=slave_key, name=kind.title(), parent="P"
        )
    rows = client.get("/api/accounts/north/ids", headers=may_read).json()
    assert [(row["kind"], row["entity"], row["master_id"], row["slave_id"]) for row in rows] == [
        ("enum", "contacts", 34, 340),
        ("field_group", "leads", "leads_5", "leads_50"),
        ("stage", "leads", 142, 142),
    ]
    assert client.get("/api/accounts/nobody/ids", headers=may_read).status_code == 404


# -- alive, ready --


def test_a_living_process_says_so_without_a_key(client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ok"}


@pytest.mark.parametrize("keys", [[], ["b3RoZXIta2V5LW90aGVyLWtleS1vdGhlci1rZXktISE="]])
def test_a_process_that_cannot_read_the_secrets_is_not_ready(client, settings, keys) -> None:
    AccountFactory(subdomain="north", token="token-of-north")
    settings.FIELD_ENCRYPTION_KEYS = keys
    response = client.get("/readyz")
    assert response.status_code == 503
    assert "FIELD_ENCRYPTION_KEYS" in response.json()["problems"][0]
    assert "token-of-north" not in response.content.decode()


@pytest.mark.parametrize("name", ["%00", "no%00rth", "%00north"])
@pytest.mark.parametrize("path", ["/api/accounts/{}/ids", "/api/drift?account={}", "/api/accounts/{}/exceptions/{}"])
def test_a_subdomain_that_no_database_stores_is_nobodys(path: str, name: str) -> None:
    """Nor is it that of the account whose name is left when the odd sign is dropped."""
    north = AccountFactory(subdomain="north")
    accepted = AcceptedDifference.objects.create(account=north, kind="stage", key="7/71", reason="So.")
    url = path.format(name, accepted.pk)
    method = Client().delete if "exceptions" in path else Client().get
    answer = method(url, headers=bearer("read", "trigger", "approve"))
    assert (answer.status_code, answer.json()["error"]["code"][:8]) == (404, "no_such_")
    accepted.refresh_from_db()
    assert accepted.withdrawn_at is None


@pytest.mark.parametrize("action", ["approve", "continue", "rollback"])
def test_an_unknown_run_is_told_before_what_is_wrong_with_the_body(action: str) -> None:
    headers = bearer("read", "trigger", "approve")
    answer = Client().post(f"/api/sync/runs/999/{action}", '{"odd": 1}', "application/json", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_such_run")
