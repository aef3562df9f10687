"""Sends errors to Sentry, if SENTRY_DSN is set (`apps.py` loads this module only then): without secrets, nothing else.

Events come from the log alone: its errors, with the lines before them, and what ends a process. No request, no cookie,
no form, no command line and no value of a variable is part of them, nothing is measured, and no header is added to
requests to Kommo. What is left, messages and texts of exceptions, is cleaned here.
"""

import logging
import re
from collections.abc import Mapping
from typing import Any

import sentry_sdk
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.dedupe import DedupeIntegration
from sentry_sdk.integrations.excepthook import ExcepthookIntegration
from sentry_sdk.integrations.logging import LoggingIntegration, ignore_logger
from sentry_sdk.transport import Transport

from accounts import __version__
from accounts.database import trouble_of
from accounts.log_context import NAMES, current_ids
from syncing import conf
from syncing.logs import hide_paths

OF_STRANGERS = "django.security.*"  # a wrong host name, say: whoever likes could send one a second
HIDDEN = "***"
SHORTEST = 6  # characters of a setting that is looked for
BREADCRUMBS = 30
# Parts of an event that are sent; those in TEXTS are cleaned.
TEXTS = ("message", "logentry", "exception", "threads", "breadcrumbs", "transaction")
FACTS = ("event_id", "timestamp", "platform", "level", "logger", "release", "environment", "server_name", "sdk")
NEVER_OF_A_FRAME = ("vars",)
NAME = r"[\w-]*(?:token|secret|passw|pwd|api_?key|cookie|authorization|credential)[\w-]*"
PATTERNS = [
    # PostgreSQL quotes the row: that may be all of it.
    (re.compile(r"(DETAIL|CONTEXT|PARAMETERS):.*", re.DOTALL), rf"\1: {HIDDEN}"),
    (re.compile(r"\b((?:proxy-)?authorization|(?:set-)?cookie)['\"]?\s*[:=].*", re.IGNORECASE), rf"\1: {HIDDEN}"),
    (re.compile(r"\b(bearer|basic)\s+[^\s'\",]+", re.IGNORECASE), rf"\1 {HIDDEN}"),
    # Of a web address the host may be known; addresses of Apprise and of databases are secrets as a whole.
    (re.compile(r"\b(https?)://(?:[^\s/@'\"]*@)?([^\s/?#'\"@]+)[^\s'\"]*", re.IGNORECASE), rf"\1://\2/{HIDDEN}"),
    (re.compile(r"\b(?!https?:)([a-z][a-z0-9+.-]{1,30})://[^\s'\"]+", re.IGNORECASE), rf"\1://{HIDDEN}"),
    (
        re.compile(rf"\b({NAME})(['\"]?\s*[:=]\s*)(?:\"[^\"]*\"|'[^']*'|[^\s,;&)}}\]]+)", re.IGNORECASE),
        rf"\1\2{HIDDEN}",
    ),
    (re.compile(r"([?&]code=)[^\s&'\"]+"), rf"\1{HIDDEN}"),
    (re.compile(r"\beyJ[\w-]+(?:\.[\w-]+)*"), HIDDEN),
    # Whatever is so long and has letters and digits is no word.
    (re.compile(r"(?<![\w/+=-])(?=[\w+/=-]*\d)(?=[\w+/=-]*[A-Za-z])[\w+/=-]{20,}"), HIDDEN),
    (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), HIDDEN),
]


def start(dsn: str, transport: Transport | None = None) -> None:
    """Begins to send errors to `dsn`; once per process, before it forks or starts threads."""
    ignore_logger(OF_STRANGERS)
    sentry_sdk.init(
        dsn=dsn,
        transport=transport,
        release=f"kommosync@{__version__}",
        before_send=clean_event,
        before_breadcrumb=clean_breadcrumb,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=BREADCRUMBS,
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[
            LoggingIntegration(level=logging.INFO, event_level=logging.ERROR),
            ExcepthookIntegration(),
            DedupeIntegration(),
            AtexitIntegration(callback=lambda pending, timeout: None),
        ],
        traces_sample_rate=None,
        propagate_traces=False,
        auto_session_tracking=False,
        send_client_reports=False,
        enable_metrics=False,
        enable_backpressure_handling=False,
        spotlight=False,
    )


def clean_event(event: Any, hint: Mapping[str, Any]) -> Any:
    """Returns what is sent of an event; None: it is not sent.

    A traceback of a database that is away is not: the log says that once a minute in a sentence, which is sent.
    """
    record = hint.get("log_record")
    error = (hint.get("exc_info") or (None, None))[1]
    if record is not None and trouble_of(error) is not None:
        return None
    cleaned = {name: event[name] for name in FACTS if name in event}
    cleaned |= {name: _clean(event[name]) for name in TEXTS if name in event}
    cleaned["tags"] = {name: str(number) for name, number in _ids(record).items()}
    return cleaned


def clean_breadcrumb(breadcrumb: Any, hint: Mapping[str, Any]) -> Any:
    record = hint.get("log_record")
    kept = {name: value for name, value in breadcrumb.items() if name != "data"}
    return {**_clean(kept), "data": dict(_ids(record))}


def _ids(record: logging.LogRecord | None) -> dict[str, int]:
    known = {} if record is None else {name: getattr(record, name) for name in NAMES if hasattr(record, name)}
    return {**current_ids(), **known}


def _clean(value: Any) -> Any:
    """Returns it with all texts in it cleaned, at any depth; source lines of our code stay as they are."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, Mapping):
        if "lineno" in value:  # a frame
            return {name: part for name, part in value.items() if name not in NEVER_OF_A_FRAME}
        return {name: _clean(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(part) for part in value]
    return value if value is None or isinstance(value, int | float) else clean_text(str(value))


def clean_text(text: str) -> str:
    """Returns the text without what is, or looks like, a secret; more is hidden than need be rather than less."""
    text = hide_paths(text)
    for secret in conf.secrets():
        if len(secret) >= SHORTEST:
            text = text.replace(secret, HIDDEN)
    for pattern, replacement in PATTERNS:
        text = pattern.sub(replacement, text)
    return text
