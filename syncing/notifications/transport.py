"""Sends one message to one channel, within a total time, and says in a sentence why that failed."""

import json
import os
import smtplib
import ssl
import subprocess
import sys
import threading
from typing import Any

from django.core.mail import EmailMultiAlternatives
from django.utils.translation import gettext as _

from accounts import conf as accounts_conf
from accounts.fields import WrongEncryptionKey
from accounts.refusals import Refusal
from syncing import conf
from syncing.error_boundary import bounded
from syncing.models import EMAIL, Channel, Message
from syncing.notifications.addresses import check_address, emails_of, kind_of, without_forbidden_options

DEADLINE = 15.0  # seconds for one message, whatever the server does
SENDER = (sys.executable, "-m", "syncing.notifications.sender")
# What the sender's process inherits; the rest of our environment holds secrets.
INHERITED = ("LANG", "LC_ALL", "PATH", "PYTHONDONTWRITEBYTECODE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
SERVER_FAILED = 500
REDIRECTED = range(300, 400)


def send(channel: Channel, message: Message) -> str:
    """Sends a message; returns "", or why it failed: a sentence without the address or a secret."""
    try:
        address = channel.address
        check_address(address)  # again: its name may lead elsewhere by now, and the settings may be others
    except WrongEncryptionKey:
        return _("The address cannot be read: its key is missing in FIELD_ENCRYPTION_KEYS. Enter the address anew.")
    except Refusal as error:
        return str(error)
    if kind_of(address) == EMAIL:
        return _send_email(address, message)
    task = {"url": address.strip(), "title": message.title, "text": message.text, "private": conf.notify_private()}
    return _sentence(_ask_sender(task))


def is_understood(address: str) -> bool:
    """Tells whether Apprise makes something of an address, without sending; e-mail addresses are always."""
    if kind_of(address) == EMAIL:
        return True
    return _ask_sender({"url": address.strip()}).get("outcome") != "not_understood"


def apprise_url(web_address: str) -> str:
    """Returns the Apprise URL of an address as services show it (a webhook of Slack, say); "" for any other."""
    return without_forbidden_options(str(_ask_sender({"url": web_address.strip()}).get("url", "")))


def known_schemes() -> list[str]:
    """Returns every scheme of Apprise, as it tells them in a process of its own; none when it cannot."""
    return list(_ask_sender({}).get("schemes", []))


def _ask_sender(task: dict[str, Any]) -> dict[str, Any]:
    """Gives a task to a process of its own, which is killed when it takes too long; returns how it ended."""
    names = {*INHERITED, *PROXIES, *map(str.upper, PROXIES)}
    inherited = {name: value for name, value in os.environ.items() if name in names}
    environment = {**inherited, "NETRC": os.devnull}  # or passwords of this machine's user would be sent along
    try:
        done = subprocess.run(  # noqa: S603  (our own module)
            SENDER,
            input=json.dumps({**task, "parent": os.getpid()}).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # Apprise logs addresses
            cwd=conf.project_dir(),
            env=environment,
            timeout=DEADLINE,
            check=True,
        )
        return dict(json.loads(done.stdout))
    except subprocess.TimeoutExpired:
        return {"outcome": "timeout"}
    except (OSError, subprocess.CalledProcessError, ValueError):
        return {"outcome": "crashed"}


def _sentence(result: dict[str, Any]) -> str:
    """Returns why a message was not sent, and what to do; "" when it was."""
    if result["outcome"] == "sent":
        return ""
    if result["outcome"] == "http":
        return _sentence_of_status(int(result["status"]))
    sentences = {
        "timeout": _("The service did not answer in time. If that goes on, check the address and the service."),
        "tls": _("The service could not prove that it is who it says it is (TLS). Check its certificate."),
        "unreachable": _("The service could not be reached. Check its host and port, and the network of this machine."),
        "private": _("The address leads into a private network. Set NOTIFY_PRIVATE=on if that is meant."),
        "not_understood": _("The address is not complete, or not of this service. See docs/messages.md."),
        "crashed": _("The process that sends messages broke down. Try again."),
    }
    return sentences.get(result["outcome"], _("The service did not take the message. Check the address."))


def _sentence_of_status(status: int) -> str:
    """Returns what an HTTP status means for whoever set up the channel."""
    facts = {"status": status}
    if status in REDIRECTED:
        return _("The service sends to another address (HTTP status %(status)d). Enter that address instead.") % facts
    if status in (401, 403):
        return _("The service refuses the token (HTTP status %(status)d). Check it, or make a new one.") % facts
    if status in (404, 410):
        return _("The service does not know this address (HTTP status %(status)d). Check it.") % facts
    if status == 429:
        return _("The service takes no more messages for now (HTTP status %(status)d).") % facts
    if status >= SERVER_FAILED:
        return _("The service is in trouble (HTTP status %(status)d).") % facts
    return _("The service did not take the message (HTTP status %(status)d). Check the address.") % facts


def _send_email(address: str, message: Message) -> str:
    """Sends an e-mail in a thread that is no longer waited for when the mail server takes too long."""
    if not accounts_conf.sends_mail():
        return _("E-mails are only printed or thrown away here. Set EMAIL_URL to a mail server.")
    mail = EmailMultiAlternatives(
        " ".join(message.title.split()),
        message.text,
        to=emails_of(address),
        headers={"Auto-Submitted": "auto-generated"},
    )
    if message.html:
        mail.attach_alternative(message.html, "text/html")
    if message.attachment_name:
        mail.attach(message.attachment_name, message.attachment, "text/csv")
    failures: list[str] = []

    def work() -> None:
        with bounded(lambda error: failures.append(_email_sentence(error)), but=()):
            mail.send()
            failures.append("")

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(DEADLINE)
    return failures[0] if failures else _email_sentence(TimeoutError())


def _email_sentence(error: Exception) -> str:
    """Returns why an e-mail was not sent; never in the words of the server, which may hold addresses."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return _("The mail server refuses the user or the password. Check EMAIL_URL.")
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return _("The mail server refuses the recipients. Check the e-mail addresses of the channel.")
    if isinstance(error, smtplib.SMTPResponseException):
        return _("The mail server did not take the message (SMTP code %(code)s).") % {"code": error.smtp_code}
    if isinstance(error, ssl.SSLError):
        return _("The mail server could not prove that it is who it says it is (TLS). Check its certificate.")
    if isinstance(error, TimeoutError):
        return _("The mail server did not answer in time.")
    if isinstance(error, OSError):  # SMTPException is one
        return _("The mail server could not be reached, or broke off. Check EMAIL_URL.")
    return _("The e-mail could not be made (%(kind)s).") % {"kind": type(error).__name__}
