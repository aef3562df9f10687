"""Drift over the REST API: who comes in, what is told, how exceptions are made and ended."""

import json

import pytest

from accounts.models import Account
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import AcceptedDifference, AuditAction, AuditEntry, Drift, Exclusion
from syncing.services.keys import create_key
from syncing.tests.factories import DriftFactory, difference, extra

pytestmark = pytest.mark.django_db

DRIFT, EXCEPTIONS = "/api/drift", "/api/accounts/north/exceptions"
OFFER = {"kind": "stage", "key": "7/71", "attribute": "color", "reason": "Their own colours."}


def bearer(*scopes: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {create_key(name='bot', scopes=scopes)[1]}"}


@pytest.fixture
def cast() -> dict[str, Account]:
    cast = AccountFactory.cast()
    DriftFactory(account=cast["north"], rows=[difference(), extra()])
    return cast


@pytest.fixture
def may_read() -> dict[str, str]:
    return bearer("read")


@pytest.fixture
def may_approve() -> dict[str, str]:
    return bearer("approve")


def post(client, headers: dict[str, str], body: object, path: str = EXCEPTIONS):
    return client.post(path, json.dumps(body), content_type="application/json", headers=headers)


def code(response) -> str:
    assert set(response.json()["error"]) == {"code", "message", "remedy"}
    return response.json()["error"]["code"]


def test_the_drift_of_every_slave_is_told(client, cast, may_read) -> None:
    Exclusion.objects.create(account=cast["north"], kind="pipeline", name="Events")
    accounts = {each["subdomain"]: each for each in client.get(DRIFT, headers=may_read).json()["accounts"]}
    assert list(accounts) == ["east", "north", "south", "west"]
    north, east = accounts["north"], accounts["east"]
    assert (north["state"], north["count"], north["extras"], north["causes"]["slave"]) == ("drifted", 1, 1, 1)
    assert [row["key"] for row in north["differences"]] == ["7/71", "=old"]
    assert (north["differences"][0]["ours"], north["differences"][0]["theirs"]) == ("#fffeb2", "#ff8f92")
    assert north["exclusions"] == [{"kind": "pipeline", "name": "Events"}]
    assert (east["state"], east["count"], east["checked_at"], east["differences"]) == ("unknown", None, None, [])


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("?group=Branches&account=north", ["north"]),
        ("?account=south&account=north", ["north", "south"]),
        ("?group=Others", []),
        ("?group=Others&account=north", []),
    ],
)
def test_it_is_narrowed_down(client, cast, may_read, asked, found) -> None:
    GroupFactory(name="Others")
    assert [each["subdomain"] for each in client.get(DRIFT + asked, headers=may_read).json()["accounts"]] == found


@pytest.mark.parametrize(
    ("asked", "status", "error"),
    [
        ("?group=Nobody", 400, "unknown_group"),
        ("?account=nobody", 404, "no_such_account"),
        ("?account=master", 404, "no_such_account"),
    ],
)
def test_what_is_not_there_is_said(client, cast, may_read, asked, status, error) -> None:
    response = client.get(DRIFT + asked, headers=may_read)
    assert (response.status_code, code(response)) == (status, error)


def test_the_whole_drift_costs_a_fixed_few_queries(client, may_read, django_assert_num_queries) -> None:
    for slave in AccountFactory.create_batch(30):
        DriftFactory(account=slave)
        AcceptedDifference.objects.create(account=slave, kind="stage", key="7/72")
        Exclusion.objects.create(account=slave, kind="pipeline", name="Events")
    with django_assert_num_queries(5):
        client.get(DRIFT, headers=may_read)


@pytest.mark.parametrize("scope", ["read", "trigger", "promote"])
def test_deciding_needs_the_scope_for_it(client, cast, scope) -> None:
    headers = bearer(scope)
    assert post(client, headers, OFFER).status_code == 403
    accepted = AcceptedDifference.objects.create(account=cast["north"], kind="stage", key="7/72")
    assert client.delete(f"{EXCEPTIONS}/{accepted.pk}", headers=headers).status_code == 403
    assert AcceptedDifference.objects.filter(withdrawn_at=None).count() == 1


def test_an_exception_is_made_and_ended(client, cast, may_approve) -> None:
    made = post(client, may_approve, OFFER)
    assert made.status_code == 201
    document = made.json()
    assert {name: document[name] for name in OFFER} == OFFER
    assert Drift.objects.get(account=cast["north"]).count == 0
    ended = client.delete(f"{EXCEPTIONS}/{document['id']}", headers=may_approve)
    assert ended.status_code == 200
    assert ended.json()["withdrawn_at"]
    decided = AuditEntry.objects.exclude(action=AuditAction.KEY_MADE)
    assert list(decided.values_list("action", "actor", "via")) == [
        ("withdrew", "bot", "api"),
        ("accepted", "bot", "api"),
    ]


def test_without_an_attribute_the_whole_item_is_accepted(client, cast, may_approve) -> None:
    document = post(client, may_approve, {"kind": "pipeline", "key": "=old", "reason": "Theirs."}).json()
    assert (document["attribute"], document["name"]) == ("", "Old")


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({**OFFER, "reason": ""}, 409, "no_reason"),
        ({**OFFER, "key": "7/99"}, 409, "no_such_difference"),
        ({**OFFER, "more": 1}, 400, "unknown_key"),
        ({**OFFER, "attribute": None}, 400, "bad_attribute"),
        ({**OFFER, "key": 7}, 400, "bad_key"),
        ({**OFFER, "reason": "x" * 501}, 400, "bad_reason"),
        ({"reason": "So."}, 400, "bad_kind"),
    ],
)
def test_a_wrong_exception_is_refused_with_what_is_wrong(client, cast, may_approve, body, status, error) -> None:
    response = post(client, may_approve, body)
    assert (response.status_code, code(response)) == (status, error)
    assert not AcceptedDifference.objects.exists()


def test_an_exception_is_ended_once_and_under_its_own_account_only(client, cast, may_approve) -> None:
    number = post(client, may_approve, OFFER).json()["id"]
    elsewhere = client.delete(f"/api/accounts/south/exceptions/{number}", headers=may_approve)
    assert (elsewhere.status_code, code(elsewhere)) == (404, "no_such_exception")
    client.delete(f"{EXCEPTIONS}/{number}", headers=may_approve)
    again = client.delete(f"{EXCEPTIONS}/{number}", headers=may_approve)
    assert (again.status_code, code(again)) == (409, "already_withdrawn")
    unknown = client.delete(f"{EXCEPTIONS}/{'9' * 30}", headers=may_approve)
    assert (unknown.status_code, code(unknown)) == (404, "no_such_exception")


def test_a_master_has_no_exceptions(client, cast, may_approve) -> None:
    response = post(client, may_approve, OFFER, "/api/accounts/master/exceptions")
    assert (response.status_code, code(response)) == (404, "no_such_account")
