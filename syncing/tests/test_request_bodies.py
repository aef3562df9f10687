"""Which bodies are read, and by whom: files by the import alone, after login and permission."""

import io

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from accounts.tests.factories import AccountFactory
from accounts.uploads import LARGEST_FILE, LARGEST_REQUEST
from syncing.models import SyncRun
from syncing.services.keys import create_key, make_webhook_token

pytestmark = pytest.mark.django_db
IMPORT = "/accounts/account/import/"
PAGES = ["/login/", "/", "/accounts/account/", "/accounts/account/process_import/", "/invite/x", "/logout/"]


def file(size: int = 100) -> SimpleUploadedFile:
    return SimpleUploadedFile("accounts.csv", b"subdomain,token\n".ljust(size, b"x"))


class Unread(io.BytesIO):
    """A body that nobody may read."""

    def read(self, *args: object) -> bytes:
        raise AssertionError("the body was read")


def post_unread(client: Client, path: str, size: int, content_type: str = "multipart/form-data; boundary=b"):
    return client.post(path, **{"wsgi.input": Unread(), "CONTENT_LENGTH": str(size), "CONTENT_TYPE": content_type})


@pytest.fixture
def anna(client: Client) -> Client:
    """May import."""
    user = User.objects.create_user("anna", is_staff=True)
    codes = ["import_account", "add_account", "change_account", "view_account"]
    user.user_permissions.set(Permission.objects.filter(codename__in=codes))
    client.force_login(user)
    return client


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("checks", [True, False])
def test_a_form_with_a_file_is_refused_everywhere_else(path: str, checks: bool) -> None:
    response = Client(enforce_csrf_checks=checks).post(path, {"name": "x", "file": file()})
    assert response.status_code == 400
    assert "Only the import of accounts accepts files." in response.content.decode()


def test_a_form_with_a_file_is_refused_for_who_is_logged_in(admin_client: Client) -> None:
    assert admin_client.post("/accounts/syncgroup/add/", {"name": "x", "file": file()}).status_code == 400


def test_a_form_that_comes_as_multipart_without_files_is_read(admin_user: User) -> None:
    response = Client().post("/login/?next=/", {"username": "admin", "password": "password"})
    assert response.request["CONTENT_TYPE"].startswith("multipart/form-data")
    assert (response.status_code, response["Location"]) == (302, "/")


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=b", "application/x-www-form-urlencoded", "text/plain"])
@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(
    ("fixture", "limit", "said"), [("client", 64 * 1024, "64.0\xa0KB"), ("admin_client", 1024 * 1024, "1.0\xa0MB")]
)
def test_a_body_over_64_kb_before_the_login_and_over_1_mb_after_it_is_refused_unread(
    request: pytest.FixtureRequest, fixture: str, limit: int, said: str, path: str, kind: str
) -> None:
    response = post_unread(request.getfixturevalue(fixture), path, limit + 1, kind)
    assert response.status_code == 413
    assert f"The request is larger than {said}." in response.content.decode()
    assert response["Content-Security-Policy"]


def test_the_refusal_is_a_page_of_ours_in_the_language_of_the_browser(client: Client) -> None:
    response = client.post("/login/", {"file": file()}, headers={"accept-language": "pt-br"})
    assert 'lang="pt-br"' in response.content.decode()


def test_an_import_before_the_login_is_sent_there_unread(client: Client) -> None:
    response = post_unread(client, IMPORT, 20_000_000)
    assert (response.status_code, response["Location"].partition("?")[0]) == (302, "/login/")


def test_an_import_without_the_permission_is_refused_unread(client: Client) -> None:
    client.force_login(User.objects.create_user("ben", is_staff=True))
    assert post_unread(client, IMPORT, 20_000_000).status_code == 403


def test_an_import_over_25_mb_is_refused_unread(anna: Client) -> None:
    response = post_unread(anna, IMPORT, LARGEST_REQUEST + 1)
    assert response.status_code == 413
    assert "The request is larger than 25.0\xa0MB." in response.content.decode()


def test_an_import_by_somebody_who_may_is_read(anna: Client) -> None:
    response = anna.post(IMPORT, {"import_file": file()})
    assert response.status_code == 200
    assert "refused" not in response.templates[0].name


def test_a_file_over_10_mb_within_a_request_below_25_is_refused_by_the_form(anna: Client) -> None:
    response = anna.post(IMPORT, {"import_file": file(LARGEST_FILE + 1)})
    assert "The file is larger than 10 MB." in response.content.decode()


@pytest.mark.parametrize("size", [100_000, 5_000_000])
def test_the_api_refuses_a_large_body_unread_and_in_json(client: Client, size: int) -> None:
    response = post_unread(client, "/api/sync/trigger", size)
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "too_large"


def test_the_api_refuses_a_file_in_json(client: Client) -> None:
    AccountFactory.cast()
    _key, secret = create_key(name="crm", scopes=["trigger"])
    response = client.post("/api/sync/trigger", {"file": file()}, headers={"authorization": f"Bearer {secret}"})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "bad_json")
    assert not SyncRun.objects.exists()


@pytest.mark.parametrize("size", [100, 3_000_000])
def test_a_webhook_takes_any_body_files_included(client: Client, size: int) -> None:
    group = AccountFactory.cast()["north"].group
    response = client.post(f"/api/sync/webhook/{make_webhook_token(group)}", {"name": "x", "file": file(size)})
    assert response.status_code == 202
    assert SyncRun.objects.count() == 1


def test_many_small_files_are_refused_at_the_first(client: Client) -> None:
    response = client.post("/login/", {f"file{number}": file(20) for number in range(300)})
    assert "Only the import of accounts accepts files." in response.content.decode()


def test_a_length_that_is_no_number_is_no_error(client: Client) -> None:
    assert client.post("/login/", CONTENT_LENGTH="many").status_code == 200


def test_the_path_of_the_import_is_the_one_of_the_admin() -> None:
    assert reverse("admin:accounts_account_import") == IMPORT
