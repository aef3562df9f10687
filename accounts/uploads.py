"""Uploaded files, which hold secrets: in memory while they are read, encrypted in the cache until somebody confirms."""

import io
from typing import Any
from uuid import uuid4

from cryptography.fernet import InvalidToken
from django.contrib.auth import get_user
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.cache import cache
from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadedfile import InMemoryUploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from accounts.fields import cipher
from accounts.refusals import Refusal

LARGEST_FILE = 10 * 1024 * 1024
LARGEST_REQUEST = 25 * 1024 * 1024  # with everything that comes beside the file
UPLOAD_VIEW = "admin:accounts_account_import"  # the only one that takes files
STORED_SECONDS = 60 * 60
CACHE_PREFIX = "import-"


def upload_gone() -> Refusal:
    """Returns the refusal of a file that was imported already, or that nobody confirmed within the hour."""
    message = _("This file was imported already, or waited for more than an hour; choose it again.")
    return Refusal("upload_gone", message)


class MemoryOnlyUploadHandler(FileUploadHandler):
    """Never writes an upload to the disk, where Django's own puts larger ones in clear.

    A file that is too large is cut off, with its true size for the form to refuse it.
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
    """Returns whether files are taken from this person at all; the view checks the permission again."""
    return user.is_active and user.is_staff and user.has_perm("accounts.import_account")


def cookies_may_upload(cookies: dict[str, str]) -> bool:
    """Returns the same for the sender of these cookies, before anything else of a request is there."""
    request = HttpRequest()
    request.COOKIES = cookies
    SessionMiddleware(lambda _request: HttpResponse()).process_request(request)
    return may_upload(get_user(request))


# -- between preview and confirmation --


def store_upload(content: bytes) -> str:
    """Stores the file encrypted for an hour; returns the random name that it is read by."""
    name = uuid4().hex
    cache.set(CACHE_PREFIX + name, cipher().encrypt(content).decode(), STORED_SECONDS)
    return name


def read_upload(name: str) -> bytes:
    """Returns the file as it came. Raises Refusal."""
    try:
        return cipher().decrypt(cache.get(CACHE_PREFIX + name, ""), ttl=STORED_SECONDS)
    except InvalidToken as error:
        raise upload_gone() from error


def forget_upload(name: str) -> None:
    """Deletes the stored file, if there is one and it is still there."""
    if name:
        cache.delete(CACHE_PREFIX + name)
