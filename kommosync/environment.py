"""Typed readers of environment variables and `.env`; a wrong value raises a sentence that names the variable."""

import logging
import os
import re
from collections.abc import Callable
from importlib.util import find_spec
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import environ
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

SQLITE = "django.db.backends.sqlite3"
LOG_LEVELS = [logging.getLevelName(level) for level in range(10, 60, 10)]
HOST = re.compile(r"\Ahttps?://[^\s/:?#]+[^\s]*\Z")
LOOPBACK = re.compile(r"\Ahttp://(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?(?:/[\w/-]*)?\Z", re.ASCII)
NOTIFY_SCHEME = re.compile(r"\A[a-z][a-z0-9]{0,29}\Z")
# Schemes of Apprise that act on this machine instead of sending something to another.
LOCAL_SCHEMES = frozenset(
    ["blink1", "dbus", "file", "gio", "glib", "gnome", "kde", "macosx", "qt", "rsyslog", "syslog", "windows"]
)
ENV_LINE = re.compile(r"\A(?:export )?[A-Za-z_0-9]+=.*\Z")


class Environment(environ.Env):  # type: ignore[misc]
    """Works on a copy of the environment, so that child processes read `.env` for themselves."""

    ENVIRON = dict(os.environ)


env = Environment()


def read_env_file(path: Path) -> None:
    """Reads the variables of the file at `path` (it need not exist); the process's own environment wins."""
    if not path.is_file():  # also /dev/null: no file wanted
        return
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{path} cannot be read: {error}") from error
    for number_of_line, line in enumerate(content.splitlines(), start=1):
        if line.strip() and not line.startswith("#") and not ENV_LINE.match(line):
            # Never the line itself: it may hold a secret.
            raise ImproperlyConfigured(f"{path.name}, line {number_of_line}: not of the form NAME=value.")
    Environment.read_env(path)


def text(name: str, default: str = "") -> str:
    return str(env.str(name, default=default)).strip()


def number(name: str, default: float, low: float, high: float, cast: Callable[[str], Any] = float) -> Any:
    """Returns the number in variable `name`; raises ImproperlyConfigured unless low <= value <= high."""
    raw = text(name) or str(default)
    try:
        value = cast(raw)
    except ValueError:
        value = None
    if value is None or not low <= value <= high:
        kind = "whole number" if cast is int else "number"
        raise ImproperlyConfigured(f"{name} is {raw!r}; it must be a {kind} from {low:g} to {high:g}.")
    return value


def flag(name: str, default: bool) -> bool:
    raw = text(name, default=str(default)).lower()
    if raw in {"1", "true", "yes", "on"}:
        return True
    if raw in {"0", "false", "no", "off", ""}:
        return False
    raise ImproperlyConfigured(f"{name} is {raw!r}; it must be on or off.")


def words(name: str, default: list[str]) -> list[str]:
    """Returns the comma-separated values of variable `name`, without empty ones."""
    return [word.strip() for word in text(name).split(",") if word.strip()] or default


def schemes(name: str, default: list[str]) -> list[str]:
    """Returns the Apprise schemes in a comma-separated variable; raises ImproperlyConfigured for what can be none.

    Whether Apprise has them is told by a system check: Apprise is too large to be loaded here.
    """
    values = [value.lower().removesuffix("://") for value in words(name, default)]
    for value in values:
        if not NOTIFY_SCHEME.match(value):
            raise ImproperlyConfigured(f"{name}: {value!r} is no scheme of Apprise, as slack or tgram.")
        if value in LOCAL_SCHEMES:
            raise ImproperlyConfigured(f"{name}: {value} acts on this machine and is never allowed.")
    return values


def addresses(name: str) -> list[str]:
    """Returns the IP addresses, or networks, of a comma-separated variable; it may be empty."""
    values = words(name, default=[])
    for each in values:
        try:
            ip_network(each, strict=False)
        except ValueError:
            raise ImproperlyConfigured(f"{name}: {each!r} is no IP address, as 203.0.113.7") from None
    return values


def fernet_keys(name: str) -> list[str]:
    """Returns the keys of a comma-separated variable; it may be empty here, `setup` makes the first."""
    keys = words(name, default=[])
    for number, key in enumerate(keys, start=1):
        try:
            Fernet(key)
        except ValueError:
            raise ImproperlyConfigured(
                f"{name}: key {number} is not a Fernet key (44 characters of URL-safe base64). Put the right one back; "
                f"for a new installation empty the variable and run `python manage.py setup`."
            ) from None
    return keys


def choice(name: str, default: str, choices: list[str]) -> str:
    raw = text(name) or default
    if raw not in choices:
        raise ImproperlyConfigured(f"{name} is {raw!r}; it must be one of {', '.join(choices)}.")
    return raw


def time_zone(name: str, default: str) -> str:
    raw = text(name) or default
    if raw not in available_timezones():
        raise ImproperlyConfigured(f"{name} is {raw!r}; it must be a name as Europe/Lisbon or UTC.")
    return raw


def url(name: str, default: str) -> str:
    """Returns the web address in variable `name`, without a slash at its end."""
    value = scheme_of(name, (text(name) or default).rstrip("/"), ("https", "http"))
    if not HOST.match(value):
        raise ImproperlyConfigured(f"{name} must be a URL with a host, as {default}")
    return value


def loopback_url(name: str) -> str:
    """Returns the address on this machine in variable `name`; it may be empty."""
    value = text(name)
    if value and not LOOPBACK.match(value):
        raise ImproperlyConfigured(f"{name} must be an address of this machine, as http://127.0.0.1:8100/play")
    return value


def base_url(name: str, example: str) -> str:
    """Returns the web address in variable `name`, without a slash at its end; "" for none. It may be a secret."""
    value = text(name).rstrip("/")
    if not value:
        return ""
    scheme_of(name, value, ("https", "http"))
    try:
        is_usable = urlsplit(value).port != 0 and bool(urlsplit(value).hostname)
    except ValueError:  # a port that is none, brackets that do not close
        is_usable = False
    if not is_usable or not HOST.match(value) or "?" in value or "#" in value:
        raise ImproperlyConfigured(f"{name} must be a URL with a host and without ? or #, as {example}")
    return value


def sentry_dsn(name: str) -> str:
    """Returns the DSN in variable `name`; "" for none. It asks for a package that is not installed by itself."""
    example = "https://KEY@o1.ingest.sentry.io/2"
    value = base_url(name, example)
    if value and (not urlsplit(value).username or not urlsplit(value).path.rpartition("/")[2].isdigit()):
        raise ImproperlyConfigured(f"{name} must be the DSN of a Sentry project, as {example}")
    if value and find_spec("sentry_sdk") is None:
        raise ImproperlyConfigured(
            f"{name} is set, but sentry-sdk is not installed: run `pip install -r requirements-sentry.txt`, "
            f"or empty the variable."
        )
    return value


def url_template(name: str, default: str) -> str:
    value = (text(name) or default).rstrip("/")
    if not value.startswith(("https://", "http://")) or value.count("{subdomain}") != 1:
        raise ImproperlyConfigured(
            f"{name} is {value!r}; it must be a URL with {{subdomain}} in it once, as https://{{subdomain}}.kommo.com"
        )
    return value


def scheme_of(name: str, value: str, schemes: tuple[str, ...]) -> str:
    """Returns `value`; raises ImproperlyConfigured for another URL scheme, without the value (a password, say)."""
    if not value.startswith(tuple(f"{scheme}://" for scheme in schemes)):
        known = " or ".join(f"{scheme}://" for scheme in schemes)
        raise ImproperlyConfigured(f"{name} must be a URL that begins with {known}")
    return value


def database(name: str, *, sqlite_file: Path, base: Path) -> dict[str, Any]:
    """Returns Django's database entry, by default for `sqlite_file`. A relative SQLite path counts from `base`."""
    value = text(name)
    if not value:
        return {"ENGINE": SQLITE, "NAME": str(sqlite_file)}
    scheme_of(name, value, ("sqlite", "postgres", "postgresql"))
    try:
        config = dict(env.db_url_config(value))
    except ValueError as error:  # an impossible port, say; the message may hold the password
        raise ImproperlyConfigured(f"{name} is not a usable database URL.") from error
    if config["ENGINE"] == SQLITE and config["NAME"] != ":memory:":
        config["NAME"] = str(base / config["NAME"])
    return config


def email(name: str, default: str) -> dict[str, Any]:
    value = scheme_of(
        name,
        text(name) or default,
        ("smtp", "smtps", "smtp+tls", "smtp+ssl", "consolemail", "filemail", "memorymail", "dummymail"),
    )
    try:
        return dict(env.email_url_config(value))
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} is not a usable e-mail URL.") from error
