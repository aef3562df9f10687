"""The OpenAPI document says what is so: every address, every key of every answer, every error."""

import copy
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import resolve
from jsonschema import Draft202012Validator, FormatChecker

from accounts.tests.factories import AccountFactory
from syncing.api.openapi import document, operations
from syncing.services.keys import make_webhook_token
from syncing.tests.api.conftest import NIGHT, WEEKEND
from syncing.tests.api.test_contract import GOOD, REFUSED, ask
from syncing.urls import urlpatterns

pytestmark = pytest.mark.django_db
MORE: list[tuple[str, str, str, Any, int]] = [
    ("GET", "/api/sync/runs?limit=1", "read", None, 200),
    ("GET", "/api/accounts?limit=2", "read", None, 200),
    ("GET", "/api/audit?limit=1", "read", None, 200),
    ("GET", "/api/drift?limit=1", "read", None, 200),
    ("GET", "/api/sync/channels", "read", None, 200),
    ("POST", "/api/sync/channels", "trigger", {"name": "Night", "email": "night@example.com"}, 201),
    ("POST", "/api/sync/channels/Ops/test", "trigger", None, 200),
    ("DELETE", "/api/sync/channels/Ops", "trigger", None, 200),
    ("POST", "/api/sync/schedules", "trigger", NIGHT, 201),
    ("POST", "/api/sync/windows", "trigger", WEEKEND, 201),
    ("POST", "/api/sync/pause", "trigger", {"reason": "x"}, 200),
    ("POST", "/api/sync/resume", "trigger", {}, 200),
]


def route_of(path: str) -> str:
    """The address as the document has it."""
    route = resolve(path.partition("?")[0]).route
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route)


def strict(schema: Any) -> Any:
    """The same schema, to which no key may be added: all that is told is described."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(value) for key, value in schema.items()}
    return {**closed, "additionalProperties": False} if "properties" in schema else closed


def is_described(method: str, path: str, answer: Any) -> None:
    """Fails unless the answer is as the document says, to the last key."""
    described = document()["paths"][route_of(path)][method.lower()]["responses"]
    content = described[str(answer.status_code)]["content"][answer["Content-Type"]]
    schema = {**content["schema"], "components": copy.deepcopy(document()["components"])}
    Draft202012Validator(strict(schema), format_checker=FormatChecker()).validate(answer.json())


def test_it_is_open_to_all_and_holds_no_secret(client: Client) -> None:
    answer = client.get("/api/openapi.json")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    assert answer.json() == document()
    assert client.get("/api/openapi.json", headers={"If-None-Match": answer["ETag"]}).status_code == 304
    assert client.post("/api/openapi.json").status_code == 405


def test_every_address_is_in_it_and_no_other() -> None:
    routes = [str(each.pattern) for each in urlpatterns if str(each.pattern).startswith("api/")]
    there = {"/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route) for route in routes}
    assert set(document()["paths"]) == there - {"/api/openapi.json", "/api/docs"}


def test_what_it_refers_to_is_there_and_every_schema_is_one() -> None:
    text = str(document())
    schemas = document()["components"]["schemas"]
    assert set(re.findall(r"#/components/schemas/(\w+)", text)) <= set(schemas)
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    ids = [operation["operationId"] for _, operation in operations(document())]
    assert len(ids) == len(set(ids))


def test_every_operation_tells_its_errors() -> None:
    for method, operation in operations(document()):
        codes = set(operation["responses"])
        if operation["operationId"] == "webhook":
            assert codes == {"202", "404", "503"}
            continue
        assert codes >= {"401", "403", "429", "503"}
        assert ("304" in codes) == (method == "get")
        assert (codes >= {"400", "413", "422"}) == (method != "get")


@pytest.mark.parametrize(("method", "path", "scope", "body", "status"), [row[:5] for row in GOOD] + MORE)
def test_every_key_of_an_answer_is_described(numbers, keys, method, path, scope, body, status) -> None:
    path = path.format(**numbers)
    answer = ask(method, path, body, keys[scope])
    assert answer.status_code == status
    is_described(method, path, answer)


@pytest.mark.parametrize(("method", "path", "scope", "body"), [row[:4] for row in REFUSED])
def test_every_refusal_is_a_problem_document(numbers, keys, method, path, scope, body) -> None:
    path = path.format(**numbers)
    answer = ask(method, path, body, keys[scope])
    document = answer.json()
    is_described(method, path, answer)
    assert answer["Content-Type"] == "application/problem+json"
    assert (document["type"], document["status"]) == ("about:blank", answer.status_code)
    assert document["error"] == {name: document[name] for name in ("code", "message", "remedy")}
    assert document["detail"] == document["message"]


@pytest.mark.parametrize(("path", "kind"), [("/api/drift", "application/problem+json"), ("/login/", "text/html")])
def test_a_host_that_is_not_ours_is_refused_in_the_shape_of_the_api(path, kind) -> None:
    answer = Client(raise_request_exception=False).get(path, headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert answer["Content-Type"].startswith(kind)
    if "json" in kind:
        assert answer.json()["code"] == "bad_request"
    assert b"evil" not in answer.content


def test_the_webhook_is_described(db) -> None:
    path = f"/api/sync/webhook/{make_webhook_token(AccountFactory.cast()['north'].group)}"
    is_described("POST", path, Client().post(path))
    is_described("POST", path, Client().post("/api/sync/webhook/guessed"))


def test_every_example_of_a_body_is_one() -> None:
    found = 0
    for _, operation in operations(document()):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            if example := content["schema"].get("example"):
                schema = {**content["schema"], "components": document()["components"]}
                Draft202012Validator(schema).validate(example)
                found += 1
    assert found == 13


# -- the page --


def test_the_page_names_every_operation_and_has_nothing_that_our_policy_forbids(client: Client) -> None:
    answer = client.get("/api/docs")
    html = answer.content.decode()
    assert answer.status_code == 200
    assert "default-src 'self'" in answer["Content-Security-Policy"]
    for each in ("<script", "style=", "http://cdn", "https://"):
        assert each not in html
    for path, item in document()["paths"].items():
        for method in item:
            assert f"{method.upper()} {path}" in html
    assert "sync_type" in html
    assert "full | pipelines | custom_fields" in html


@pytest.mark.parametrize("language", ["pt-br", "es"])
def test_the_page_can_be_read_in_every_language(client: Client, language: str) -> None:
    assert client.get("/api/docs", headers={"Accept-Language": language}).status_code == 200
