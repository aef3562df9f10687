"""Tokens, rights, bodies and routes: what holds for every request (docs/kommo.md 1.4, 1.5, 3, 8)."""

import base64
import json

import pytest

from accounts.simulator.wsgi import call

PIPELINE = {"name": "Sales", "sort": 20, "is_main": False, "is_unsorted_on": True}


def test_a_token_looks_like_a_jwt_and_names_its_account(account, clock):
    head, claims, signature = account.token.split(".")
    assert _decoded(head)["alg"] == "RS256"
    assert _decoded(claims)["account_id"] == account.account_id
    assert _decoded(claims)["exp"] > clock.now
    assert {"api_domain", "scopes", "sub"} <= set(_decoded(claims))
    assert len(signature) > 300


def _decoded(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_no_token_a_wrong_one_and_one_of_another_account_are_refused(north, south):
    for token in ("", "nonsense", south.account.token):
        reply = north("GET", "account", token=token)
        assert (reply.status, reply.body["detail"]) == (401, "Invalid user name or password")


def test_a_token_expires_and_can_be_revoked(north, account, clock):
    token = account.issue_token(expires_in=60)
    assert north("GET", "account", token=token).status == 200
    clock.now += 61
    assert north("GET", "account", token=token).status == 401
    fresh = account.token
    account.revoke_token()
    assert north("GET", "account", token=fresh).status == 401
    assert account.token != fresh


def test_a_token_can_be_given_its_text(north, account):
    account.issue_token(value="token-of-north")
    assert north("GET", "account", token="token-of-north").status == 200


def test_an_unpaid_account_answers_402(north, account):
    account.paid = False
    assert north.get("account").status == 402


def test_who_is_no_administrator_may_read_but_not_write(north, account):
    account.admin = False
    assert north.get("leads/pipelines").status == 200
    for reply in (north.post("leads/pipelines", [PIPELINE]), north.get("webhooks"), north.get("users")):
        assert (reply.status, reply.body["detail"]) == (403, "Insufficient rights")
        assert reply.headers["Content-Type"] == "application/problem+json"


def test_an_administrator_sees_that_there_are_no_webhooks(north):
    assert north.get("webhooks").status == 204


def test_the_account_names_itself_and_its_user(north, account):
    body = north.get("account?with=task_types,users_groups").body
    assert (body["id"], body["subdomain"], body["language"]) == (account.account_id, "north", "en")
    assert set(body["_embedded"]) == {"task_types", "users_groups"}
    assert "_embedded" not in north.get("account").body
    assert north.get(f"users/{body['current_user_id']}").body["rights"]["is_admin"] is True
    assert north.get("users/1").status == 404


@pytest.mark.parametrize("raw", [b"", b"  ", b"[]", b"{}", b"null"])
def test_an_empty_body_is_refused(north, raw):
    reply = north.post("leads/pipelines", raw)
    assert (reply.status, reply.body["detail"]) == (400, "Request data can not be empty")


def test_a_body_that_is_no_json_is_refused(north):
    assert north.post("leads/pipelines", b"name=Sales").status == 400


def test_an_object_where_an_array_belongs_is_refused_and_the_reverse(north, account):
    assert north.post("leads/pipelines", PIPELINE).codes == [("InvalidType", "")]
    path = f"leads/pipelines/{account.pipeline('Pipeline').id}"
    assert north.patch(path, [{"sort": 4}]).codes == [("InvalidType", "")]
    assert north.post("leads/pipelines", ["Sales"]).codes == [("InvalidType", "")]


def test_more_than_two_hundred_and_fifty_items_are_refused(north):
    items = [{"name": "A", "type": "text"}] * 251
    reply = north.post("leads/custom_fields", items)
    assert (reply.status, reply.body["detail"]) == (422, "Limit 250 per page")
    assert north.post("leads/custom_fields", items[:250]).status == 201


@pytest.mark.parametrize("applied", [False, True])
def test_a_big_batch_may_time_out_before_or_after_it_was_applied(north, account, applied):
    account.variants.batch_504_above, account.variants.batch_504_applied = 2, applied
    reply = north.post("companies/custom_fields", [{"name": "A", "type": "text"}] * 3)
    assert (reply.status, reply.headers["Content-Type"]) == (504, "text/html")
    assert len(account.fields["companies"]) == 4 + 3 * applied


def test_unknown_paths_and_methods_are_told_apart(north):
    assert north.get("leads/nothing").status == 404
    assert north.delete("leads/pipelines").status == 405


def test_an_unknown_subdomain_answers_404_without_json(app):
    status, headers, body = call(app, "GET", "/nobody/api/v4/account")
    assert (status, headers["Content-Type"]) == (404, "text/html")
    assert body.startswith(b"<html>")


def test_the_account_is_named_by_host_too(app, account):
    url = "https://north.kommo.test/api/v4/leads/custom_fields?limit=1"
    status, _, body = call(app, "GET", url, token=account.token)
    assert status == 200
    href = json.loads(body)["_links"]["next"]["href"]
    assert href == "https://north.kommo.test/api/v4/leads/custom_fields?page=2&limit=1"


def test_every_answer_has_a_request_id_of_its_own(north):
    ids = {north.get("account").headers["X-Request-Id"] for _ in range(3)}
    assert len(ids) == 3
