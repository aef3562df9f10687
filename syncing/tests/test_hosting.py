"""Where it is run: health checks of this machine, the cache in Redis, outputs that end early, a first password."""

import csv
import io
import json
import os
import pickle
import stat
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.cache import caches
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.status import Stat, Status

from accounts.models import Account
from accounts.refusals import Refusal
from accounts.services.upkeep import renewal
from accounts.tests.factories import AccountFactory
from accounts.tests.redis_databases import redis_database
from accounts.uploads import read_upload, store_upload
from syncing.models import IdMapping
from syncing.operations import setup_steps
from syncing.presentation.labels import value_text
from syncing.tests.factories import AccountRunFactory, DriftFactory, difference

ROOT = Path(__file__).resolve().parents[2]


# -- health checks --


@pytest.fixture
def https_only(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["sync.example.com"]
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "evil.example", "no host at all", ""])
@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.0.1", "::1", "::ffff:127.0.0.1"])
def test_this_machine_is_answered_under_any_host_without_https(
    client, https_only, path: str, host: str, address: str
) -> None:
    answer = client.get(path, headers={"Host": host}, REMOTE_ADDR=address)

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert client.head(path, headers={"Host": host}, REMOTE_ADDR=address).status_code == 200


@pytest.mark.parametrize("address", ["203.0.113.7", "2001:db8::1", "10.0.0.1", "::ffff:203.0.113.7", ""])
def test_others_have_to_know_the_host_and_are_sent_to_https(client, https_only, address: str) -> None:
    assert client.get("/healthz", headers={"Host": "evil.example"}, REMOTE_ADDR=address).status_code == 400
    asked = client.get("/healthz", headers={"Host": "sync.example.com"}, REMOTE_ADDR=address)
    assert (asked.status_code, asked["Location"]) == (301, "https://sync.example.com/healthz")


@pytest.mark.parametrize("path", ["/", "/healthz/", "/login/", "/api/sync/status"])
def test_this_machine_gets_no_other_page_that_way(client, https_only, path: str) -> None:
    assert client.get(path, headers={"Host": "evil.example"}).status_code == 400
    assert client.get(path, headers={"Host": "sync.example.com"}).status_code == 301


# -- the cache in Redis --


@pytest.fixture
def redis_cache(settings: Any, redis_server: str) -> Any:
    with redis_database(redis_server) as url:
        settings.CACHES = {
            "default": {
                "BACKEND": "django.core.cache.backends.redis.RedisCache",
                "LOCATION": url,
                "OPTIONS": {"serializer": "kommosync.caching.JsonSerializer"},
            }
        }
        yield caches["default"]


def test_redis_holds_json_and_nothing_that_runs(redis_cache: Any, tmp_path: Path) -> None:
    redis_cache.set("a", {"n": [1, "é", None]})
    redis_cache.set("n", 1)
    client = redis_cache._cache.get_client(None, write=True)
    assert json.loads(client.get(redis_cache.make_key("a"))) == {"n": [1, "é", None]}
    assert (redis_cache.incr("n"), redis_cache.get("n"), redis_cache.get("missing", 7)) == (2, 2, 7)

    class Trap:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "ran"),)

    client.set(redis_cache.make_key("trap"), pickle.dumps(Trap()))
    with pytest.raises(ValueError, match=r"codec|Expecting"):
        redis_cache.get("trap")
    assert not (tmp_path / "ran").exists()


@pytest.mark.django_db
def test_the_queue_tells_of_its_clusters_through_json(redis_cache: Any) -> None:
    """django-q2 keeps there what its worker processes say of themselves."""
    broker = get_broker()
    broker.cache = redis_cache
    status = Status(4711, "cluster-1")
    Stat.save(_stat(status, broker))

    assert [stat.cluster_id for stat in Stat.get_all(broker)] == ["cluster-1"]
    assert Stat.get(pid=4711, cluster_id="cluster-1", broker=broker).pid == 4711


def _stat(status: Status, broker: Any) -> Any:
    stat = Stat.__new__(Stat)
    vars(stat).update(vars(status), broker=broker, status="Idle", workers=[1])
    return stat


@pytest.mark.django_db
def test_an_import_waits_in_redis_and_goes_through(admin_client, redis_cache: Any) -> None:
    AccountFactory(subdomain="master", role="master")
    file = SimpleUploadedFile("a.csv", b"subdomain,name\nnorth,N\xc3\xb6rth\n")
    looked = admin_client.post(reverse("admin:accounts_account_import"), {"group": "", "import_file": file})
    initial = looked.context["confirm_form"].initial

    admin_client.post(reverse("admin:accounts_account_process_import"), {**initial, "group": ""})

    assert Account.objects.get(subdomain="north").name == "Nörth"


def test_a_file_that_waits_comes_back_as_it_was(redis_cache: Any, settings: Any) -> None:
    content = bytes(range(256)) * 100

    assert read_upload(store_upload(content)) == content


# -- sessions --


@pytest.mark.django_db
def test_sessions_that_have_expired_are_cleared_by_the_upkeep() -> None:
    for hours in (-1, 1):
        session = SessionStore()
        session.set_expiry(timedelta(hours=hours))
        session.save()

    renewal.run_round()

    assert [row.expire_date > timezone.now() for row in Session.objects.all()] == [True]


# -- a first password --


@pytest.mark.django_db
@pytest.mark.parametrize("password", ["sh0rt!", "123456789012345", "qwerty123456"])
def test_a_given_password_that_breaks_a_rule_is_refused_and_not_shown(monkeypatch, password: str) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", password)

    with pytest.raises(Refusal) as refused:
        setup_steps.superuser(new_password=False)

    assert "DJANGO_SUPERUSER_PASSWORD is refused: This password" in str(refused.value)
    assert password not in str(refused.value)
    assert not User.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("new_password", [False, True])
def test_a_given_password_is_taken_and_not_printed(monkeypatch, new_password: bool) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "correct-horse-battery")
    if new_password:
        User.objects.create_superuser("admin", "", "another-password-1")

    step, printed = setup_steps.superuser(new_password=new_password)

    assert User.objects.get().check_password("correct-horse-battery")
    assert printed is None
    assert "correct-horse" not in str(step)


@pytest.mark.django_db
def test_the_command_ends_in_2_with_the_rule(monkeypatch, capsys, tmp_path) -> None:
    monkeypatch.setattr(setup_steps, "migrate", lambda: setup_steps.SetupStep("database", False))
    monkeypatch.setattr(setup_steps, "collect_static", lambda: setup_steps.SetupStep("static files", False))
    for name in ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "short")

    with pytest.raises(CommandError, match="too short") as refused:
        call_command("setup")

    assert refused.value.returncode == 2


def test_an_sqlite_file_is_its_owners_alone(monkeypatch, tmp_path: Path) -> None:
    file = tmp_path / "kommosync.sqlite3"
    monkeypatch.setitem(connection.settings_dict, "NAME", str(file))
    monkeypatch.setattr(connection, "is_in_memory_db", lambda: False, raising=False)
    for mode in (None, 0o644):
        if mode:
            file.chmod(mode)
        setup_steps.make_database_private()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


# -- export_ids --


@pytest.fixture
def north() -> Account:
    north = AccountFactory(subdomain="north")
    names = {"pipeline": ("7", '=HYPERLINK("http://x")', "@parent"), "field_group": ("leads/leads_1", "-1+1", "\tx")}
    for kind, (key, name, parent) in names.items():
        IdMapping.objects.create(account=north, kind=kind, master_key=key, slave_key=key, name=name, parent=parent)
    return north


@pytest.mark.django_db
def test_export_ids_gives_a_spreadsheet_no_formula_and_json_the_names_as_they_are(north: Account, capsys) -> None:
    call_command("export_ids", "--account", "north", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {row["name"] for row in rows} == {'\'=HYPERLINK("http://x")', "'-1+1"}
    assert {row["parent"] for row in rows} == {"'@parent", "'\tx"}
    assert {row["master_id"] for row in rows} == {"7", "leads_1"}

    call_command("export_ids", "--account", " NORTH ")
    assert {row["name"] for row in json.loads(capsys.readouterr().out)} == {'=HYPERLINK("http://x")', "-1+1"}


@pytest.mark.django_db
@pytest.mark.parametrize("account", ["nowhere", "", "no rth", "\udcff", "x" * 5000, "'; --"])
def test_an_account_that_is_not_there_is_a_sentence(account: str) -> None:
    with pytest.raises(CommandError, match="No such account") as error:
        call_command("export_ids", "--account", account)
    assert error.value.returncode == 2


@dataclass(frozen=True)
class Ended:
    stdout: str
    stderr: str
    returncode: int


def _ended(directory: Path) -> dict[str, Ended]:
    """Processes of their own, all at once, as each takes a second to load."""
    help_, settings_ = "manage.py help export_ids", "from django.conf import settings as s; import json"
    lines = {
        "settings": f"-c \"{settings_}; print(json.dumps(s.CACHES['default']))\"",
        "no tables": "manage.py export_ids --account north",
        "closed pipe": f"{help_} | true",
        "full disk": f"{help_} >/dev/full",
        "closed": f"{help_} >&-",
    }
    keys = {"SECRET_KEY": "x" * 60, "FIELD_ENCRYPTION_KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}
    place = {"KOMMOSYNC_ENV_FILE": os.devnull, "VAR_DIR": str(directory)}
    more = {"DJANGO_SETTINGS_MODULE": "kommosync.settings", "REDIS_URL": "redis://127.0.0.1:1/9"}
    environment = {"PATH": os.environ["PATH"], **keys, **place, **more}
    started = {
        name: subprocess.Popen(
            ["/bin/bash", "-o", "pipefail", "-c", f'"{sys.executable}" {line}'],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, line in lines.items()
    }
    return {name: Ended(*process.communicate(timeout=60), process.returncode) for name, process in started.items()}


def test_processes_end_with_a_sentence_and_take_their_cache_from_the_settings(tmp_path: Path) -> None:
    """`help` stands for all whose output leaves the process at its end. One test, as they start all at once."""
    ended = _ended(tmp_path)

    assert not [name for name, said in ended.items() if "Traceback" in said.stderr or "ignored" in said.stderr]
    codes = {name: said.returncode for name, said in ended.items()}
    assert codes == {"settings": 0, "no tables": 2, "closed pipe": 0, "full disk": 1, "closed": 0}
    assert ended["no tables"].stderr.startswith("Tables are missing in the database.")
    assert ended["no tables"].stderr.count("\n") == 1
    cache = json.loads(ended["settings"].stdout)
    assert cache["OPTIONS"] == {"serializer": "kommosync.caching.JsonSerializer"}
    assert cache["VERSION"] == 2  # what was pickled before is not read


# -- colours and names --


def test_only_a_colour_is_shown_as_one() -> None:
    assert "<svg" in value_text("#ff0000", "color")
    for attribute in ("name", "enums", "", "descriptions", "currency"):
        assert value_text("#ff0000", attribute) == "#ff0000"
    assert value_text(["#ff0000", "red"], "enums") == "#ff0000, red"
    assert value_text({"#ff0000": "#00ff00"}, "enum_codes") == "#ff0000: #00ff00"
    assert value_text("red", "color") == "red"


@pytest.mark.django_db
def test_an_option_called_as_a_colour_is_a_name_on_every_page(admin_client) -> None:
    row = difference(attribute="name", name="#00ff00", ours="#ff0000", theirs="#00ff00")
    drift = DriftFactory(rows=[row])
    fields = {"enums": [["#ff0000"], ["#ff0000", "#00ff00"]], "name": ["#ff0000", "#00ff00"]}
    changed = {"action": "update", "kind": "custom_field", "name": "X", "parent": "leads", "fields": fields}
    document = {"changes": [{**changed, "outcome": "done"}], "extras": [], "conflicts": [], "manual": []}
    account_run = AccountRunFactory(account=drift.account, state="changed", document=document, content_digest="c" * 64)

    pages = [
        reverse("syncing:drift_account", args=[drift.account_id]),
        reverse("syncing:promote", args=[drift.account_id]),
        reverse("admin:syncing_accountrun_change", args=[account_run.pk]),
    ]
    for url in pages:
        html = admin_client.get(url).content.decode()
        assert "#ff0000" in html, url
        assert "ks-swatch" not in html, url
