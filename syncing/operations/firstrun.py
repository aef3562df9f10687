"""The steps of `setup`: each does its part or finds it done, and says which."""

import io
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from axes.utils import reset
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

ADMIN = "admin"
PASSWORD_LINE = f"Password of {ADMIN}, shown only this once: "


@dataclass(frozen=True)
class Step:
    name: str
    done: bool  # False: it was already there
    detail: str = ""

    def __str__(self) -> str:
        return f"  {self.name:<12} {'done' if self.done else 'already there'}{': ' if self.detail else ''}{self.detail}"


def unapplied_migrations() -> int:
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def migrate() -> Step:
    waiting = unapplied_migrations()
    if waiting:
        call_command("migrate", interactive=False, verbosity=0)
    return Step("database", bool(waiting), f"{waiting} migrations" if waiting else "")


def collect_static() -> Step:
    before = settings.STATIC_ROOT.is_dir()
    said = io.StringIO()
    call_command("collectstatic", interactive=False, verbosity=1, stdout=said)
    copied = not said.getvalue().strip().startswith("0 ")
    return Step("static files", copied or not before)


def superuser(*, new_password: bool) -> tuple[Step, str | None]:
    """The superuser `admin`, and the password if one was made just now; one that exists keeps its own."""
    users = get_user_model()._default_manager
    user = users.filter(username=ADMIN).first()
    if user is None and not new_password and users.filter(is_superuser=True).exists():
        return Step("superuser", False), None
    if user is not None and not new_password:
        return Step("superuser", False, ADMIN), None
    password = os.environ.get("DJANGO_SUPERUSER_PASSWORD") or secrets.token_urlsafe(15)
    _set_password(user, password)
    reset(username=ADMIN)  # who asks for a new password may have tried the old one too often
    return Step("superuser", True, ADMIN), password


def _set_password(user: AbstractUser | None, password: str) -> None:
    if user is None:
        get_user_model()._default_manager.create_superuser(ADMIN, "", password)
    else:
        user.set_password(password)
        user.save(update_fields=["password"])


def steps(*, new_password: bool) -> Iterator[Step | str]:
    """Do what is missing; yields each step, and last the line with the password if one was made."""
    yield migrate()
    yield collect_static()
    step, password = superuser(new_password=new_password)
    yield step
    if password:
        yield PASSWORD_LINE + password
