"""What a person may paste where a subdomain is asked for, and what Kommo's consent page gives back."""

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


def subdomain_of_referer(referer: str, expected: str) -> str | None:
    """The subdomain in the `referer` of a consent; None when its host is not one of KOMMO_URL_TEMPLATE.

    With or without a scheme (kommo-api.md section 1.2, CONFLICT). A simulator on this machine may name its accounts
    as Kommo does (north.kommo.com), or only its own host: then it is `expected`. Nothing is ever sent to the text
    itself, only to the address that KOMMO_URL_TEMPLATE gives the subdomain.
    """
    told = _bare(referer)
    head, _, tail = _bare(conf.url_template()).partition(conf.PLACEHOLDER)
    match = re.fullmatch(re.escape(head) + r"([^./:?#@]+)" + re.escape(tail), told)
    found = match[1] if match else None
    if found is None and conf.is_loopback():
        found = expected if told == head.rstrip("/") else _of_kommo(told)
    return found if found and re.match(SUBDOMAIN_PATTERN, found) and found not in NOT_AN_ACCOUNT else None


def _bare(address: str) -> str:
    """Without scheme; a simulator on this machine may leave out its port, Kommo has none."""
    bare = re.sub(r"^https?://", "", address.strip().lower()).rstrip("/")
    return re.sub(r":\d+", "", bare) if conf.is_loopback() else bare


def _of_kommo(host: str) -> str | None:
    return next((host.removesuffix(end) for end in KOMMO_HOSTS if host.endswith(end)), None)


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
