"""Every setting and constant of the synchronisation, read in this one place."""

import math
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

API_BODY_LIMIT = 64 * 1024  # bytes
IDEMPOTENCY = timedelta(hours=24)  # that an answer is given again under the same Idempotency-Key
RETRY_AFTER = 30  # seconds until a client may ask again, told in answers 503
MAX_ERRORS = 3  # attempts of one account that may end in an error of our own
MAX_CRASHES = 10  # claims that may run out: a killed process costs its neighbours an attempt as well
MAX_TEXT = 500  # characters of an error that are kept; longer ones wedged the result queue
FRESH = 15.0  # seconds after which every reading shows an item that was mapped
WRITER_WINDOW = 0.02  # seconds that the lane's writer waits for company
TICK = 0.2  # seconds between two looks of a lane at what it has in work
LOOK = 1.0  # seconds between two looks of a lane with free threads for more: each asks the database
SLICE = 60.0  # seconds after which a lane claims no more
OVERTIME = 150.0  # seconds after the slice until accounts in hand go back; below the queue's own timeout of 300
KEEP_LOGS_OF = 50  # runs per group whose log entries are kept; the runs themselves stay
KEEP_DRIFT_CHANGES = 200  # per account
KEEP_MESSAGES = timedelta(days=14)
KEEP_CONFORMITY = timedelta(days=400)  # days of conformity, so that a month can be compared with that of a year ago
LONGEST_LOOK = 150.0  # seconds that a look at a master may take; below the queue's own timeout of 300
LOOK_LEASE = timedelta(seconds=LONGEST_LOOK + 30)  # until another may take the look: its last request may be under way
RESTARTS = 5  # of the queue's cluster, by the supervisor, before it gives up
WEDGED_AFTER = 20.0  # seconds that work may wait with no lane alive
DRAIN = 8.0  # seconds that a stopping worker gives its lanes


def lease() -> timedelta:
    """Returns the time that a claim lives without a heartbeat."""
    return timedelta(seconds=settings.SYNC_LEASE)


def heartbeat() -> float:
    """Returns the seconds between two heartbeats."""
    return lease().total_seconds() / 6


def stale_after() -> float:
    """Returns the seconds without a heartbeat after which nothing may be sent: others will soon take the account."""
    return lease().total_seconds() * 0.8


def tick() -> float:
    """Returns the seconds between two looks of a worker at what is due by itself."""
    return float(settings.SYNC_TICK)


def demo_play_url() -> str:
    """Returns the page on which the simulated Kommo of the demo is played with; "" in every real installation."""
    return str(settings.DEMO_PLAY_URL)


def ping_url() -> str:
    """Returns the address of the monitor outside that is told every minute whether all is well; "" for none."""
    return str(settings.PING_URL)


def notify_schemes() -> list[str]:
    """Returns the schemes of Apprise that channels may have."""
    return list(settings.NOTIFY_SCHEMES)


def notify_private() -> bool:
    """Tells whether channels may lead to private addresses and to this machine."""
    return bool(settings.NOTIFY_PRIVATE)


def public_url() -> str:
    """Returns the address of the dashboard for links in messages, without a slash at its end; "" for none."""
    return str(settings.PUBLIC_URL)


def api_rate() -> int:
    """Returns the requests per minute that one API key may make; 0 for no limit."""
    return int(settings.API_RATE)


def log_format() -> str:
    """Returns how log lines look: line or json."""
    return str(settings.LOG_FORMAT)


def sentry_dsn() -> str:
    """Returns the address that errors are sent to; "" for none."""
    return str(settings.SENTRY_DSN)


def secrets() -> list[str]:
    """Returns the settings that nobody may see, and the passwords in others."""
    passwords = [settings.DATABASES["default"].get("PASSWORD"), getattr(settings, "EMAIL_HOST_PASSWORD", "")]
    passwords.append(urlsplit(settings.REDIS_URL).password)
    return [str(secret) for secret in (settings.SECRET_KEY, *settings.FIELD_ENCRYPTION_KEYS, *passwords) if secret]


def workers() -> int:
    """Returns the number of lanes of one `manage.py worker`."""
    return int(settings.SYNC_WORKERS)


def threads(lanes: int) -> int:
    """Returns the accounts that one of `lanes` lanes runs at a time; a single one (a command) does the work of all.

    With a common limit for the IP, more accounts in flight than about twice its rate only make each of them last as
    long as the whole run: leases, memory and the way back after a crash grow, and nothing gets faster.
    """
    most = int(settings.SYNC_THREADS) * workers() // lanes
    rate = float(settings.KOMMO_RATE_PER_IP)
    return max(2, min(most, math.ceil(2 * rate / lanes))) if rate > 0 else most


def project_dir() -> Path:
    return Path(settings.BASE_DIR)


def queue() -> dict[str, Any]:
    """Returns the settings of django-q2."""
    return dict(settings.Q_CLUSTER)


def login_lock() -> timedelta:
    """Returns the time that nobody can log in after too many failures."""
    return timedelta(minutes=settings.LOGIN_LOCK_MINUTES)


def requires_second_factor() -> bool:
    """Tells whether nobody may do anything before they have set up a second factor."""
    return bool(settings.REQUIRE_2FA)


def is_https_only() -> bool:
    return bool(settings.HTTPS_ONLY)


def proxies() -> int:
    """Returns the number of proxies in front that add an address to X-Forwarded-For."""
    return int(settings.PROXIES)


def largest_form() -> int:
    """Returns the most bytes that a form may have without its files."""
    return int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)


def cache_backend() -> str:
    return str(settings.CACHES["default"]["BACKEND"])


def has_connection_pool() -> bool:
    return bool(settings.DATABASES["default"].get("OPTIONS", {}).get("pool"))
