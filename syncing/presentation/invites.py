"""What became of an invite link, and of the e-mail with it, in a sentence each."""

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.models import Invite, InviteState
from syncing.presentation.labels import day_and_time


def invite_sentence(invite: Invite) -> str:
    """Says until when a link can be used, or why not any more."""
    state = invite.state(timezone.now())
    if state == InviteState.USED and invite.used_at:
        return _("The account was connected by it, %(time)s.") % {"time": day_and_time(invite.used_at)}
    if state == InviteState.WITHDRAWN and invite.withdrawn_at:
        return _("Somebody withdrew it, %(time)s.") % {"time": day_and_time(invite.withdrawn_at)}
    day = {"day": date_format(timezone.localtime(invite.expires_at), "DATE_FORMAT")}
    if state == InviteState.EXPIRED:
        return _("Nobody used it until %(day)s.") % day
    return _("It can be used once, until %(day)s.") % day


def mail_sentence(invite: Invite) -> str:
    """Says what became of its e-mail; "" if none was asked for."""
    facts = {"address": invite.email, "reason": invite.send_error}
    if invite.send_error:
        return _("The e-mail to %(address)s could not be sent: %(reason)s") % facts
    if invite.sent_at:
        return _("Sent to %(address)s, %(time)s.") % {**facts, "time": day_and_time(invite.sent_at)}
    waits = invite.email and invite.state(timezone.now()) == InviteState.OPEN
    return _("The workers will send it to %(address)s.") % facts if waits else ""
