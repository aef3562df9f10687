"""System checks: find settings with which secrets, or data, would be lost."""

from collections.abc import Mapping
from typing import Any

from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.db.models import Q

from accounts import conf
from accounts.fields import cipher, encrypted_columns, is_readable

SQLITE = "django.db.backends.sqlite3"
SHORTEST_LOCK_WAIT = 20
SAMPLE = 5  # secrets per table that are tried; `doctor` tries all
KOMMO_RATE = 7  # docs/kommo.md 2

# The tag of what can be wrong with an installation. Commands ask for these: Django's own checks are of the code,
# load every page for it, and are run by `make check` and `doctor`.
INSTALLATION = "installation"


def check_encryption_keys(**kwargs: Any) -> list[CheckMessage]:
    try:
        cipher()
    except ImproperlyConfigured as error:
        hint = "Run `python manage.py setup`, or put a Fernet key into FIELD_ENCRYPTION_KEYS."
        return [Error(str(error), hint=hint, id="accounts.E001")]
    return []


def check_stored_secrets(**kwargs: Any) -> list[CheckMessage]:
    """Finds keys that open nothing of what is stored; without a database there is nothing to say."""
    opens: set[bool] = set()
    try:
        for model, names in () if conf.has_no_database_yet() else encrypted_columns():
            stored = model._base_manager.exclude(Q(**dict.fromkeys(names, ""))).order_by("-pk")
            if sample := list(stored.values_list(*names)[:SAMPLE]):
                opens.add(any(is_readable(secrets) for secrets in sample))
    except (DatabaseError, ImproperlyConfigured):
        return []
    if opens != {False}:
        return []
    message = "No key of FIELD_ENCRYPTION_KEYS can decrypt the stored secrets: the key that encrypted them is missing."
    hint = (
        "Put the old key back, behind the new one if there is one. If it is lost for good, "
        "`python manage.py rotate_keys --clear` empties what cannot be read; then connect the accounts again."
    )
    return [Error(message, hint=hint, id="accounts.E004")]


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
    """Returns the fault of one entry of DATABASES; "" when it is not SQLite, or sound."""
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


def check_oauth_url(**kwargs: Any) -> list[CheckMessage]:
    """Checks the address that people are sent to, and tokens, when an account is looked for under a new subdomain."""
    if conf.is_loopback() != conf.oauth_is_loopback():
        message = "Only one of KOMMO_URL_TEMPLATE and KOMMO_OAUTH_URL is a simulator on this machine."
        hint = "Let both lead to the simulator, or both to Kommo: its tokens are worth nothing at the other."
        return [Warning(message, hint=hint, id="accounts.W004")]
    if conf.oauth_url().startswith("https://") or conf.oauth_is_loopback():
        return []
    message = "KOMMO_OAUTH_URL is http:// to another machine: tokens travel in the clear."
    return [Warning(message, hint="Use https://.", id="accounts.W003")]


def check_rate(**kwargs: Any) -> list[CheckMessage]:
    rate = conf.rate_per_account()
    if rate <= KOMMO_RATE or conf.is_loopback():
        return []
    message = f"KOMMO_RATE_PER_ACCOUNT is {rate:g}; Kommo allows {KOMMO_RATE} requests per second, then blocks the IP."
    return [Warning(message, hint="Use 6, except against a simulator.", id="accounts.W002")]


CHECKS = (
    check_encryption_keys,
    check_stored_secrets,
    check_secret_key,
    check_sqlite,
    check_url_template,
    check_oauth_url,
    check_rate,
)
