"""What a person may paste where a subdomain is asked for."""

import re

from accounts import conf
from accounts.models import SUBDOMAIN_PATTERN

KOMMO_HOSTS = (".kommo.com", ".amocrm.com", ".amocrm.ru")
NOT_AN_ACCOUNT = frozenset({"www", "api", "developers"})


class NotASubdomain(ValueError):
    """The text names no account."""


def subdomain_of(text: str) -> str:
    """The subdomain in `text`: itself, a host (north.kommo.com) or a pasted address of the account.

    Raises NotASubdomain for everything else.
    """
    pasted = text.strip().lower()
    found = _by_template(pasted) or _by_host(pasted) or pasted
    if not re.match(SUBDOMAIN_PATTERN, found) or found in NOT_AN_ACCOUNT:
        raise NotASubdomain(text)
    return found


def _by_template(text: str) -> str | None:
    """The subdomain when the text is an address as KOMMO_URL_TEMPLATE makes them."""
    head, _, tail = conf.url_template().lower().partition(conf.PLACEHOLDER)
    match = re.match(re.escape(head) + r"([^./:?#]+)" + re.escape(tail) + r"(?:[/?#]|\Z)", text)
    return match[1] if match else None


def _by_host(text: str) -> str | None:
    host = re.sub(r"^https?://", "", text)
    host = re.split(r"[/?#:]", host, maxsplit=1)[0]
    for ending in KOMMO_HOSTS:
        if host.endswith(ending):
            return host.removesuffix(ending)
    return None
