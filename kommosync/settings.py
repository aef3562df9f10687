"""Every setting, read once from the environment and `.env`; a wrong value stops the start with a sentence."""

import logging
import os
from datetime import timedelta
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from kommosync import environment as env

BASE_DIR = Path(__file__).resolve().parent.parent
ENV_FILE = Path(os.environ.get("KOMMOSYNC_ENV_FILE") or BASE_DIR / ".env").absolute()
env.read_env_file(ENV_FILE)
# Everything that is written at run time (SQLite file, cache, collected static files) lies here.
VAR_DIR = Path(env.text("VAR_DIR") or BASE_DIR / "var").absolute()
try:
    VAR_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
except OSError as error:
    raise ImproperlyConfigured(f"VAR_DIR is {str(VAR_DIR)!r}; it cannot be made: {error.strerror}.") from error

# -- secrets: `manage.py setup` writes them; empty ones are refused where they are first needed --
SECRET_KEY = env.text("SECRET_KEY")
FIELD_ENCRYPTION_KEYS = env.fernet_keys("FIELD_ENCRYPTION_KEYS")

DEBUG = env.flag("DEBUG", False)
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS", default=[])

# -- Kommo --
KOMMO_URL_TEMPLATE = env.url_template("KOMMO_URL_TEMPLATE", "https://{subdomain}.kommo.com")
KOMMO_OAUTH_URL = env.url("KOMMO_OAUTH_URL", "https://www.kommo.com/oauth")
KOMMO_RATE_PER_ACCOUNT = env.number("KOMMO_RATE_PER_ACCOUNT", 6, 0.1, 1000)
KOMMO_RATE_PER_IP = env.number("KOMMO_RATE_PER_IP", 6, 0, 10000)
KOMMO_TIMEOUT = env.number("KOMMO_TIMEOUT", 30, 0.1, 600)
OUTGOING_ADDRESS = env.addresses("OUTGOING_ADDRESS")
# Only `demo` sets it: the page of its simulated Kommo, which the dashboard then has a link to.
DEMO_PLAY_URL = env.loopback_url("DEMO_PLAY_URL")
KOMMO_SLOTS = "accounts.slots.SqlSlots"

# -- work --
SYNC_WORKERS = env.number("SYNC_WORKERS", 2, 1, 64, int)
SYNC_THREADS = env.number("SYNC_THREADS", 40, 1, 200, int)
SYNC_TICK = env.number("SYNC_TICK", 15, 0.2, 3600)
PING_URL = env.base_url("PING_URL", "https://hc-ping.com/UUID")
SYNC_LEASE = env.number("SYNC_LEASE", 30, 2, 600)

# -- messages --
NOTIFY_SCHEMES = env.schemes(
    "NOTIFY_SCHEMES",
    default=[
        *("slack", "discord", "tgram", "whatsapp", "evolution", "evolutions", "workflow", "workflows", "gchat"),
        *("mmost", "mmosts", "rocket", "rockets", "zulip", "wxteams", "ntfy", "ntfys", "gotify", "gotifys", "pover"),
        *("pagerduty", "opsgenie", "json", "jsons"),
    ],
)
NOTIFY_PRIVATE = env.flag("NOTIFY_PRIVATE", False)
PUBLIC_URL = env.base_url("PUBLIC_URL", "https://sync.example.com")

INSTALLED_APPS = [
    "django.contrib.admin.apps.SimpleAdminConfig",  # the pages are loaded with the URLs: workers need none
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "django_q",
    "accounts",
    "syncing",
]

MIDDLEWARE = [
    "syncing.middleware.ContentSecurityPolicy",
    "syncing.middleware.LocalHealth",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "syncing.middleware.ReadersZone",
    "django.middleware.common.CommonMiddleware",
    "syncing.middleware.NoBlankPages",
    "syncing.middleware.RequestBodies",  # before the first that reads a form
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "syncing.middleware.ProvenSessions",
    "syncing.middleware.FormsAfterTheEnd",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",  # the last
]

CSRF_FAILURE_VIEW = "syncing.views.unavailable.form_refused"
ROOT_URLCONF = "kommosync.urls"
WSGI_APPLICATION = "kommosync.wsgi.application"
ASGI_APPLICATION = "kommosync.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# -- database: SQLite needs WAL and IMMEDIATE, or concurrent writers fail (accounts.checks refuses others) --
DATABASES = {"default": env.database("DATABASE_URL", sqlite_file=VAR_DIR / "kommosync.sqlite3", base=BASE_DIR)}
DATABASES["default"]["CONN_MAX_AGE"] = 60
ON_SQLITE = DATABASES["default"]["ENGINE"] == env.SQLITE
if ON_SQLITE:
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
    }
else:
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 10)  # seconds; else it is minutes
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# -- queue: the values measured to work; timeout is only the last resort, a lane ends itself --
REDIS_URL = env.text("REDIS_URL")
if REDIS_URL:
    env.scheme_of("REDIS_URL", REDIS_URL, ("redis", "rediss", "unix"))
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "VERSION": 2,  # what an earlier release pickled is never read
        "OPTIONS": {"serializer": "kommosync.caching.JsonSerializer"},
    }
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": VAR_DIR / "cache"}
}
Q_CLUSTER = {
    "name": "kommosync",
    "label": _("Task queue"),
    "workers": SYNC_WORKERS + 1,  # the lanes, and one for short tasks
    "timeout": 300,
    "retry": 900,
    "queue_limit": 1,
    "bulk": 1,
    "ack_failures": True,
    "max_attempts": 1,
    "recycle": 200,
    "save_limit": 100,
    "catch_up": False,
    "poll": 0.2,
    "guard_cycle": 1,
    **({"redis": REDIS_URL} if REDIS_URL else {"orm": "default"}),
}

# -- files that hold secrets: never in clear on a disk --
# A selection of many accounts is confirmed by as many fields.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
FILE_UPLOAD_HANDLERS = ["accounts.uploads.MemoryOnlyUploadHandler"]

# -- people --
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "syncing.logins.Passwords"]
REQUIRE_2FA = env.flag("REQUIRE_2FA", False)
API_RATE = env.number("API_RATE", 600, 0, 1_000_000, int)
PROXIES = env.number("PROXIES", 0, 0, 10, int)
LOGIN_FAILURES = AXES_FAILURE_LIMIT = env.number("LOGIN_FAILURES", 5, 1, 1000, int)
LOGIN_LOCK_MINUTES = env.number("LOGIN_LOCK_MINUTES", 15, 1, 1440, int)
AXES_COOLOFF_TIME = timedelta(minutes=LOGIN_LOCK_MINUTES)
# By name and address together: by the name alone a stranger could lock out the operator, by the address alone all
# who share a proxy.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "syncing.addresses.client_address"
AXES_LOCKOUT_CALLABLE = "syncing.logins.locked_out"
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # or whoever goes on trying would lock for ever
AXES_DISABLE_ACCESS_LOG = True  # the audit tells
AXES_ENABLE_ADMIN = False
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "code", "recovery_code", "proof"]  # it keeps the rest of a form
AXES_VERBOSE = False
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LANGUAGES = [("en", "English"), ("pt-br", "Português (Brasil)"), ("es", "Español")]
LANGUAGE_CODE = env.choice("LANGUAGE_CODE", "en", [code for code, _name in LANGUAGES])
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = env.time_zone("TIME_ZONE", "UTC")
USE_I18N = True
FORMAT_MODULE_PATH = "kommosync.formats"
USE_TZ = True
vars().update(env.email("EMAIL_URL", "consolemail://"))
EMAIL_TIMEOUT = 10  # seconds until each answer of the mail server; Django's default is for ever
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL") or "kommosync@localhost"

# -- static files and browser rules --
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "templates" / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
HTTPS_ONLY = env.flag("HTTPS_ONLY", False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS_ONLY
SECURE_HSTS_SECONDS = 31536000 if HTTPS_ONLY else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS_ONLY else None
X_FRAME_OPTIONS = "DENY"
# HSTS for the operator's other subdomains, and its preload list, are not ours to decide.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

SENTRY_DSN = env.sentry_dsn("SENTRY_DSN")
LOG_FORMAT = env.choice("LOG_FORMAT", "line", ["line", "json"])
logging.captureWarnings(LOG_FORMAT == "json")  # else Python writes them past the handler, as text
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
        "json": {"()": "syncing.logs.JsonFormatter"},
    },
    "filters": {
        "ids": {"()": "syncing.logs.AddIds"},
        "trouble_once": {"()": "syncing.logs.DatabaseTroubleOnce"},
        "no_secret_paths": {"()": "syncing.logs.HideSecretPaths"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": LOG_FORMAT,
            "filters": ["ids", "trouble_once", "no_secret_paths"],
        },
    },
    "loggers": {
        # Django's own handlers would print the same without the filter.
        **{name: {"level": "INFO", "handlers": [], "propagate": True} for name in ("django", "django.server")},
        "axes": {"level": "ERROR"},  # syncing.logins says it in our words
        "waitress.queue": {"level": "ERROR"},  # it warns whenever a request waits for a thread
    },
    "root": {"handlers": ["stderr"], "level": env.choice("LOG_LEVEL", "WARNING", env.LOG_LEVELS)},
}
