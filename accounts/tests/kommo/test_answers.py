"""What an answer of Kommo means."""

import json
import pickle
import time
from email.utils import formatdate
from typing import Any

import pytest

from accounts.kommo.answers import Answer, read
from accounts.kommo.error_answers import error_of
from accounts.kommo.errors import (
    BadAnswer,
    FieldError,
    Forbidden,
    IpBlocked,
    ItemError,
    KommoError,
    NotFound,
    RateLimited,
    ServerError,
    Unauthorised,
    Unpaid,
    Validation,
)
from accounts.kommo.stopping import Stopped
from accounts.tests.kommo.world import TOKEN, jwt

NOW = 1_800_000_000.0
HTML = b"<html><head><title>403 Forbidden</title></head><body><center>nginx</center></body></html>"


def answer(status: int, body: Any = b"", method: str = "GET", path: str = "/leads/pipelines", **headers: str) -> Answer:
    raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer("north", method, path, status, named, raw)


def problem(status: int, detail: str, **more: Any) -> dict[str, Any]:
    return {"title": "Problem", "type": f"https://httpstatus.es/{status}", "status": status, "detail": detail, **more}


def error(
    status: int,
    body: Any = b"",
    method: str = "GET",
    token: str = TOKEN,
    path: str = "/leads/pipelines",
    **headers: str,
) -> KommoError:
    return error_of(answer(status, body, method, path, **headers), token, now=lambda: NOW)


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "kind", "code"),
        [
            (401, Unauthorised, "unauthorised"),
            (402, Unpaid, "unpaid"),
            (403, Forbidden, "forbidden"),
            (404, NotFound, "not_found"),
            (400, Validation, "validation"),
            (405, Validation, "validation"),
            (422, Validation, "validation"),
            (429, RateLimited, "rate_limited"),
            (500, ServerError, "server_error"),
            (504, ServerError, "server_error"),
        ],
    )
    def test_every_status_has_its_error_with_its_facts(self, status: int, kind: type[KommoError], code: str) -> None:
        caught = error(status, problem(status, "Some sentence"), X_Request_Id="r-1")
        assert type(caught) is kind
        assert (caught.code, caught.status, caught.request_id) == (code, status, "r-1")
        assert str(caught) == f"north: GET /leads/pipelines: {status} Some sentence"
        assert caught.remedy.endswith(".")

    def test_an_expired_token_is_told_by_its_own_date(self) -> None:
        body = problem(401, "Invalid user name or password")
        assert error(401, body, token=jwt(exp=NOW - 1)).code == "token_expired"
        assert error(401, body, token=jwt(exp=NOW + 1)).code == "unauthorised"

    def test_a_revoked_token_is_told_by_kommo(self) -> None:
        caught = error(401, {"title": "x", "hint": "Token has been revoked"}, token=jwt(exp=NOW - 1))
        assert caught.code == "token_revoked"
        assert "revoked" in caught.remedy

    @pytest.mark.parametrize("body", [HTML, b"403 Forbidden", b"", None, b"[]"])
    def test_a_403_that_is_not_the_api_speaking_is_a_blocked_ip(self, body: bytes | None) -> None:
        assert isinstance(error(403, body), IpBlocked)

    @pytest.mark.parametrize("body", [HTML, b"\n <!DOCTYPE html><title>Attention Required!</title>", b""])
    @pytest.mark.parametrize("name", ["application/json", "application/problem+json"])
    def test_a_403_without_json_is_plain_whatever_it_calls_itself(self, body: bytes, name: str) -> None:
        assert isinstance(error(403, body, Content_Type=name), IpBlocked)

    def test_a_403_of_the_api_that_broke_off_is_no_block(self) -> None:
        assert isinstance(error(403, None, Content_Type="application/problem+json"), Forbidden)

    def test_a_404_that_is_not_the_api_speaking_means_that_there_is_no_such_account(self) -> None:
        plain, api = error(404, HTML), error(404, problem(404, "Not found"), path="/leads/pipelines/7")
        assert isinstance(plain, NotFound)
        assert isinstance(api, NotFound)
        assert (plain.no_account, api.no_account) == (True, False)
        assert "subdomain" in plain.remedy

    @pytest.mark.parametrize("status", [404, 410])
    @pytest.mark.parametrize("path", ["/account", "/leads/pipelines", "/contacts/custom_fields/groups"])
    def test_an_address_without_what_every_account_has_has_no_account(self, status: int, path: str) -> None:
        read, written = (error(status, problem(status, "Not found"), path=path, method=m) for m in ("GET", "POST"))
        assert isinstance(read, NotFound)
        assert isinstance(written, NotFound)
        assert (read.no_account, written.no_account) == (True, False)

    def test_every_entry_of_a_validation_error_is_named(self) -> None:
        body = problem(400, "Request validation failed")
        body["validation-errors"] = [
            {
                "request_id": "0",
                "errors": [
                    {"code": "FieldMissing", "path": "sort", "detail": "This field is missing."},
                    {"code": "NotSupportedChoice", "path": "color", "detail": "Not a valid choice."},
                ],
            },
            {"request_id": 3, "errors": [{"code": "TooLong", "path": "name", "detail": ""}]},
        ]
        caught = error(400, body, method="POST")
        assert isinstance(caught, Validation)
        assert caught.items == (
            ItemError(
                "0",
                (
                    FieldError("FieldMissing", "sort", "This field is missing."),
                    FieldError("NotSupportedChoice", "color", "Not a valid choice."),
                ),
            ),
            ItemError("3", (FieldError("TooLong", "name", ""),)),
        )
        assert caught.detail == (
            "Request validation failed. item 0: sort: This field is missing. (FieldMissing); "
            "color: Not a valid choice. (NotSupportedChoice). item 3: name: TooLong (TooLong)"
        )

    @pytest.mark.parametrize("entries", [None, "x", [None, 1], [{"errors": None}], [{"errors": ["x", {}]}]])
    def test_a_validation_error_of_an_odd_shape_is_still_one(self, entries: Any) -> None:
        assert isinstance(error(400, {"detail": "Bad", "validation-errors": entries}), Validation)

    def test_a_long_validation_error_names_the_first_items_and_counts_the_rest(self) -> None:
        entries = [{"request_id": str(number), "errors": []} for number in range(50)]
        caught = error(400, {"detail": "Bad", "validation-errors": entries})
        assert isinstance(caught, Validation)
        assert len(caught.items) == 50
        assert caught.detail.endswith("and 40 more items")

    def test_a_server_error_is_unknown_in_its_outcome_for_writes_only(self) -> None:
        assert error(504, b"", "POST").outcome_unknown
        assert error(504, b"", "PATCH").outcome_unknown
        assert not error(504, b"", "GET").outcome_unknown

    def test_a_trace_id_stands_in_for_a_missing_request_id(self) -> None:
        assert error(500, {"title": "ErrInternalServer", "trace_id": "t-9"}).request_id == "t-9"

    def test_a_redirect_is_never_followed(self) -> None:
        caught = error(302, b"", "POST", Location="https://elsewhere.example/")
        assert isinstance(caught, BadAnswer)
        assert caught.outcome_unknown
        assert not caught.retryable

    def test_a_token_that_kommo_echoes_stays_out_of_the_text(self) -> None:
        echoed = [{"request_id": "0", "errors": [{"code": "x", "path": "y", "detail": TOKEN}]}]
        for body in (problem(401, f"bad {TOKEN}"), {"detail": "x", "validation-errors": echoed}):
            caught = error(400, body)
            assert TOKEN not in repr(vars(caught)) + str(caught)

    def test_errors_survive_a_pickle(self) -> None:
        for caught in (error(400, problem(400, "Bad")), error(429), Stopped("ip_blocked", account="north")):
            copy = pickle.loads(pickle.dumps(caught))
            assert (type(copy), vars(copy), str(copy)) == (type(caught), vars(caught), str(caught))


class TestRateLimit:
    def pause(self, body: Any = b"", **headers: str) -> float | None:
        caught = error(429, body, **headers)
        assert isinstance(caught, RateLimited)
        assert caught.until == (None if caught.retry_after is None else NOW + caught.retry_after)
        return caught.retry_after

    def test_the_header_counts_more_than_the_body(self) -> None:
        assert self.pause({"retry_after": 300}, Retry_After="2") == 2
        assert self.pause({"retry_after": 300}) == 300
        assert self.pause({"retry_after": "1.5"}, Retry_After="soon") == 1.5

    def test_the_header_may_be_a_date(self) -> None:
        assert self.pause(Retry_After=formatdate(NOW + 90, usegmt=True)) == 90
        assert self.pause(Retry_After=formatdate(NOW - 90, usegmt=True)) == 0

    @pytest.mark.parametrize("value", [None, True, "inf", "nan", [], {}, "later"])
    def test_a_pause_that_makes_no_sense_is_none(self, value: Any) -> None:
        assert self.pause({"retry_after": value}) is None

    @pytest.mark.parametrize("body", [b"Too Many Requests", HTML, b"", None])
    def test_a_429_need_not_be_json(self, body: bytes | None) -> None:
        assert self.pause(body) is None

    def test_the_text_says_until_when(self) -> None:
        until = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(NOW + 300))
        assert f"asks to wait 300 s, until {until}" in str(error(429, problem(429, "Slow", retry_after=300)))


class TestSuccess:
    def test_an_object_is_read(self) -> None:
        assert read(answer(200, {"id": 1})) == {"id": 1}
        assert read(answer(201, {"id": 1}, "POST")) == {"id": 1}

    def test_a_204_is_nothing_for_a_read_and_done_for_a_delete(self) -> None:
        assert read(answer(204)) is None
        assert read(answer(204, b"", "DELETE")) is None
        assert read(answer(200, {}, "DELETE")) is None

    @pytest.mark.parametrize("body", [b"", b"  ", None, b'{"_embedded": {"pipel', b"<html>", b"[1]", b"null", b"7"])
    @pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
    def test_what_is_not_a_whole_object_is_a_bad_answer(self, body: bytes | None, method: str) -> None:
        with pytest.raises(BadAnswer) as caught:
            read(answer(200, body, method))
        assert caught.value.outcome_unknown == (method != "GET")

    @pytest.mark.parametrize(("status", "method"), [(204, "POST"), (204, "PATCH"), (206, "GET"), (202, "POST")])
    def test_a_success_that_says_nothing_of_what_it_did_is_a_bad_answer(self, status: int, method: str) -> None:
        with pytest.raises(BadAnswer):
            read(answer(status, {"id": 1}, method))

    def test_json_too_deep_to_read_is_a_bad_answer(self) -> None:
        with pytest.raises(BadAnswer):
            read(answer(200, b'{"a":' * 200_000))
