"""Reads the settings of this app; nothing else does."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.utils.module_loading import import_string

from accounts.kommo import transport
from accounts.kommo.pacing import Slots

PLACEHOLDER = "{subdomain}"
IP_KEY = "ip"  # all machines share one: several may leave through the same address, and nobody can tell from inside
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
LONGEST_CONNECT = 5.0
USER_AGENT = transport.USER_AGENT


def url_template() -> str:
    return str(settings.KOMMO_URL_TEMPLATE)


def url_for(subdomain: str) -> str:
    """Returns the address of one account, without `/api/v4`."""
    return url_template().replace(PLACEHOLDER, subdomain)


def oauth_url() -> str:
    """Returns the address of the consent page, without its query."""
    return str(settings.KOMMO_OAUTH_URL)


def common_address() -> str:
    """Returns Kommo's address for all accounts, without a path: that of the consent page.

    With a simulator on this machine and no consent page of its own, it is the simulator's: no token leaves it.
    """
    if is_loopback() and not oauth_is_loopback():
        return url_for("www")
    parts = urlsplit(oauth_url())
    return f"{parts.scheme}://{parts.netloc}"


def oauth_is_loopback() -> bool:
    return (urlsplit(oauth_url()).hostname or "") in LOOPBACK_HOSTS


def is_encrypted() -> bool:
    return urlsplit(url_template()).scheme == "https"


def is_loopback() -> bool:
    """Returns True when the accounts are on this very machine: a simulator."""
    host = urlsplit(url_for("subdomain")).hostname or ""
    return host.removeprefix("subdomain.") in LOOPBACK_HOSTS


def rate_per_account() -> float:
    """Returns the requests per second that one account may get."""
    return float(settings.KOMMO_RATE_PER_ACCOUNT)


def rate_per_ip() -> float:
    """Returns the requests per second over all accounts; 0: no common limit."""
    return float(settings.KOMMO_RATE_PER_IP)


def outgoing_address() -> str:
    """Returns the addresses that the accounts see this machine under, as the operator named them; "": unknown."""
    return ", ".join(settings.OUTGOING_ADDRESS)


def timeout() -> tuple[float, float]:
    """Returns the seconds to connect and to read."""
    read = float(settings.KOMMO_TIMEOUT)
    return min(LONGEST_CONNECT, read), read


@lru_cache(maxsize=4)
def _slots(path: str) -> Slots:
    return cast(Slots, import_string(path)())


def slots() -> Slots:
    """Returns the store of the times of requests: one per process, so that all its clients pace together."""
    return _slots(settings.KOMMO_SLOTS)


def account_key(account_id: int | None, subdomain: str) -> str:
    """Returns the key that the pace of one account is stored under: the same when its subdomain changes."""
    return f"account:{account_id or subdomain}"


def encryption_keys() -> tuple[str, ...]:
    """Returns the Fernet keys: the first encrypts, every one decrypts."""
    return tuple(settings.FIELD_ENCRYPTION_KEYS)


def has_secret_key() -> bool:
    try:
        return bool(settings.SECRET_KEY)
    except ImproperlyConfigured:  # Django's own way of saying that it is empty
        return False


def language() -> str:
    """Returns the language for people who have chosen none."""
    return str(settings.LANGUAGE_CODE)


def catalogues() -> Path:
    """Returns the folder of the translations."""
    return Path(settings.LOCALE_PATHS[0])


def sends_mail() -> bool:
    """Returns False while e-mails are only printed or thrown away: nobody would get one."""
    return not str(settings.EMAIL_BACKEND).endswith((".console.EmailBackend", ".dummy.EmailBackend"))


def has_no_database_yet() -> bool:
    """Returns True while the SQLite file is not there: asking would create it."""
    database = databases()["default"]
    is_file = database["ENGINE"].endswith("sqlite3") and "memory" not in str(database["NAME"])
    return is_file and not Path(str(connection.settings_dict["NAME"])).exists()


def databases() -> Mapping[str, Mapping[str, Any]]:
    return cast(Mapping[str, Mapping[str, Any]], settings.DATABASES)
