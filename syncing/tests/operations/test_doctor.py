"""`manage.py doctor`: every fault that an operator can mend is named with its remedy."""

import io
import re
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import OperationalError, connection
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Account, Integration, TokenPair
from accounts.simulator.server import RunningServer
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import Process, ProcessKind
from syncing.operations import doctor
from syncing.operations.doctor import FAIL, OK, WARN, Finding
from syncing.tasks import ensure_schedules
from syncing.tests.notifications.channels import new_channel
from syncing.tests.second_factor import Phone, person

pytestmark = pytest.mark.django_db


def of(subject: str, *, online: bool = False) -> list[Finding]:
    return [finding for finding in doctor.examine(online=online) if finding.subject == subject]


def test_it_ends_well_when_nothing_has_failed(settings: Settings, tmp_path: Path) -> None:
    settings.ENV_FILE = tmp_path / "none"
    said = io.StringIO()
    call_command("doctor", stdout=said)
    assert "Nothing has to be mended." in said.getvalue()


def test_a_failure_ends_it_with_1_and_says_what_to_do(settings: Settings, tmp_path: Path) -> None:
    settings.ENV_FILE = tmp_path / ".env"
    settings.ENV_FILE.write_text("SECRET_KEY=x\n")
    settings.ENV_FILE.chmod(0o644)
    said = io.StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("doctor", stdout=said)
    assert end.value.code == 1
    assert re.search(r"FAIL  settings     others can read .*\n\s+-> chmod 600", said.getvalue())


def test_a_misspelt_variable_is_named(settings: Settings, tmp_path: Path) -> None:
    settings.ENV_FILE = tmp_path / ".env"
    settings.ENV_FILE.write_text("KOMMO_RATE=7\n")
    settings.ENV_FILE.chmod(0o600)
    assert [f.message for f in of("settings") if f.level == WARN] == [".env holds names that mean nothing: KOMMO_RATE"]


def test_a_lost_key_is_found_by_the_secret_that_it_no_longer_opens(settings: Settings) -> None:
    account = AccountFactory(token="token-of-north")
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    [finding] = of("keys")
    assert (finding.level, finding.message) == (FAIL, f"no key opens the secrets of accounts.Account {account.pk}")


def test_a_missing_worker_is_a_warning_and_a_living_one_is_not() -> None:
    assert of("worker")[0].level == WARN
    now = timezone.now()
    Process.objects.create(name="w", kind=ProcessKind.WORKER, worker="w", started_at=now, heartbeat_at=now)
    assert of("worker")[0] == Finding(OK, "worker", "1 alive")
    Process.objects.update(heartbeat_at=now - timedelta(hours=1))
    assert of("worker")[0].level == WARN


def test_a_group_without_a_master_and_accounts_without_a_token_are_named() -> None:
    group = GroupFactory(name="Stores")
    AccountFactory(group=group, subdomain="north", token="", health=Account.Health.UNPAID)
    assert [(f.level, f.message) for f in of("groups")] == [(FAIL, "Stores has no master")]
    assert [(f.level, f.message) for f in of("accounts")] == [
        (WARN, "1 without a token: north"),
        (WARN, "1 Unpaid"),
    ]


def test_pairs_count_as_tokens_and_what_is_lost_or_ends_soon_is_named() -> None:
    integration = Integration.objects.create(name="KommoSync", client_id="id", redirect_uri="https://sync.example/cb")
    for name, refresh_token in (("north", "a-refresh-token"), ("south", "")):
        account = AccountFactory(subdomain=name, token="", credential_kind="oauth", health=Account.Health.CONNECTED)
        TokenPair.objects.create(
            account=account, integration=integration, refresh_token=refresh_token, obtained_at=timezone.now()
        )
    AccountFactory(subdomain="west", health=Account.Health.TOKEN_REVOKED)
    AccountFactory(subdomain="east", token_expires_at=timezone.now() + timedelta(days=12))
    assert [f.message for f in of("accounts") if f.level == WARN] == [
        "1 without a token: south",
        "1 need connecting: west",
        "1 expire within 30 days: east",
        "1 Token revoked",
    ]


def test_who_has_no_second_factor_is_named_where_everybody_needs_one(settings: Settings) -> None:
    phone = Phone.of(person("anna"))
    person("ben")
    assert of("people") == []
    settings.REQUIRE_2FA = True
    (found,) = of("people")
    assert (found.level, found.message) == (WARN, "REQUIRE_2FA is on; 1 without a second factor: ben")
    User.objects.exclude(pk=phone.user.pk).delete()
    assert [finding.level for finding in of("people")] == [OK]


def test_a_missing_schedule_is_named() -> None:
    assert of("worker")[1].message == "no schedule for accounts.tasks.upkeep and syncing.tasks.reap"
    ensure_schedules()
    assert len(of("worker")) == 1


def test_a_redis_that_is_down_is_said_without_its_password(settings: Settings) -> None:
    settings.REDIS_URL = "redis://:token-of-north@127.0.0.1:1/0"
    [finding] = of("redis")
    assert finding.level == FAIL
    assert "token-of-north" not in str(finding)


def test_the_clock_is_compared_only_when_asked_for(simulator: RunningServer) -> None:
    simulator.world.add_account("north")
    AccountFactory(subdomain="north")
    assert of("clock") == []
    assert len(simulator.world.log) == 0
    [finding] = of("clock", online=True)
    assert finding.level == OK
    assert finding.message in ("0 s apart from north", "1 s apart from north")  # HTTP dates have whole seconds


def test_mails_that_nobody_gets_are_named(settings: Settings) -> None:
    assert [finding.level for finding in of("mail")] == [WARN]
    User.objects.create_superuser("admin", "admin@sync.example", "-")
    assert [finding.level for finding in of("mail")] == [OK]
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    (finding,) = of("mail")
    assert finding.level == WARN
    assert "EMAIL_URL" in str(finding)


def test_a_database_that_takes_no_writes_is_named_and_nothing_else_is_blamed() -> None:
    def refuse(execute: Callable[..., object], sql: str, *args: object) -> object:
        if sql.startswith(("UPDATE", "INSERT")):
            raise OperationalError("database is locked") from sqlite3.OperationalError("database is locked")
        return execute(sql, *args)

    with connection.execute_wrapper(refuse):
        found = list(doctor.examine(online=False))

    [database] = [finding for finding in found if finding.subject == "database"]
    assert (database.level, database.message) == (FAIL, "cannot be used: database is locked")
    assert "end the process that holds it" in database.remedy
    assert not [finding for finding in found if finding.subject in ("worker", "accounts")]


def test_a_channel_that_fails_is_named_with_its_reason() -> None:
    assert of("channels") == []
    new_channel(name="Boss")
    new_channel(name="Ops & co", failure="The service is in trouble (HTTP status 500).")
    new_channel(name="Old", failure="x", enabled=False)
    failing, working = of("channels")
    assert (failing.level, failing.message) == (WARN, "Ops & co fails: The service is in trouble (HTTP status 500).")
    assert failing.remedy == "When it is mended: python manage.py channel test 'Ops & co'"
    assert (working.level, working.message) == (OK, "1 without a failure")
