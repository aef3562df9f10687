"""System checks of the queue's settings."""

from typing import Any

import pytest
from pytest_django import Settings

from syncing.checks import check_notify_schemes, check_queue, check_second_factor


def ids() -> set[str | None]:
    return {message.id for message in check_queue(None)}


def test_our_own_settings_pass() -> None:
    assert ids() == set()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"queue_limit": 6}, "syncing.E001"),
        ({"bulk": 5}, "syncing.E001"),
        ({"timeout": 60}, "syncing.E002"),
        ({"timeout": None}, "syncing.E002"),
        ({"retry": 120}, "syncing.E002"),
        ({"ack_failures": False}, "syncing.E003"),
        ({"max_attempts": 0}, "syncing.E003"),
    ],
)
def test_a_queue_that_would_lose_or_repeat_work_is_refused(
    settings: Settings, change: dict[str, Any], expected: str
) -> None:
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, **change}

    assert ids() == {expected}


def test_a_cache_of_one_process_is_warned_of(settings: Settings) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

    assert ids() == {"syncing.W001"}


def test_a_connection_pool_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "OPTIONS", {"pool": True})

    assert ids() == {"syncing.E004"}


def test_a_scheme_that_apprise_does_not_have_is_refused_by_name(settings: Settings) -> None:
    assert check_notify_schemes(None) == []  # all of the default
    settings.NOTIFY_SCHEMES = ["slack", "slak"]
    (found,) = check_notify_schemes(None)
    assert (found.id, found.msg) == ("syncing.E005", "NOTIFY_SCHEMES: Apprise has no scheme slak.")


@pytest.mark.parametrize(("required", "https", "warned"), [(True, False, 1), (True, True, 0), (False, False, 0)])
def test_codes_that_travel_in_clear_are_warned_of(settings: Settings, required: bool, https: bool, warned: int) -> None:
    settings.REQUIRE_2FA, settings.HTTPS_ONLY = required, https
    assert [message.id for message in check_second_factor(None)] == ["syncing.W002"] * warned
