"""The steps of `setup`: each does its part or sees that it is done, and says which."""

import io
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import available_timezones

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from accounts.refusals import Refusal
from syncing.services.roles import make_roles
from syncing.services.second_factor import end_lock_out

ADMIN = "admin"
PASSWORD_LINE = f"Password of {ADMIN}, shown only this once: "
GIVEN_PASSWORD = "DJANGO_SUPERUSER_PASSWORD"  # noqa: S105  (the name of a variable)


@dataclass(frozen=True)
class SetupStep:
    name: str
    done: bool  # False: it was already there
    detail: str = ""

    def __str__(self) -> str:
        return f"  {self.name:<12} {'done' if self.done else 'already there'}{': ' if self.detail else ''}{self.detail}"


def machine_zone(name: Path = Path("/etc/timezone"), link: Path = Path("/etc/localtime")) -> str:
    """Returns the time zone of this machine, from the file that names it or the link to its rules; "" if not known."""
    named = name.read_text(encoding="utf-8", errors="replace").strip() if name.is_file() else ""
    linked = os.path.realpath(link).rpartition("zoneinfo/")[2]
    return next((zone for zone in (named, linked) if zone in available_timezones()), "")


def unapplied_migrations() -> int:
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def make_database_private() -> None:
    """Lets only the owner read an SQLite file, wherever it lies; its companions get the same mode from SQLite."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite" and not connection.is_in_memory_db():  # type: ignore[attr-defined]
        with suppress(OSError):  # it cannot be made: the migration says why. It is another's: doctor says so
            os.close(os.open(name, os.O_CREAT | os.O_RDWR, 0o600))
            os.chmod(name, 0o600)


def migrate() -> SetupStep:
    make_database_private()
    waiting = unapplied_migrations()
    if waiting:
        call_command("migrate", interactive=False, verbosity=0)
    return SetupStep("database", bool(waiting), f"{waiting} migrations" if waiting else "")


def collect_static() -> SetupStep:
    before = settings.STATIC_ROOT.is_dir()
    output = io.StringIO()
    call_command("collectstatic", interactive=False, verbosity=1, stdout=output)
    copied = not output.getvalue().strip().startswith("0 ")
    return SetupStep("static files", copied or not before)


def superuser(*, new_password: bool) -> tuple[SetupStep, str | None]:
    """Sees to the superuser `admin`; returns its password too if it is new. One that exists keeps its own."""
    users = User.objects
    user = users.filter(username=ADMIN).first()
    if user is None and not new_password and users.filter(is_superuser=True).exists():
        return SetupStep("superuser", False), None
    if user is not None and not new_password:
        return SetupStep("superuser", False, ADMIN), None
    given = os.environ.get(GIVEN_PASSWORD)
    if given:
        try:
            validate_password(given, user or User(username=ADMIN))
        except ValidationError as error:
            raise Refusal("password_refused", f"{GIVEN_PASSWORD} is refused: {' '.join(error.messages)}") from error
    password = given or secrets.token_urlsafe(15)
    if user is None:
        users.create_superuser(ADMIN, "", password)
    else:
        user.set_password(password)
        user.save(update_fields=["password"])
    end_lock_out(ADMIN)  # who asks for a new password may have tried the old one too often
    if given:  # who gave it knows it; it is printed nowhere
        return SetupStep("superuser", True, f"{ADMIN}, with the password of {GIVEN_PASSWORD}"), None
    return SetupStep("superuser", True, ADMIN), password


def roles() -> SetupStep:
    changes = make_roles()
    return SetupStep("roles", bool(changes), ", ".join(map(str, changes)))


def steps(*, new_password: bool) -> Iterator[SetupStep | str]:
    """Does what is missing; yields each step, and last the line with the password if it is new."""
    yield migrate()
    yield collect_static()
    yield roles()
    step, password = superuser(new_password=new_password)
    yield step
    if password:
        yield PASSWORD_LINE + password
