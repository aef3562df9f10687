"""Reads a subdomain out of what a person pastes, and out of what Kommo's consent page gives back."""

import re

from django.utils.translation import gettext as _

from accounts import conf
from accounts.models import SUBDOMAIN_PATTERN
from accounts.refusals import Refusal
from accounts.services.tables.lines import bare

KOMMO_HOSTS = (".kommo.com", ".amocrm.com", ".amocrm.ru")
SCHEME = re.compile(r"\A(?:https?:)?//")
ADDRESS = re.compile(r"\w\.\w")  # a host; a slip of the finger such as a point at the end is none
NOT_AN_ACCOUNT = frozenset({"www", "api", "developers"})

# Codes of refusals: the text is an address, but none that KOMMO_URL_TEMPLATE gives (north.amocrm.ru is not
# north.kommo.com); or it names no account at all.
FOREIGN, NO_SUBDOMAIN = "foreign_address", "no_subdomain"


def subdomain_of(text: str) -> str:
    """Returns the subdomain in `text`: itself, a host (north.kommo.com) or a pasted address of the account.

    Raises Refusal for everything else.
    """
    pasted = bare(text).lower()
    address = SCHEME.sub("", pasted)
    # Made as KOMMO_URL_TEMPLATE says, whatever its page, port and scheme.
    head, _placeholder, tail = SCHEME.sub("", conf.url_template().lower()).partition(conf.PLACEHOLDER)
    match = re.match(re.escape(head) + r"([^./:?#@]+)" + re.escape(tail) + r"\.?(?::\d+)?(?:[/?#]|\Z)", address)
    subdomain = match[1] if match else None
    if subdomain is None and conf.is_loopback():  # a simulator on this machine stands for kommo.com
        host = re.split(r"[/?#:]", address, maxsplit=1)[0]
        subdomain = host.removesuffix(KOMMO_HOSTS[0]) if host.endswith(KOMMO_HOSTS[0]) else None
    if subdomain is None and (address != pasted or ADDRESS.search(address)):
        message = _("This is not the address of an account here: they are all at %(known)s.")
        raise Refusal(FOREIGN, message % {"known": conf.url_template()})
    subdomain = subdomain or pasted
    if not _can_be_account(subdomain):
        raise Refusal(NO_SUBDOMAIN, _("This is not the subdomain of an account."))
    return subdomain


def subdomain_of_referer(referer: str, expected: str) -> str | None:
    """Returns the subdomain in the `referer` of a consent; None when its host is not one of KOMMO_URL_TEMPLATE.

    With or without a scheme (docs/kommo.md 1.2: sources disagree). A simulator on this machine may name its accounts
    as Kommo does (north.kommo.com), or only its own host: then it is `expected`. Nothing is ever sent to the text
    itself, only to the address that KOMMO_URL_TEMPLATE gives the subdomain.
    """
    address = _bare(referer)
    head, _, tail = _bare(conf.url_template()).partition(conf.PLACEHOLDER)
    match = re.fullmatch(re.escape(head) + r"([^./:?#@]+)" + re.escape(tail), address)
    subdomain = match[1] if match else None
    if subdomain is None and conf.is_loopback():
        of_kommo = (address.removesuffix(end) for end in KOMMO_HOSTS if address.endswith(end))
        subdomain = expected if address == head.rstrip("/") else next(of_kommo, None)
    return subdomain if subdomain and _can_be_account(subdomain) else None


def _can_be_account(subdomain: str) -> bool:
    return bool(re.match(SUBDOMAIN_PATTERN, subdomain)) and subdomain not in NOT_AN_ACCOUNT


def _bare(address: str) -> str:
    """Removes the scheme; a simulator on this machine may leave out its port, Kommo has none."""
    bare = re.sub(r"^https?://", "", address.strip().lower()).rstrip("/")
    return re.sub(r":\d+", "", bare) if conf.is_loopback() else bare
