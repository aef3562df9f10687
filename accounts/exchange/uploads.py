"""Uploaded files, which hold secrets: in memory while they are read, encrypted until somebody confirms."""

import io
from typing import Any

from cryptography.fernet import InvalidToken
from django.core.files.uploadedfile import InMemoryUploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from import_export.tmp_storages import CacheStorage

from accounts.fields import cipher

LARGEST_FILE = 10 * 1024 * 1024
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


class SealedStorage(CacheStorage):  # type: ignore[misc]
    """A file between preview and confirmation, under a random name; `read` gives it sealed."""

    CACHE_LIFETIME = KEPT_SECONDS
    CACHE_PREFIX = "import-"

    def save(self, data: bytes) -> None:
        super().save(cipher().encrypt(data))

    def read(self) -> bytes:
        sealed: bytes | None = super().read()
        if sealed is None:
            raise UploadGone
        return sealed


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
