"""What became of a message, in a sentence."""

from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.own_words import translated
from syncing.models import Message
from syncing.presentation.times import filled, near


def delivery_sentence(message: Message) -> str:
    """Says when a message was sent or will be tried, or why it was not sent; its channel is loaded with it."""
    if message.due_at is None:
        return translated(message.failure) if message.sent_at is None else _sent(message.sent_at, message.attempts)
    if not message.channel.enabled:
        return _("Its channel is switched off: the message waits until it is switched on, a day at most.")
    if message.failure:
        failure = translated(message.failure)
        return filled(_("%(failure)s Next attempt: %(time)s."), failure=failure, time=near(message.due_at))
    if message.attempts:
        return _("It is sent now.")
    if message.due_at > timezone.now():
        return filled(_("It waits until its channel is tried again, %(time)s."), time=near(message.due_at))
    return _("The workers will send it at once.")


def _sent(moment: datetime, attempts: int) -> str:
    if attempts < 2:
        return near(moment)
    return filled(_("%(time)s, after %(n)d attempts"), time=near(moment), n=attempts)
