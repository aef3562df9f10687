"""What a person may paste where a subdomain is asked for, and what Kommo's consent page gives back."""

import re

from accounts import conf
from accounts.models import SUBDOMAIN_PATTERN
from accounts.services.tables.lines import bare

KOMMO_HOSTS = (".kommo.com", ".amocrm.com", ".amocrm.ru")
SCHEME = re.compile(r"\A(?:https?:)?//")
ADDRESS = re.compile(r"\w\.\w")  # a host; a slip of the finger such as a point at the end is none
NOT_AN_ACCOUNT = frozenset({"www", "api", "developers"})


class NotASubdomain(ValueError):
    """The text names no account."""


class ForeignAddress(NotASubdomain):
    """The text is an address, but none that KOMMO_URL_TEMPLATE gives: north.amocrm.ru is not north.kommo.com."""


def subdomain_of(text: str) -> str:
    """The subdomain in `text`: itself, a host (north.kommo.com) or a pasted address of the account.

    Raises NotASubdomain for everything else.
    """
    pasted = bare(text).lower()
    address = SCHEME.sub("", pasted)
    found = _by_template(address) or (_of_simulated_kommo(address) if conf.is_loopback() else None)
    if found is None and (address != pasted or ADDRESS.search(address)):
        raise ForeignAddress(text)
    found = found or pasted
    if not re.match(SUBDOMAIN_PATTERN, found) or found in NOT_AN_ACCOUNT:
        raise NotASubdomain(text)
    return found


def subdomain_of_referer(referer: str, expected: str) -> str | None:
    """The subdomain in the `referer` of a consent; None when its host is not one of KOMMO_URL_TEMPLATE.

    With or without a scheme (docs/kommo.md 1.2: sources disagree). A simulator on this machine may name its accounts
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


def _by_template(address: str) -> str | None:
    """The subdomain when the address is one as KOMMO_URL_TEMPLATE makes them, whatever its page, port and scheme."""
    head, _, tail = SCHEME.sub("", conf.url_template().lower()).partition(conf.PLACEHOLDER)
    match = re.match(re.escape(head) + r"([^./:?#@]+)" + re.escape(tail) + r"\.?(?::\d+)?(?:[/?#]|\Z)", address)
    return match[1] if match else None


def _of_simulated_kommo(address: str) -> str | None:
    """A simulator on this machine stands for kommo.com."""
    host = re.split(r"[/?#:]", address, maxsplit=1)[0]
    return host.removesuffix(KOMMO_HOSTS[0]) if host.endswith(KOMMO_HOSTS[0]) else None
