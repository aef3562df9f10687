"""Settings that would lose data or secrets are refused with an id and a hint."""

import io

import pytest
from cryptography.fernet import Fernet
from django.conf import settings as real_settings
from django.core.management import call_command

from accounts import checks
from accounts.models import Account
from accounts.tests.factories import AccountFactory

SOUND = {
    "ENGINE": checks.SQLITE,
    "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": "PRAGMA journal_mode=WAL;"},
}


@pytest.mark.parametrize(
    ("check", "name", "value", "id"),
    [
        (checks.check_encryption_keys, "FIELD_ENCRYPTION_KEYS", [], "accounts.E001"),
        (checks.check_encryption_keys, "FIELD_ENCRYPTION_KEYS", ["not-a-key"], "accounts.E001"),
        (checks.check_secret_key, "SECRET_KEY", "", "accounts.E002"),
        (checks.check_url_template, "KOMMO_URL_TEMPLATE", "http://{subdomain}.kommo.com", "accounts.W001"),
        (checks.check_rate, "KOMMO_RATE_PER_ACCOUNT", 8, "accounts.W002"),
    ],
)
def test_a_wrong_setting_is_named_with_an_id_and_a_hint(settings, check, name, value, id) -> None:
    assert check() == [] or name == "KOMMO_RATE_PER_ACCOUNT"
    setattr(settings, name, value)
    (message,) = check()
    assert message.id == id
    assert name in message.msg
    assert message.hint


@pytest.mark.parametrize(
    ("template", "oauth", "id"),
    [
        ("https://{subdomain}.kommo.com", "https://www.kommo.com/oauth", None),
        ("http://127.0.0.1:8100/{subdomain}", "http://127.0.0.1:8100/oauth", None),
        ("https://{subdomain}.kommo.com", "http://www.kommo.com/oauth", "accounts.W003"),
        ("http://127.0.0.1:8100/{subdomain}", "https://www.kommo.com/oauth", "accounts.W004"),
        ("https://{subdomain}.kommo.com", "http://127.0.0.1:8100/oauth", "accounts.W004"),
    ],
)
def test_the_consent_page_belongs_to_the_accounts_and_is_encrypted(settings, template, oauth, id) -> None:
    settings.KOMMO_URL_TEMPLATE, settings.KOMMO_OAUTH_URL = template, oauth
    assert [message.id for message in checks.check_oauth_url()] == ([id] if id else [])


@pytest.mark.parametrize("host", ["127.0.0.1:8100", "localhost", "[::1]:8100"])
def test_a_simulator_on_this_machine_may_be_http_and_quick(settings, host) -> None:
    settings.KOMMO_URL_TEMPLATE = f"http://{host}/{{subdomain}}"
    settings.KOMMO_RATE_PER_ACCOUNT = 1000
    assert checks.check_url_template() == []
    assert checks.check_rate() == []


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        ("transaction_mode", "DEFERRED", "IMMEDIATE"),
        ("timeout", 5, "timeout"),
        ("init_command", "PRAGMA synchronous=NORMAL;", "WAL"),
    ],
)
def test_sqlite_with_settings_that_fail_under_load_is_refused(option, value, problem) -> None:
    assert checks.sqlite_problem(SOUND) == ""
    assert problem in checks.sqlite_problem({**SOUND, "OPTIONS": {**SOUND["OPTIONS"], option: value}})


def test_the_databases_of_this_project_pass() -> None:
    assert real_settings.DATABASES
    assert checks.check_sqlite() == []


def test_a_key_that_opens_nothing_is_an_error_that_names_the_variable_and_the_way_out(settings, db) -> None:
    assert checks.check_stored_secrets() == []
    AccountFactory()
    assert checks.check_stored_secrets() == []
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    (message,) = checks.check_stored_secrets()
    assert message.id == "accounts.E004"
    assert "FIELD_ENCRYPTION_KEYS" in message.msg
    assert "--clear" in message.hint


def test_one_secret_that_can_be_read_is_no_wrong_key(settings, db) -> None:
    lost = AccountFactory()
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    AccountFactory()
    assert checks.check_stored_secrets() == []
    call_command("rotate_keys", "--clear", "--no-input", stdout=io.StringIO())
    assert Account.objects.get(pk=lost.pk).token == ""
    assert Account.objects.exclude(pk=lost.pk).get().token
