"""Addresses of channels: which kind one is, and whether messages may be sent there."""

import re
from collections.abc import Iterator
from urllib.parse import unquote

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from accounts.refusals import Refusal
from syncing import conf
from syncing.models import EMAIL
from syncing.notifications.networks import leads_to_private

LONGEST = 2000  # characters
MOST_EMAILS = 20
# Schemes that send to the host in their URL; in all others there is a token, which must not be looked up.
SENT_TO_HOST = frozenset(
    {
        *("apprise", "apprises", "evolution", "evolutions", "form", "forms", "gotify", "gotifys", "hassio", "hassios"),
        *("json", "jsons", "matrix", "matrixs", "mmost", "mmosts", "nctalk", "nctalks", "ntfy", "ntfys", "rocket"),
        *("rockets", "signal", "signals", "synology", "synologys", "workflow", "workflows", "xml", "xmls", "zulip"),
    }
)
# The options of an URL that say where and how a message appears. Others of Apprise read files (template, attach), send
# the message on (redirect), or decide how long it takes and whether a failure is one (retry, wait, rto, optional).
OPTIONS = frozenset(
    {
        *("api-version", "avatar", "avatar_url", "blocks", "botname", "channel", "channels", "class", "click"),
        *("content", "detect", "emojis", "flags", "footer", "footer_logo", "format", "from", "group", "href"),
        *("icon_url", "id", "image", "key", "lang", "mdv", "method", "mode", "overflow", "pa", "pass"),
        *("password", "ping", "powerautomate", "preview", "priority", "region", "route", "secret", "severity"),
        *("sig", "silent", "sound", "source", "tags", "team", "thread", "timestamp", "to", "token", "topic"),
        *("tts", "tz", "user", "ver", "verify", "version", "webhook", "workspace", "wrap", "xtags"),
    }
)
HARMFUL = frozenset({"attach", "cto", "file_url", "optional", "redirect", "retry", "rto", "store", "template", "wait"})
PREFIXES = ("+", "-", ":")  # headers, parameters and contents that are added to a request
UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")
AUTHORITY = re.compile(r"\A(?:[^@\[\]]*@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^@:\[\]]*)(?P<rest>:.*)?\Z")
HOST = re.compile(r"\A(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)\Z")
PORT = re.compile(r"\A:\d{1,5}\Z")


def kind_of(address: str) -> str:
    """Returns EMAIL, or the scheme of an Apprise URL."""
    scheme, separator, _rest = address.strip().partition("://")
    return scheme.lower() if separator else EMAIL


def emails_of(address: str) -> list[str]:
    """Returns the e-mail addresses of a channel; they are separated by commas."""
    return [each.strip() for each in address.split(",") if each.strip()]


def check_address(address: str) -> None:
    """Raises Refusal (bad_scheme, bad_address, private_address); never with the address in it, which is a secret.

    The names in it are looked up, which may take some seconds.
    """
    if kind_of(address) == EMAIL:
        _check_emails(address)
    else:
        _check_url(address.strip())


def _check_emails(address: str) -> None:
    """Raises Refusal unless these are one or more e-mail addresses."""
    emails = emails_of(address)
    if not 0 < len(emails) <= MOST_EMAILS or len(address) > LONGEST:
        raise _bad(_("It needs one to %(most)d e-mail addresses, separated by commas.") % {"most": MOST_EMAILS})
    for number, email in enumerate(emails, start=1):
        try:
            if not email.isprintable():  # a line break would begin another header
                raise ValidationError("")
            validate_email(email)
        except ValidationError as error:
            raise _bad(_("The e-mail address %(number)d is none.") % {"number": number}) from error


def _check_url(address: str) -> None:
    """Raises Refusal for an Apprise URL of another scheme, option, form or place than those allowed."""
    scheme = kind_of(address)
    if scheme not in conf.notify_schemes():
        message = _("Channels of this kind are not allowed.")
        allowed = ", ".join(sorted(conf.notify_schemes()))
        raise Refusal("bad_scheme", message, _("Allowed are e-mail and: %(schemes)s.") % {"schemes": allowed})
    if len(address) > LONGEST or UNSAFE.search(address) or not address.isprintable():
        raise _bad(_("It is too long, or holds a space, a line break or a backslash."))
    before, _mark, query = address.partition("://")[2].partition("?")
    if forbidden := {name for name in _option_names(query) if name not in OPTIONS}:
        named = sorted(forbidden & HARMFUL)  # another one may be a token in a wrong place
        if named:
            raise _bad(_("These options are not allowed: %(names)s.") % {"names": ", ".join(named)})
        raise _bad(_("It has an option that is not allowed."))
    authority = AUTHORITY.match(re.split("[/#]", before)[0])
    if authority is None:
        raise _bad(_("It has more than one @, or brackets where none belong."))
    if scheme not in SENT_TO_HOST:
        return
    host, port = authority["host"], authority["rest"] or ""
    if not HOST.match(host) or (port and not PORT.match(port)):
        raise _bad(_("It has no host, or one that cannot be: write a name or an IP address, and a port if needed."))
    if not conf.notify_private() and leads_to_private(host):
        message = _("It leads to this machine, or into a private network.")
        raise Refusal("private_address", message, _("Set NOTIFY_PRIVATE=on if that is meant."))


def _option_names(query: str) -> Iterator[str]:
    """Yields the names of the options of an Apprise URL, as Apprise reads them."""
    for pair in re.split("[&;]", query):
        name = unquote(pair.partition("=")[0][:1] + pair.partition("=")[0][1:].replace("+", " "))
        if name and not name.startswith(PREFIXES):
            yield name.lower().strip()


def without_forbidden_options(address: str) -> str:
    """Returns an Apprise URL without the options that are not allowed."""
    before, mark, query = address.partition("?")
    kept = [pair for pair in query.split("&") if all(name in OPTIONS for name in _option_names(pair))]
    return before + mark + "&".join(kept)


def _bad(message: str) -> Refusal:
    return Refusal("bad_address", _("The address is not usable.") + " " + message, _("See docs/messages.md."))
