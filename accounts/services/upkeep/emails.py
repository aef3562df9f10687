"""Sends the warnings about connections by e-mail."""

import logging
from smtplib import SMTPException

from django.contrib.auth import get_user_model
from django.core.mail import EmailMessage, get_connection
from django.dispatch import Signal
from django.template.loader import render_to_string
from django.utils.translation import ngettext

from accounts.services.upkeep.expiry_warnings import ConnectionWarnings

logger = logging.getLogger(__name__)

# Receivers answer True if they tell of the same in another way; this app does not know them.
told_otherwise = Signal()
TIMEOUT = 20  # seconds; a mail server that hangs must not hold a worker


def send_warnings(warnings: ConnectionWarnings) -> bool:
    """Sends one e-mail about all of them to the administrators who have an address; True when it was sent.

    One that cannot be sent is logged: the accounts' events and the dashboard say the same. None is sent if somebody
    else tells of them.
    """
    if any(answer is True for _receiver, answer in told_otherwise.send_robust(sender=None)):
        return False
    recipients = administrators()
    if not warnings or not recipients:
        return False
    subject = ngettext(
        "KommoSync: %d connection needs somebody", "KommoSync: %d connections need somebody", len(warnings)
    ) % len(warnings)
    body = render_to_string("emails/connections.txt", {"warnings": warnings})
    try:
        connection = get_connection(timeout=TIMEOUT)
        return bool(EmailMessage(subject, body, to=recipients, connection=connection).send())
    except (SMTPException, OSError) as error:
        logger.error("the e-mail about %d connections was not sent (%s)", len(warnings), type(error).__name__)
        return False


def administrators() -> list[str]:
    """Returns the addresses of the active superusers."""
    users = get_user_model().objects.filter(is_superuser=True, is_active=True).exclude(email="")
    return sorted(set(users.values_list("email", flat=True)))
