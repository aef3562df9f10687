"""Importing accounts in the admin: the file, what it would do, what it did; and no secret on the way."""

import io
import re
import zlib
from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import uploads
from accounts.models import Account, Integration, SyncGroup, TokenPair
from accounts.tests.factories import AccountFactory, GroupFactory

pytestmark = pytest.mark.django_db
LIST = reverse("admin:accounts_account_changelist")
IMPORT = reverse("admin:accounts_account_import")
CONFIRM = reverse("admin:accounts_account_process_import")
SECRETS = ("token-of-north", "token-of-south", "secret-of-sync", "def502-of-east", "token-of-boss")
CSV = (
    b"subdomain,role,name,token,client_id,client_secret,refresh_token,redirect_uri\n"
    b"north,slave,North,token-of-north,,,,\n"
    b"south,boss,South,token-of-boss,,,,\n"
    b"east,slave,East,,uuid-1, secret-of-sync ,def502-of-east,https://sync.example/cb\n"
)


@pytest.fixture(autouse=True)
def places(settings, tmp_path) -> Path:
    """Static files (without the directory whitenoise warns) and the cache that uploads wait in."""
    settings.STATIC_ROOT = tmp_path
    cache = tmp_path / "cache"
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": str(cache)}
    }
    return cache


@pytest.fixture
def viewer(client):
    user = User.objects.create_user("viewer", password="-", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_account"))
    client.force_login(user)
    return client


def look(client, content: bytes = CSV, name: str = "accounts.csv", **more: object):
    return client.post(IMPORT, {"group": "", **more, "import_file": SimpleUploadedFile(name, content)})


def confirm(client, preview, **changes: object):
    initial = preview.context["confirm_form"].initial
    data = {**initial, "group": initial["group"].pk if initial["group"] else "", **changes}
    return client.post(CONFIRM, data)


def text(answer) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def waiting(cache: Path) -> list[Path]:
    return list(cache.glob("*.djcache"))


# -- look, confirm, result --


def test_a_preview_tells_every_line_and_stores_nothing(admin_client) -> None:
    html = text(look(admin_client))
    assert "2 · New" in html
    assert "1 · Left out" in html
    assert "The role is &#x27;boss&#x27;" in html
    assert "<ins>••• new</ins>" in html
    assert "Spaces around client_secret were removed." in html
    assert not Account.objects.exists()
    assert not Integration.objects.exists()
    assert not SyncGroup.objects.exists()


def test_what_was_confirmed_is_stored_and_the_bad_lines_are_named_again(admin_client) -> None:
    html = text(confirm(admin_client, look(admin_client)))
    assert "Group Default: 2 created, 0 updated, 0 unchanged, 1 refused." in html
    assert "The role is &#x27;boss&#x27;" in html
    assert set(Account.objects.values_list("subdomain", flat=True)) == {"north", "east"}
    assert TokenPair.objects.get().refresh_token == "def502-of-east"
    assert Integration.objects.get().client_secret == "secret-of-sync"


def test_a_file_that_is_stored_already_offers_nothing_to_confirm(admin_client) -> None:
    confirm(admin_client, look(admin_client))
    html = text(look(admin_client, CSV.replace(b"south,boss,South,token-of-boss,,,,\n", b"")))
    assert "2 · Unchanged" in html
    assert "everything in this file is stored already" in html
    assert 'name="confirm"' not in html


def test_a_change_shows_old_and_new_but_of_a_secret_only_that_there_is_one(admin_client) -> None:
    AccountFactory(subdomain="north", name="Old name")
    html = text(look(admin_client, b"subdomain,name,token\nnorth,<b>New</b>,token-of-day\n"))
    assert "<del>Old name</del> → <ins>&lt;b&gt;New&lt;/b&gt;</ins>" in html
    assert "<del>••• set</del> → <ins>••• new</ins>" in html
    assert "token-of-day" not in html


def test_the_group_that_was_chosen_is_the_one_that_is_confirmed(admin_client) -> None:
    GroupFactory(name="Franchise")
    group = GroupFactory(name="Branches")
    assert "Branches, Franchise" in text(look(admin_client))
    confirm(admin_client, look(admin_client, group=group.pk))
    assert set(Account.objects.values_list("group__name", flat=True)) == {"Branches"}


def test_the_history_of_an_account_names_the_columns_and_no_value(admin_client) -> None:
    account = AccountFactory(subdomain="north", name="Old name")
    confirm(admin_client, look(admin_client, b"subdomain,name,token\nnorth,North,token-of-day\neast,,tok\n"))
    html = text(admin_client.get(reverse("admin:accounts_account_history", args=[account.pk])))
    assert "Changed name and token." in html
    assert LogEntry.objects.count() == 2
    assert "token-of-day" not in html + str(list(LogEntry.objects.values_list("change_message", "object_repr")))


def test_what_another_import_did_meanwhile_is_not_done_twice(admin_client) -> None:
    preview = look(admin_client, b"subdomain,name\nnorth,North\n")
    AccountFactory(subdomain="north", name="North", group=GroupFactory(name="Default"))
    assert "0 created, 0 updated, 1 unchanged" in text(confirm(admin_client, preview))


# -- the file between the two --


def test_a_waiting_file_is_encrypted_and_gone_after_it_was_confirmed(admin_client, places) -> None:
    preview = look(admin_client)
    (waits,) = waiting(places)
    raw = waits.read_bytes()
    unpacked = b"".join(_inflated(raw))
    assert not any(secret.encode() in raw + unpacked for secret in SECRETS)
    assert b"subdomain" not in raw + unpacked
    confirm(admin_client, preview)
    assert waiting(places) == []


def _inflated(raw: bytes) -> list[bytes]:
    """Django's file cache packs its values with zlib behind a pickled time."""
    at = raw.find(b"\x78")
    return [zlib.decompressobj().decompress(raw[at:])] if at >= 0 else []


def test_a_waiting_file_is_dropped_when_its_owner_comes_back_to_choose_another(admin_client, places) -> None:
    look(admin_client)
    admin_client.get(IMPORT)
    assert waiting(places) == []
    look(admin_client)
    look(admin_client)
    assert len(waiting(places)) == 1


def test_a_file_that_was_refused_does_not_wait(admin_client, places) -> None:
    GroupFactory(name="Branches")
    GroupFactory(name="Franchise")
    look(admin_client)
    look(admin_client, b"")
    assert waiting(places) == []


def test_a_file_is_imported_once(admin_client) -> None:
    preview = look(admin_client)
    confirm(admin_client, preview)
    answer = confirm(admin_client, preview)
    assert answer.url == IMPORT
    assert "choose it again" in text(admin_client.get(IMPORT))


def test_after_an_hour_the_file_has_to_be_chosen_again(admin_client, time_machine) -> None:
    time_machine.move_to("2026-03-01T10:00:00Z")
    preview = look(admin_client)
    time_machine.move_to("2026-03-01T11:00:01Z")
    assert confirm(admin_client, preview).url == IMPORT
    assert not Account.objects.exists()


def test_nobody_confirms_the_file_of_somebody_else(admin_client, client, django_user_model) -> None:
    preview = look(admin_client)
    client.force_login(django_user_model.objects.create_superuser("other", password="-"))
    assert confirm(client, preview).url == IMPORT
    assert not Account.objects.exists()


@pytest.mark.parametrize("changes", [{"format": "99"}, {"format": "x"}, {"resource": "7"}, {"original_file_name": ""}])
def test_a_forged_confirmation_changes_nothing_about_the_file(admin_client, changes) -> None:
    assert confirm(admin_client, look(admin_client), **changes).status_code == 200
    assert Account.objects.count() == 2


def test_a_group_that_was_deleted_meanwhile_is_not_replaced_by_another(admin_client) -> None:
    GroupFactory(name="Franchise")
    group = GroupFactory(name="Branches")
    preview = look(admin_client, group=group.pk)
    data = {**preview.context["confirm_form"].initial, "group": group.pk}
    group.delete()
    assert admin_client.post(CONFIRM, data).url == IMPORT
    assert "The chosen group was deleted meanwhile" in text(admin_client.get(IMPORT))
    assert not Account.objects.exists()


def test_an_upload_never_lies_on_the_disk_in_clear(rf, settings) -> None:
    content = b"subdomain\n" + b"x" * (5 * 1024 * 1024)
    request = rf.post(IMPORT, {"import_file": SimpleUploadedFile("large.csv", content)})
    file = request.FILES["import_file"]
    assert isinstance(file.file, io.BytesIO)
    assert file.read() == content


# -- no secret anywhere --


def test_no_page_of_an_import_holds_a_secret(admin_client) -> None:
    preview = look(admin_client)
    pages = [preview, confirm(admin_client, preview), look(admin_client), admin_client.get(IMPORT)]
    for page in pages:
        assert page.status_code == 200
        assert not any(secret in page.content.decode() for secret in SECRETS)


def test_a_crash_while_storing_shows_no_secret_even_in_djangos_debug_page(admin_client, settings, monkeypatch) -> None:
    def crash(account: Account, *args, **kwargs) -> None:
        raise RuntimeError("the database is on fire")

    preview = look(admin_client)
    settings.DEBUG = True
    admin_client.raise_request_exception = False
    monkeypatch.setattr(Account, "save", crash)
    answer = confirm(admin_client, preview)
    assert answer.status_code == 500
    html = answer.content.decode()
    assert "the database is on fire" in html
    assert [secret for secret in SECRETS if secret in html] == []


# -- files that are none --


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (b"", "a.csv", "empty"),
        (b"subdomain,token\n", "a.csv", "no accounts below"),
        ("subdomain\nnorth\n".encode("utf-16"), "a.csv", "UTF-16"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "a.xlsx", ".xls"),
    ],
    ids=["empty", "header-only", "utf-16", "old-excel"],
)
def test_what_is_no_table_is_told_beside_the_file(admin_client, content, name, says) -> None:
    answer = look(admin_client, content, name)
    assert says in str(answer.context["form"].errors["import_file"])


def test_a_random_binary_named_xlsx_is_told_to_be_no_text(admin_client) -> None:
    html = text(look(admin_client, b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "accounts.xlsx"))
    assert "not UTF-8" in html
    assert 'name="confirm"' not in html


def test_a_file_over_10_mb_is_refused_without_being_read(admin_client) -> None:
    answer = look(admin_client, b"x" * (uploads.LARGEST_FILE + 1))
    assert "10 MB" in str(answer.context["form"].errors["import_file"])


def test_no_file_at_all_is_told(admin_client) -> None:
    assert "required" in str(admin_client.post(IMPORT, {"group": ""}).context["form"].errors)


def test_a_wrong_header_names_the_known_columns(admin_client) -> None:
    html = text(look(admin_client, b"subdomain,color\nnorth,red\n"))
    assert "Unknown columns: 2 (&#x27;color&#x27;)" in html
    assert 'name="confirm"' not in html


# -- many rows --


def test_five_thousand_unchanged_rows_are_looked_at_with_a_handful_of_queries(admin_client) -> None:
    group = GroupFactory(name="Default")
    Account.objects.bulk_create(AccountFactory.build(group=group, subdomain=f"n{at}", name="N") for at in range(5000))
    rows = "".join(f"n{at},N,token-of-n{at}\n" for at in range(5000))
    with CaptureQueriesContext(connection) as queries:
        answer = look(admin_client, ("subdomain,name,token\n" + rows).encode())
    html = text(answer)
    assert "5000 · Unchanged" in html or "5,000 · Unchanged" in html
    assert "And 4500 more lines." in html or "And 4,500 more lines." in html
    assert len(html) < 300_000
    assert len(queries) < 25


# -- permissions --


def test_an_import_needs_its_own_permission_and_is_linked_for_those_who_have_it(viewer) -> None:
    assert viewer.get(IMPORT).status_code == 403
    assert look(viewer).status_code == 403
    assert viewer.post(CONFIRM, {"import_file_name": "x"}).status_code == 403
    assert IMPORT not in viewer.get(LIST).content.decode()
    User.objects.get(username="viewer").user_permissions.add(Permission.objects.get(codename="import_account"))
    assert viewer.get(IMPORT).status_code == 200
    assert IMPORT in viewer.get(LIST).content.decode()
    assert "1 created" in text(confirm(viewer, look(viewer, b"subdomain\nnorth\n")))


@pytest.mark.parametrize("language", ["pt-br", "es"])
def test_the_pages_open_in_the_other_languages(admin_client, language) -> None:
    headers = {"accept-language": language}
    assert admin_client.get(IMPORT, headers=headers).status_code == 200
    assert look(admin_client).status_code == 200
