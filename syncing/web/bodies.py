"""The limits of a request's body, by its path: one rule for the web server and for Django's middleware."""

from dataclasses import dataclass

from django.urls import reverse

from accounts.uploads import LARGEST_REQUEST, UPLOAD_VIEW
from syncing import conf

ANONYMOUS_LIMIT = 64 * 1024  # bytes; for more the sender has to be known


@dataclass(frozen=True)
class BodyRule:
    limit: int  # bytes
    is_read: bool = True  # False: thrown away as it comes
    is_upload: bool = False  # True: files are taken, from somebody who may upload


WEBHOOK = BodyRule(2 * 1024 * 1024, is_read=False)
API = BodyRule(conf.API_BODY_LIMIT)
UPLOAD = BodyRule(LARGEST_REQUEST, is_upload=True)


def rule_for(path: str) -> BodyRule:
    """Returns the rule for the body of a request to `path`."""
    if path.startswith("/api/sync/webhook/"):
        return WEBHOOK
    if path.startswith("/api/"):
        return API
    if path == reverse(UPLOAD_VIEW):
        return UPLOAD
    return BodyRule(conf.largest_form())
