"""What became of an invite link, and of the e-mail with it, in a sentence each."""

from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Invite, InviteState
from syncing.presentation.times import day, filled, near


def invite_sentence(invite: Invite) -> str:
    """Says until when a link can be used, or why not any more."""
    state = invite.state(timezone.now())
    if state == InviteState.USED and invite.used_at:
        return filled(_("The account was connected by it, %(time)s."), time=near(invite.used_at))
    if state == InviteState.WITHDRAWN and invite.withdrawn_at:
        return filled(_("Somebody withdrew it, %(time)s."), time=near(invite.withdrawn_at))
    if state == InviteState.EXPIRED:
        return filled(_("Nobody used it until %(day)s."), day=day(invite.expires_at))
    return filled(_("It can be used once, until %(day)s."), day=day(invite.expires_at))


def mail_sentence(invite: Invite) -> str:
    """Says what became of its e-mail; "" if none was asked for."""
    facts = {"address": invite.email, "reason": invite.send_error}
    if invite.send_error:
        return _("The e-mail to %(address)s could not be sent: %(reason)s") % facts
    if invite.sent_at:
        return filled(_("Sent to %(address)s, %(time)s."), address=invite.email, time=near(invite.sent_at))
    waits = invite.email and invite.state(timezone.now()) == InviteState.OPEN
    return _("The workers will send it to %(address)s.") % facts if waits else ""
