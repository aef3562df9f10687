"""Uploaded files, which hold secrets: in memory while they are read, encrypted until somebody confirms."""

import io
from typing import Any

from cryptography.fernet import InvalidToken
from django.contrib.auth import get_user
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadedfile import InMemoryUploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, HttpResponse
from import_export.tmp_storages import CacheStorage

from accounts.fields import cipher

LARGEST_FILE = 10 * 1024 * 1024
LARGEST_REQUEST = 25 * 1024 * 1024  # with everything that comes beside the file
UPLOAD_VIEW = "admin:accounts_account_import"  # the only one that takes files
KEPT_SECONDS = 60 * 60


class UploadGone(Exception):
    """The file was imported already, or nobody confirmed it within the hour."""


class MemoryOnlyUploadHandler(FileUploadHandler):
    """Never writes an upload to the disk, where Django's own puts larger ones in clear.

    Of a file that is too large only the size is told, for the form to refuse it.
    """

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.file = io.BytesIO()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if start + len(raw_data) <= LARGEST_FILE:
            self.file.write(raw_data)

    def file_complete(self, file_size: int) -> InMemoryUploadedFile:
        self.file.seek(0)
        return InMemoryUploadedFile(
            file=self.file,
            field_name=self.field_name,
            name=self.file_name,
            content_type=self.content_type,
            size=file_size,
            charset=self.charset,
            content_type_extra=self.content_type_extra,
        )


class FilesRefused(SuspiciousOperation):
    """A file came where none is taken."""


class NoFiles(FileUploadHandler):
    """Ends the reading of a form at its first file."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        raise FilesRefused

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        raise FilesRefused

    def file_complete(self, file_size: int) -> None:
        raise FilesRefused


def may_upload(user: User | AnonymousUser) -> bool:
    """Says whether files are taken from this person at all; the view has its own door behind this one."""
    return user.is_active and user.is_staff and user.has_perm("accounts.import_account")


def cookies_may_upload(cookies: dict[str, str]) -> bool:
    """Says the same of whoever sends these cookies, before anything else of a request is there."""
    request = HttpRequest()
    request.COOKIES = cookies
    SessionMiddleware(lambda _request: HttpResponse()).process_request(request)
    return may_upload(get_user(request))


class SealedStorage(CacheStorage):  # type: ignore[misc]
    """A file between preview and confirmation, under a random name; `read` gives it sealed."""

    CACHE_LIFETIME = KEPT_SECONDS
    CACHE_PREFIX = "import-"

    def save(self, data: bytes) -> None:
        super().save(cipher().encrypt(data).decode())

    def read(self) -> bytes:
        sealed: str | None = super().read()
        if sealed is None:
            raise UploadGone
        return sealed.encode()


def unsealed(sealed: bytes) -> bytes:
    """The file that `SealedStorage` keeps; raises UploadGone."""
    try:
        return cipher().decrypt(sealed, ttl=KEPT_SECONDS)
    except InvalidToken as error:
        raise UploadGone from error


def forget_upload(name: str | None) -> None:
    """The file is wanted no more, if it is there at all."""
    if name:
        SealedStorage(name=name).remove()
