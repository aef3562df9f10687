"""System checks: settings with which the queue would lose or repeat work."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Warning
from django.utils.module_loading import import_string

from syncing import conf

PREFETCH = Error(
    "Q_CLUSTER: queue_limit and bulk must be 1.",
    hint="Tasks that wait in the cluster's memory count against `retry` and are run twice.",
    id="syncing.E001",
)
ATTEMPTS = Error(
    "Q_CLUSTER: ack_failures must be True and max_attempts 1.",
    hint="A task that fails would be run for ever; our own rows count the attempts.",
    id="syncing.E003",
)
PRIVATE_CACHE = Warning(
    "CACHES: the cache lives in the memory of one process.",
    hint="The state of the queue's cluster is not seen by other processes; use files or Redis.",
    id="syncing.W001",
)
CODES_IN_CLEAR = Warning(
    "REQUIRE_2FA is on, but HTTPS_ONLY is off.",
    hint="Over http:// whoever listens reads passwords, codes and sessions: use HTTPS, and set HTTPS_ONLY=on.",
    id="syncing.W002",
)
CONNECTION_POOL = Error(
    "DATABASES: psycopg's connection pool breaks the queue's cluster, which forks.",
    hint="Remove OPTIONS['pool'].",
    id="syncing.E004",
)


def check_queue(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Checks that django-q2 is set as it was measured to work; each message names the setting and what goes wrong."""
    queue = conf.queue()
    timeout, longest = queue.get("timeout"), conf.SLICE + conf.OVERTIME
    wrong_timeout = Error(
        f"Q_CLUSTER: timeout must be a whole number above {longest:.0f} and below retry.",
        hint="A lane ends itself after its slice; the timeout is only the last resort.",
        id="syncing.E002",
    )
    checks: list[tuple[bool, CheckMessage]] = [
        (queue.get("queue_limit") != 1 or queue.get("bulk", 1) != 1, PREFETCH),
        (not isinstance(timeout, int) or not longest < timeout < queue.get("retry", 0), wrong_timeout),
        (queue.get("ack_failures") is not True or queue.get("max_attempts") != 1, ATTEMPTS),
        ("locmem" in conf.cache_backend(), PRIVATE_CACHE),
        (conf.has_connection_pool(), CONNECTION_POOL),
    ]
    return [message for is_wrong, message in checks if is_wrong]


def check_notify_schemes(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Checks that Apprise has every scheme that is allowed; it is asked in a process of its own, as it is large."""
    known = import_string("syncing.notifications.transport.known_schemes")()
    unknown = sorted(set(conf.notify_schemes()) - set(known))
    if not known or not unknown:
        return []
    hint = "Correct the name; docs/messages.md has a list."
    return [Error(f"NOTIFY_SCHEMES: Apprise has no scheme {', '.join(unknown)}.", hint=hint, id="syncing.E005")]


def check_second_factor(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Checks that what REQUIRE_2FA protects is not sent in clear."""
    return [CODES_IN_CLEAR] if conf.requires_second_factor() and not conf.is_https_only() else []


CHECKS = (check_queue, check_second_factor)
# With all checks of the code only (`manage.py check`, `doctor`), not at the start of every command.
SLOW_CHECKS = (check_notify_schemes,)
