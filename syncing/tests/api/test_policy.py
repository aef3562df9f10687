"""The policy through REST: read by some, changed by others."""

import json
from typing import Any

import pytest
from django.test import Client

from accounts.models import SyncGroup
from accounts.tests.factories import GroupFactory
from syncing.models import AuditEntry
from syncing.services.keys import create_key
from syncing.services.policy import document_of

pytestmark = pytest.mark.django_db
URL = "/api/sync/policy"


@pytest.fixture
def group() -> SyncGroup:
    return GroupFactory()


def ask(method: str, body: Any = None, scope: str = "trigger", query: str = "") -> Any:
    headers = {"Authorization": f"Bearer {create_key(name=f'{method} {scope}', scopes=[scope])[1]}"}
    data = {} if body is None else {"data": body if isinstance(body, str) else json.dumps(body)}
    return Client().generic(method, URL + query, content_type="application/json", headers=headers, **data)


def test_it_is_the_document_of_the_command(group: SyncGroup) -> None:
    answer = ask("GET", scope="read")

    assert (answer.status_code, answer.json()) == (200, document_of(group))


def test_a_patch_sets_what_it_names_and_answers_with_all(group: SyncGroup) -> None:
    answer = ask("PATCH", {"policy": {"watch": "apply", "requires_approval": True}})

    group.refresh_from_db()
    assert (answer.status_code, answer.json()) == (200, document_of(group))
    assert (group.watch, group.requires_approval) == ("apply", True)
    entry = AuditEntry.objects.get(action="policy")
    assert (entry.via, entry.details["watch"]) == ("api", ["off", "apply"])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"policy": {"watch": "apply", "wave_size": "x"}}, "bad_policy"),
        ({"policy": {"watch": "apply", "whatch": "x"}}, "bad_policy"),
        ({"policy": []}, "bad_policy"),
        ({}, "bad_policy"),
        ({"watch": "apply"}, "unknown_key"),
        ({"group": "Nobody", "policy": {"watch": "apply"}}, "unknown_group"),
        ("{", "bad_json"),
    ],
)
def test_what_is_wrong_sets_nothing(group: SyncGroup, body: Any, code: str) -> None:
    answer = ask("PATCH", body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert SyncGroup.objects.get().watch == "off"


@pytest.mark.parametrize(
    ("query", "body_group", "status"),
    [
        ("?group=Others", None, 200),
        ("?group=Others", "Others", 200),
        ("", "Others", 200),
        ("?group=Branches", "Others", 400),
        ("", None, 400),
        ("?group=", None, 400),
    ],
)
def test_the_group_is_that_of_the_address_or_of_the_body(
    group: SyncGroup, query: str, body_group: str | None, status: int
) -> None:
    GroupFactory(name="Others")
    body = {"policy": {"watch": "plan"}} | ({"group": body_group} if body_group else {})

    assert ask("PATCH", body, query=query).status_code == status
    assert SyncGroup.objects.get(name="Others").watch == ("plan" if status == 200 else "off")
    assert SyncGroup.objects.get(name="Branches").watch == "off"


def test_who_may_read_may_not_change_and_the_other_way_round(group: SyncGroup) -> None:
    assert ask("PATCH", {"policy": {"watch": "plan"}}, scope="read").status_code == 403
    assert ask("GET", scope="trigger").status_code == 403


def test_another_method_is_told_the_right_ones(group: SyncGroup) -> None:
    answer = ask("DELETE")

    assert (answer.status_code, answer["Allow"]) == (405, "GET, PATCH")
    assert answer.json()["error"]["code"] == "method_not_allowed"
