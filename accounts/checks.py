"""System checks: settings with which secrets, or data, would be lost."""

from collections.abc import Mapping
from typing import Any

from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured

from accounts import conf
from accounts.fields import cipher

SQLITE = "django.db.backends.sqlite3"
SHORTEST_LOCK_WAIT = 20
KOMMO_RATE = 7  # kommo-api.md section 2


def check_encryption_keys(**kwargs: Any) -> list[CheckMessage]:
    try:
        cipher()
    except ImproperlyConfigured as error:
        hint = "Run `python manage.py setup`, or put a Fernet key into FIELD_ENCRYPTION_KEYS."
        return [Error(str(error), hint=hint, id="accounts.E001")]
    return []


def check_secret_key(**kwargs: Any) -> list[CheckMessage]:
    if conf.has_secret_key():
        return []
    hint = "Run `python manage.py setup`, or put a long random text into SECRET_KEY."
    return [Error("SECRET_KEY is empty.", hint=hint, id="accounts.E002")]


def check_sqlite(**kwargs: Any) -> list[CheckMessage]:
    return [
        Error(
            f"The SQLite database {alias!r} is set so that concurrent writers fail: {problem}.",
            hint='OPTIONS need transaction_mode "IMMEDIATE", a timeout of 20 s and "PRAGMA journal_mode=WAL".',
            id="accounts.E003",
        )
        for alias, database in conf.databases().items()
        if (problem := sqlite_problem(database))
    ]


def sqlite_problem(database: Mapping[str, Any]) -> str:
    """What is wrong with one entry of DATABASES; "" when it is not SQLite, or sound."""
    if database.get("ENGINE") != SQLITE:
        return ""
    options = database.get("OPTIONS", {})
    if str(options.get("transaction_mode", "")).upper() != "IMMEDIATE":
        return "transactions do not begin IMMEDIATE"
    if "journal_mode=wal" not in str(options.get("init_command", "")).lower().replace(" ", ""):
        return "the journal mode is not WAL"
    if options.get("timeout", 5) < SHORTEST_LOCK_WAIT:
        return f"the timeout is below {SHORTEST_LOCK_WAIT} s"
    return ""


def check_url_template(**kwargs: Any) -> list[CheckMessage]:
    if conf.is_encrypted() or conf.is_loopback():
        return []
    message = "KOMMO_URL_TEMPLATE is http:// to another machine: tokens travel in the clear."
    return [Warning(message, hint="Use https://.", id="accounts.W001")]


def check_rate(**kwargs: Any) -> list[CheckMessage]:
    rate = conf.rate_per_account()
    if rate <= KOMMO_RATE or conf.is_loopback():
        return []
    message = f"KOMMO_RATE_PER_ACCOUNT is {rate:g}; Kommo allows {KOMMO_RATE} requests per second, then blocks the IP."
    return [Warning(message, hint="Use 6, except against a simulator.", id="accounts.W002")]


CHECKS = (check_encryption_keys, check_secret_key, check_sqlite, check_url_template, check_rate)
