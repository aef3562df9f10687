"""What the log of this project shows, and what it keeps to itself."""

import io
import logging

import pytest
from django.test import Client

from syncing.api import webhooks

PATH = "/api/sync/webhook/token-of-north"


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the handler of the settings writes; it is the only one of ours."""
    (handler,) = (each for each in logging.getLogger().handlers if type(each) is logging.StreamHandler)
    written = io.StringIO()
    monkeypatch.setattr(handler, "stream", written)
    return written


def test_a_refused_invite_is_logged_without_its_address(log: io.StringIO, db: None) -> None:
    assert Client().get("/invite/12:signature-of-twelve").status_code == 404
    assert "/invite/***" in log.getvalue()
    assert "signature-of-twelve" not in log.getvalue()


@pytest.mark.parametrize("method", ["get", "head"])
def test_a_refused_call_of_the_webhook_is_logged_without_its_token(log: io.StringIO, method: str) -> None:
    assert getattr(Client(), method)(PATH).status_code == 405
    assert "/api/sync/webhook/***" in log.getvalue()
    assert "token-of-north" not in log.getvalue()


def test_a_failure_in_the_webhook_is_logged_without_its_token(
    log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(token: str) -> None:
        raise RuntimeError(f"no answer for {PATH}")

    monkeypatch.setattr(webhooks, "group_for_webhook", fail)
    assert Client(raise_request_exception=False).post(PATH).status_code == 500
    assert log.getvalue().count("/api/sync/webhook/***") == 2
    assert "Traceback" in log.getvalue()
    assert "token-of-north" not in log.getvalue()


@pytest.mark.parametrize("name", ["django", "django.server"])
def test_no_logger_goes_past_the_handler_that_hides(name: str) -> None:
    assert logging.getLogger(name).handlers == []
    assert logging.getLogger(name).propagate


def test_other_lines_stay_as_they_are(log: io.StringIO) -> None:
    logging.getLogger("kommosync").error("%s of %d", "/api/sync/runs/7", 3)
    assert "/api/sync/runs/7 of 3" in log.getvalue()
