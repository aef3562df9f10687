"""The settings of the test suite: the real ones on a database and keys of their own."""

import os

os.environ["KOMMOSYNC_ENV_FILE"] = os.devnull
os.environ.setdefault("SECRET_KEY", "only-for-tests-" + "x" * 40)
os.environ.setdefault("FIELD_ENCRYPTION_KEYS", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
os.environ.setdefault("DATABASE_URL", "sqlite:///var/test.sqlite3")
os.environ.setdefault("KOMMO_RATE_PER_ACCOUNT", "1000")
os.environ.setdefault("KOMMO_RATE_PER_IP", "0")
os.environ.setdefault("API_RATE", "0")
os.environ.setdefault("EMAIL_URL", "memorymail://")

from kommosync.settings import *  # noqa: F403
from kommosync.settings import CACHES, DATABASES, REDIS_URL, STATIC_ROOT, VAR_DIR

# A file, because threads and child processes of the tests need the same database; one per process, because
# several test runs may share this directory.
DATABASES["default"].setdefault("TEST", {})
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["TEST"]["NAME"] = str(VAR_DIR / f"test-{os.getpid()}.sqlite3")
    # Nobody reads it after a power failure.
    DATABASES["default"]["OPTIONS"]["init_command"] += "PRAGMA synchronous=OFF;"
if not REDIS_URL:
    CACHES["default"]["LOCATION"] = VAR_DIR / "cache" / f"test-{os.getpid()}"
KOMMO_SLOTS = "accounts.kommo.pacing.LocalSlots"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
STATIC_ROOT.mkdir(exist_ok=True)  # WhiteNoise warns without it, and warnings are errors
