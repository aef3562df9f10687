"""API keys: never more than their maker may now, and every change of one is in the audit."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from accounts.models import SyncGroup
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import ApiKey, AuditEntry, KeyScope, SyncRun
from syncing.services.keys import PERMISSIONS, create_key
from syncing.tests.factories import RunFactory
from syncing.urls import urlpatterns

pytestmark = pytest.mark.django_db

ADD = "admin:syncing_apikey_add"
KEYS_PERMISSIONS = ("add_apikey", "view_apikey", "change_apikey", "delete_apikey")
EXCEPTION = {"kind": "stage", "key": "7/71", "reason": "Theirs."}
# Method, path, body, and the permission that it needs beside the scope.
ENDPOINTS = [
    ("GET", "/api/sync/status", None, "syncing.view_syncrun"),
    ("GET", "/api/sync/runs", None, "syncing.view_syncrun"),
    ("GET", "/api/sync/runs/{run}", None, "syncing.view_syncrun"),
    ("GET", "/api/sync/runs/{run}/plan", None, "syncing.view_syncrun"),
    ("GET", "/api/accounts", None, "accounts.view_account"),
    ("GET", "/api/accounts/north/ids", None, "syncing.view_idmapping"),
    ("GET", "/api/drift", None, "syncing.view_drift"),
    ("GET", "/api/audit", None, "syncing.view_auditentry"),
    ("POST", "/api/sync/trigger", {"mode": "plan"}, "syncing.plan_sync"),
    ("POST", "/api/sync/trigger", {"mode": "apply"}, "syncing.start_sync"),
    ("POST", "/api/sync/trigger", {}, "syncing.start_sync"),
    ("POST", "/api/sync/runs/{run}/continue", {}, "syncing.start_sync"),
    ("POST", "/api/sync/runs/{run}/rollback", {"mode": "plan"}, "syncing.roll_back"),
    ("POST", "/api/sync/runs/{run}/rollback", {}, "syncing.roll_back"),
    ("POST", "/api/sync/runs/{run}/approve", {}, "syncing.approve_plan"),
    ("POST", "/api/sync/runs/{run}/send_back", {"comment": "no"}, "syncing.approve_plan"),
    (
        "POST",
        "/api/accounts/north/exceptions",
        {"kind": "stage", "key": "7/71", "reason": "Theirs."},
        "syncing.accept_drift",
    ),
    ("DELETE", "/api/accounts/north/exceptions/1", None, "syncing.accept_drift"),
    ("POST", "/api/accounts/north/promote", {"items": [{"kind": "stage", "name": "X"}]}, "syncing.promote"),
    ("GET", "/api/sync/policy", None, "accounts.view_syncgroup"),
    ("PATCH", "/api/sync/policy", {"policy": {"watch": "plan"}}, "accounts.change_syncgroup"),
    ("GET", "/api/sync/schedules", None, "accounts.view_syncgroup"),
    ("POST", "/api/sync/schedules", {"kind": "drift", "cron": "0 3 * * *"}, "accounts.change_syncgroup"),
    ("DELETE", "/api/sync/schedules/1", None, "accounts.change_syncgroup"),
    ("GET", "/api/sync/windows", None, "accounts.view_syncgroup"),
    ("POST", "/api/sync/windows", {"kind": "deny", "cron": "0 3 * * *", "minutes": 5}, "accounts.change_syncgroup"),
    ("DELETE", "/api/sync/windows/1", None, "accounts.change_syncgroup"),
    ("GET", "/api/sync/channels", None, "syncing.view_channel"),
    ("POST", "/api/sync/channels", {"name": "Ops", "email": "ops@example.com"}, "syncing.change_channel"),
    ("DELETE", "/api/sync/channels/Ops", None, "syncing.change_channel"),
    ("POST", "/api/sync/channels/Ops/test", {}, "syncing.change_channel"),
    ("POST", "/api/sync/pause", {"group": "Branches", "reason": "holidays"}, "accounts.change_syncgroup"),
    ("POST", "/api/sync/pause", {"accounts": ["north"], "reason": "moving"}, "accounts.change_account"),
    ("POST", "/api/sync/resume", {"accounts": ["north"]}, "accounts.change_account"),
]


@pytest.fixture
def group() -> SyncGroup:
    group = GroupFactory()
    AccountFactory.cast(group)
    return group


def person(name: str, *permissions: str) -> User:
    user = User.objects.create_user(name, is_staff=True)
    grant(user, *permissions)
    return user


def grant(user: User, *permissions: str) -> None:
    user.user_permissions.add(*Permission.objects.filter(codename__in=permissions))


def bearer(maker: User | None, *scopes: str) -> dict[str, str]:
    secret = create_key(name="bot", scopes=scopes or KeyScope.values, maker=maker)[1]
    return {"Authorization": f"Bearer {secret}"}


def call(client: Client, headers: dict[str, str], method: str, path: str, body: Any) -> Any:
    data = {} if body is None else {"data": json.dumps(body)}
    return client.generic(method, path, content_type="application/json", headers=headers, **data)


# -- at use --


@pytest.mark.parametrize(("method", "path", "body", "permission"), ENDPOINTS)
def test_every_endpoint_asks_what_the_maker_may_now(
    client: Client, group: SyncGroup, method: str, path: str, body: Any, permission: str
) -> None:
    maker = person("ana")
    headers, path = bearer(maker), path.format(run=RunFactory(group=group).pk)

    refused = call(client, headers, method, path, body)

    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_allowed")
    assert f"{permission} is missing" in refused.json()["error"]["message"]
    assert SyncRun.objects.count() == 1
    grant(maker, permission.partition(".")[2])
    assert call(client, headers, method, path, body).status_code not in (401, 403)


def test_no_endpoint_is_missing_above() -> None:
    known = {path.format(run=1) for _, path, _, _ in ENDPOINTS}
    routes = [pattern for pattern in urlpatterns if str(pattern.pattern).startswith("api/")]
    unlisted = [p.name for p in routes if not any(p.resolve(path.removeprefix("/")) for path in known)]
    assert unlisted == ["webhook", "api_openapi", "api_docs"]


def test_a_permission_that_is_taken_away_ends_what_the_key_may(client: Client, group: SyncGroup) -> None:
    maker = person("ana", "view_syncrun")
    headers = bearer(maker, "read")
    assert client.get("/api/sync/status", headers=headers).status_code == 200

    maker.user_permissions.clear()

    assert client.get("/api/sync/status", headers=headers).status_code == 403


@pytest.mark.parametrize("superuser", [False, True])
@pytest.mark.parametrize("leaves", ["deactivated", "no staff", "deleted"])
def test_the_key_of_a_person_who_left_opens_nothing(
    client: Client, group: SyncGroup, leaves: str, superuser: bool
) -> None:
    maker = person("ana", "view_syncrun")
    User.objects.filter(pk=maker.pk).update(is_superuser=superuser)
    headers = bearer(maker, "read")
    if leaves == "deactivated":
        User.objects.update(is_active=False)
    elif leaves == "no staff":
        User.objects.update(is_staff=False)
    else:
        maker.delete()

    answer = client.get("/api/sync/status", headers=headers)

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "maker_gone")
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert ApiKey.objects.get().last_used_at is None


def test_a_key_of_the_command_line_may_what_its_scopes_say(client: Client, group: SyncGroup) -> None:
    headers = bearer(None, "trigger")

    assert call(client, headers, "POST", "/api/sync/trigger", {}).status_code == 202
    assert client.get("/api/audit", headers=headers).json()["error"]["code"] == "no_scope"


def test_a_promotion_is_not_approved_by_a_key_whose_maker_may_not_promote(client: Client, group: SyncGroup) -> None:
    headers = bearer(person("ana", "approve_plan"), "approve", "promote")
    run = RunFactory(group=group, mode="plan", state="planned", purpose="promotion")

    answer = call(client, headers, "POST", f"/api/sync/runs/{run.pk}/approve", {})

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_allowed")
    assert "syncing.promote is missing" in answer.json()["error"]["message"]


# -- in the making --


@pytest.mark.parametrize("scope", KeyScope.values)
def test_who_may_only_make_keys_makes_none_that_may_anything(client: Client, scope: str) -> None:
    client.force_login(person("clerk", "add_apikey"))

    page = client.get(reverse(ADD)).content.decode()
    client.post(reverse(ADD), {"name": "bot", "scopes": [scope]})

    assert f'value="{scope}"' not in page
    assert "You have no permission that an API key could use" in page
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize(
    ("scope", "permission"), [(scope, each) for scope, needed in PERMISSIONS.items() for each in needed]
)
def test_a_scope_is_offered_to_those_who_may_some_of_it(client: Client, scope: str, permission: str) -> None:
    client.force_login(person("clerk", "add_apikey", permission.partition(".")[2]))

    client.post(reverse(ADD), {"name": "bot", "scopes": list(KeyScope.values)})
    assert not ApiKey.objects.exists()
    client.post(reverse(ADD), {"name": "bot", "scopes": [scope]})

    assert ApiKey.objects.get().scopes == [scope]


def test_the_command_makes_a_key_for_a_person(capsys) -> None:
    ana = person("ana", "view_syncrun")

    call_command("api_key", "create", "bot", "--by", "ana")

    assert ApiKey.objects.get().made_by == ana
    with pytest.raises(CommandError, match="ana lacks the permissions for these scopes: trigger"):
        call_command("api_key", "create", "bot2", "--scope", "trigger", "--by", "ana")
    with pytest.raises(CommandError, match="no user 'nobody' who can log in"):
        call_command("api_key", "create", "bot2", "--by", "nobody")
    assert ApiKey.objects.count() == 1


# -- changing one --


def change(client: Client, key: ApiKey, **sent: Any) -> None:
    facts = {"name": key.name, "scopes": key.scopes, **({"revoked": "on"} if key.revoked else {})}
    client.post(reverse("admin:syncing_apikey_change", args=[key.pk]), {**facts, **sent})
    key.refresh_from_db()


def test_renaming_a_key_leaves_it_the_scopes_that_the_editor_could_not_give(client: Client) -> None:
    client.force_login(person("clerk", *KEYS_PERMISSIONS))
    key = create_key(name="bot", scopes=["read", "trigger"])[0]

    change(client, key, name="robot")

    assert (key.name, key.scopes) == ("robot", ["read", "trigger"])


def test_a_key_of_the_command_line_is_given_nothing_more(client: Client) -> None:
    """Its maker is nobody, so that no permission of a person would limit what is added."""
    client.force_login(person("clerk", *KEYS_PERMISSIONS, "start_sync", "view_syncrun"))
    key = create_key(name="bot", scopes=["read"])[0]

    change(client, key, scopes=["read", "trigger"])
    assert key.scopes == ["read"]
    ApiKey.objects.update(revoked=True)
    change(client, key, name="works again")

    assert key.revoked


def test_a_superuser_gives_a_key_of_the_command_line_more(admin_client: Client) -> None:
    key = create_key(name="bot", scopes=["read"])[0]

    change(admin_client, key, scopes=["read", "trigger"])

    assert key.scopes == ["read", "trigger"]


def test_the_list_says_whose_key_it_is(admin_client: Client) -> None:
    ben = person("ben")
    for name, maker in (("of ben", ben), ("of nobody", None)):
        create_key(name=name, scopes=["read"], maker=maker)
    listed = admin_client.get(reverse("admin:syncing_apikey_changelist")).content.decode()
    assert "command line" in listed
    assert "no longer works" not in listed

    ben.delete()

    listed = admin_client.get(reverse("admin:syncing_apikey_changelist")).content.decode()
    assert "ben, who can no longer log in, so the key no longer works" in listed


# -- in the audit --


def noted(action: str) -> list[tuple[str, str, Any]]:
    rows = AuditEntry.objects.filter(action=action).order_by("pk")
    return [
        (row.actor, row.via, {k: v for k, v in row.details.items() if k not in ("id", "begins_with")}) for row in rows
    ]


def test_making_a_key_is_in_the_audit(admin_client: Client, capsys) -> None:
    admin_client.post(reverse(ADD), {"name": "bot", "scopes": ["read"]})
    call_command("api_key", "create", "script")

    assert noted("key_made") == [
        ("admin", "admin", {"key": "bot", "scopes": ["read"], "made_by": "admin"}),
        ("command line", "command", {"key": "script", "scopes": ["read"], "made_by": None}),
    ]
    details = json.dumps(list(AuditEntry.objects.values_list("details", flat=True)))
    assert capsys.readouterr().out.strip() not in details


def test_changing_a_key_is_in_the_audit(admin_client: Client) -> None:
    key = create_key(name="bot", scopes=["read"])[0]

    change(admin_client, key)  # nothing
    change(admin_client, key, name="robot", scopes=["read", "trigger"])
    data = {"action": "revoke", "_selected_action": [key.pk]}
    admin_client.post(reverse("admin:syncing_apikey_changelist"), data)

    facts = {"made_by": None}
    assert noted("key_changed") == [
        (
            "admin",
            "admin",
            {"key": "bot", "name": ["bot", "robot"], "scopes": [["read"], ["read", "trigger"]], **facts},
        ),
        ("admin", "admin", {"key": "robot", "revoked": [False, True], **facts}),
    ]


def test_deleting_keys_is_in_the_audit_one_or_many(admin_client: Client) -> None:
    one, two, three = (create_key(name=name, scopes=["read"])[0] for name in ("one", "two", "three"))

    admin_client.post(reverse("admin:syncing_apikey_delete", args=[one.pk]), {"post": "yes"})
    data = {"action": "delete_selected", "_selected_action": [two.pk, three.pk], "post": "yes"}
    admin_client.post(reverse("admin:syncing_apikey_changelist"), data)

    assert not ApiKey.objects.exists()
    assert [(who, facts["key"]) for who, _, facts in noted("key_deleted")] == [
        ("admin", "one"),
        ("admin", "three"),
        ("admin", "two"),
    ]


def test_a_new_webhook_address_is_in_the_audit_and_needs_the_right_to_start(client: Client) -> None:
    group, clerk = GroupFactory(), person("clerk", "change_syncgroup")
    url = reverse("syncing:webhook_token", args=[group.pk])
    client.force_login(clerk)
    assert client.post(url).status_code == 403

    grant(clerk, "start_sync")

    assert client.post(url).status_code == 200
    assert noted("key_made") == [("clerk", "admin", {"key": "webhook"})]
    assert AuditEntry.objects.get().group == group.name
