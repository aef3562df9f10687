"""The checks of `doctor`: each yields what it finds, and what to do about it."""

import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.contrib.staticfiles.finders import find
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection
from django_q.models import Schedule
from redis import Redis, RedisError

from accounts import conf as accounts_conf
from accounts.database import trouble_of
from accounts.models import Account
from accounts.services.keys import unreadable_secrets
from accounts.services.readiness import check_writable
from syncing import conf
from syncing.leases import clocks, processes
from syncing.operations import envfile, setup_steps
from syncing.operations.doctor_accounts import accounts, channels, groups, mail
from syncing.operations.findings import FAIL, OK, WARN, Finding, Findings
from syncing.selectors.automation import automation_state, failing, overdue
from syncing.selectors.second_factor import people_without
from syncing.tasks import REAPER, UPKEEP

MIN_FREE = 500 * 1024**2  # bytes
MAX_SKEW = 60  # seconds


def python() -> Findings:
    version = ".".join(map(str, sys.version_info[:3]))
    lines = (envfile.ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = [line.strip() for line in lines if "==" in line and not line.startswith("#")]
    wrong = [line for line in pinned if not _is_installed(line)]
    if wrong:
        remedy = "pip install -r requirements.txt (or: make venv)"
        yield Finding(WARN, "python", f"{version}; other versions than tested: {', '.join(wrong)}", remedy)
    else:
        yield Finding(OK, "python", f"{version}, packages as pinned")


def _is_installed(line: str) -> bool:
    name, version = line.split("==")
    try:
        return metadata.version(name.split("[")[0]) == version
    except metadata.PackageNotFoundError:
        return False


def environment() -> Findings:
    path: Path = settings.ENV_FILE
    if not path.is_file():
        yield Finding(OK, "settings", f"no file {path}: everything comes from the environment")
        return
    if path.stat().st_mode & 0o077:
        yield Finding(FAIL, "settings", f"others can read {path}", f"chmod 600 {path}")
    unknown = sorted(set(envfile.read(path)) - set(envfile.variables()))
    if unknown:
        yield Finding(
            WARN,
            "settings",
            f"{path.name} holds names that mean nothing: {', '.join(unknown)}",
            "Compare .env.example.",
        )
    if settings.DEBUG:
        yield Finding(WARN, "settings", "DEBUG is on: error pages show details", "Set DEBUG=off.")
    yield Finding(OK, "settings", str(path))


def proxy() -> Findings:
    if settings.HTTPS_ONLY and not settings.PROXIES:
        yield Finding(
            WARN,
            "proxy",
            "all visitors have the proxy's address: whoever fails to log in too often locks out the others as well",
            "Let the proxy add to X-Forwarded-For, and set PROXIES=1.",
        )


def system_checks() -> Findings:
    for message in checks.run_checks():
        level = FAIL if message.level >= checks.ERROR else WARN
        yield Finding(level, "checks", f"{message.id}: {message.msg}", message.hint or "")


def database() -> Findings:
    name = f"{connection.vendor} {connection.settings_dict['NAME']}"
    waiting = setup_steps.unapplied_migrations()
    if waiting:
        yield Finding(FAIL, "database", f"{waiting} migrations are missing", "python manage.py setup")
    else:
        check_writable()  # who can only read it would find everything else still and old
        yield Finding(OK, "database", f"{name}, migrations complete")
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            mode = cursor.execute("PRAGMA journal_mode").fetchone()[0]
            integrity = cursor.execute("PRAGMA quick_check(1)").fetchone()[0]
        if mode != "wal":
            remedy = "The file system must support WAL (no NFS)."
            yield Finding(FAIL, "database", f"journal mode {mode}, not WAL", remedy)
        if integrity != "ok":
            remedy = "Stop everything and restore the last backup."
            yield Finding(FAIL, "database", f"damaged: {integrity}", remedy)


def secrets() -> Findings:
    broken = unreadable_secrets()
    if broken:
        remedy = "Put the old key behind the new one in FIELD_ENCRYPTION_KEYS, or store the tokens again."
        yield Finding(FAIL, "keys", f"no key opens the secrets of {', '.join(broken[:5])}", remedy)
    else:
        yield Finding(OK, "keys", f"{len(accounts_conf.encryption_keys())} configured; every stored secret opens")


def redis() -> Findings:
    if not settings.REDIS_URL:
        return
    try:
        Redis.from_url(settings.REDIS_URL, socket_connect_timeout=3, socket_timeout=3).ping()
    except (RedisError, OSError, ValueError) as error:
        yield Finding(
            FAIL, "redis", f"{type(error).__name__}", "Start Redis, or empty REDIS_URL: the database will do."
        )
    else:
        yield Finding(OK, "redis", "answers")


def static_files() -> Findings:
    wanted = ["admin/css/base.css", "kommosync/kommosync.css"]
    missing = [name for name in wanted if find(name) and not (settings.STATIC_ROOT / name).is_file()]
    if missing and not settings.DEBUG:
        yield Finding(WARN, "static files", f"not collected: {', '.join(missing)}", "python manage.py setup")
    else:
        yield Finding(OK, "static files", str(settings.STATIC_ROOT))


def disk() -> Findings:
    free = shutil.disk_usage(settings.VAR_DIR).free
    probe = settings.VAR_DIR / ".doctor"
    try:
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        yield Finding(
            FAIL, "disk", f"{settings.VAR_DIR}: {error.strerror}", "Give the user that runs KommoSync the right."
        )
        return
    level = OK if free > MIN_FREE else WARN
    yield Finding(level, "disk", f"{free / 1024**3:.1f} GiB free in {settings.VAR_DIR}", "Make room.")


def workers() -> Findings:
    alive = processes.workers_alive()
    if alive:
        yield Finding(OK, "worker", f"{alive} alive")
    else:
        yield Finding(WARN, "worker", "none alive: queued runs wait", "python manage.py up (or: worker)")
    missing = {REAPER, UPKEEP} - set(Schedule.objects.values_list("func", flat=True))
    if missing:
        yield Finding(
            WARN, "worker", f"no schedule for {' and '.join(sorted(missing))}", "Start the worker; it makes them."
        )


def automation() -> Findings:
    """Names what should have happened by itself, and did not; says nothing where nothing is to."""
    state = automation_state()
    late, failed = overdue(state), failing(state)
    for trouble in late:
        yield Finding(FAIL, "automation", trouble.message, trouble.remedy)
    for trouble in failed:
        yield Finding(WARN, "automation", trouble.message, trouble.remedy)
    if state.is_on and not late:
        yield Finding(OK, "automation", "nothing is overdue")
    if url := conf.ping_url():
        yield Finding(OK, "monitor", f"{urlsplit(url).hostname} is told every minute")


def people() -> Findings:
    """Names who has still to set up a second factor, where everybody needs one."""
    if not conf.requires_second_factor():
        return
    if without := [each.get_username() for each in people_without()]:
        message = f"REQUIRE_2FA is on; {len(without)} without a second factor: {', '.join(without[:5])}"
        yield Finding(WARN, "people", message, "They set it up when they log in next, before anything else.")
    else:
        yield Finding(OK, "people", "everybody has a second factor")


def clock_set_back() -> Findings:
    """Warns of rows dated later than now: nothing waits for them, but lists sorted by time are out of order."""
    if ahead := clocks.set_back():
        message = f"it was set back by {ahead.total_seconds():.0f} s or more: some rows are dated in the future"
        yield Finding(
            WARN, "clock", message, "Switch time synchronisation on; runs do not wait for the time to catch up."
        )


def clock() -> Findings:
    """Compares our clock with the Date header of one account, in a request without a token."""
    account = Account.objects.order_by("role").first()
    if account is None:
        return
    url = accounts_conf.url_for(account.subdomain)
    headers = {"User-Agent": accounts_conf.USER_AGENT}
    try:
        answer = requests.head(url, timeout=10, allow_redirects=False, headers=headers)
        skew = abs((datetime.now(UTC) - parsedate_to_datetime(answer.headers.get("Date", ""))).total_seconds())
    except (requests.RequestException, ValueError) as error:
        yield Finding(WARN, "clock", f"{url}: {type(error).__name__}", "Check DNS, firewall and proxy.")
        return
    level = OK if skew <= MAX_SKEW else WARN
    yield Finding(level, "clock", f"{skew:.0f} s apart from {account.subdomain}", "Switch time synchronisation on.")


WITHOUT_DATABASE: tuple[Callable[[], Findings], ...] = (
    python,
    environment,
    proxy,
    system_checks,
    redis,
    static_files,
    disk,
)
WITH_DATABASE: tuple[Callable[[], Findings], ...] = (
    secrets,
    workers,
    automation,
    groups,
    accounts,
    mail,
    channels,
    people,
    clock_set_back,
)


def examine(*, online: bool) -> Findings:
    """Yields all findings as they come; without those that need the database when there is none."""
    for check in WITHOUT_DATABASE:
        yield from check()
    usable = True
    try:
        for finding in database():
            usable = usable and finding.level == OK
            yield finding
        for check in (*WITH_DATABASE, *([clock] if online else [])) if usable else ():
            yield from check()
    except DatabaseError as error:
        cause, trouble = " ".join(str(error).split())[:200], trouble_of(error)
        remedy = trouble.remedy if trouble else "Check DATABASE_URL."
        yield Finding(FAIL, "database", f"cannot be used: {cause}", remedy)
    except ImproperlyConfigured as error:
        yield Finding(FAIL, "settings", str(error), "python manage.py setup")
