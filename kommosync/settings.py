"""Every setting, read once from the environment and from `.env`; a wrong value stops the start with a sentence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"

env = environ.Env()
env.read_env(env.path("KOMMOSYNC_ENV_FILE", default=str(BASE_DIR / ".env"))())


def number(name: str, default: float, low: float, high: float, cast: Callable[[str], Any] = float) -> Any:
    """The number in variable `name`; raises ImproperlyConfigured unless low <= value <= high."""
    raw = env.str(name, default=str(default))
    try:
        value = cast(raw)
    except ValueError:
        value = None
    if value is None or not low <= value <= high:
        kind = "whole number" if cast is int else "number"
        raise ImproperlyConfigured(f"{name} is {raw!r}; it must be a {kind} from {low:g} to {high:g}.")
    return value


def flag(name: str, default: bool) -> bool:
    raw = env.str(name, default=str(default)).strip().lower()
    if raw in {"1", "true", "yes", "on"}:
        return True
    if raw in {"0", "false", "no", "off", ""}:
        return False
    raise ImproperlyConfigured(f"{name} is {raw!r}; it must be on or off.")


def url_template(name: str, default: str) -> str:
    value = env.str(name, default=default).strip().rstrip("/")
    if not value.startswith(("https://", "http://")) or value.count("{subdomain}") != 1:
        raise ImproperlyConfigured(
            f"{name} is {value!r}; it must be a URL with {{subdomain}} in it once, as https://{{subdomain}}.kommo.com"
        )
    return value


# -- secrets: `manage.py setup` writes them; empty ones are refused where they are first needed --
SECRET_KEY = env.str("SECRET_KEY", default="")
FIELD_ENCRYPTION_KEYS = [key.strip() for key in env.list("FIELD_ENCRYPTION_KEYS", default=[]) if key.strip()]

DEBUG = flag("DEBUG", False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# -- Kommo --
KOMMO_URL_TEMPLATE = url_template("KOMMO_URL_TEMPLATE", "https://{subdomain}.kommo.com")
KOMMO_OAUTH_URL = env.str("KOMMO_OAUTH_URL", default="https://www.kommo.com/oauth")
KOMMO_RATE_PER_ACCOUNT = number("KOMMO_RATE_PER_ACCOUNT", 6, 0.1, 1000)
KOMMO_RATE_PER_IP = number("KOMMO_RATE_PER_IP", 6, 0, 10000)
KOMMO_TIMEOUT = number("KOMMO_TIMEOUT", 30, 0.1, 600)
KOMMO_SLOTS = "accounts.slots.SqlSlots"

# -- work --
SYNC_WORKERS = number("SYNC_WORKERS", 2, 1, 64, int)
SYNC_THREADS = number("SYNC_THREADS", 60, 1, 200, int)

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_q",
    "accounts",
    "syncing",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

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

# -- database: SQLite needs WAL and IMMEDIATE, or concurrent writers fail (accounts.checks refuses other settings) --
VAR_DIR.mkdir(exist_ok=True)
DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'kommosync.sqlite3'}")}
DATABASES["default"]["CONN_MAX_AGE"] = 60
ON_SQLITE = DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3"
if ON_SQLITE:
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
    }
else:
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# -- queue: the values measured to work; timeout is only the last resort, a lane ends itself --
REDIS_URL = env.str("REDIS_URL", default="")
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
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

# -- people --
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LANGUAGE_CODE = env.str("LANGUAGE_CODE", default="en")
LANGUAGES = [("en", "English"), ("pt-br", "Português (Brasil)"), ("es", "Español")]
if LANGUAGE_CODE not in dict(LANGUAGES):
    raise ImproperlyConfigured(f"LANGUAGE_CODE is {LANGUAGE_CODE!r}; it must be one of en, pt-br, es.")
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = env.str("TIME_ZONE", default="UTC")
USE_I18N = True
USE_TZ = True
vars().update(env.email("EMAIL_URL", default="consolemail://"))
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="kommosync@localhost")

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
HTTPS_ONLY = flag("HTTPS_ONLY", False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS_ONLY
SECURE_HSTS_SECONDS = 31536000 if HTTPS_ONLY else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS_ONLY else None
X_FRAME_OPTIONS = "DENY"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="WARNING")},
}
