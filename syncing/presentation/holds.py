"""Says until when a group is paused, or frozen by its windows."""

from datetime import datetime

from django.utils.translation import gettext as _

from accounts.models import SyncGroup
from syncing.windows import frozen_until, until_when


def frozen_sentence(group: SyncGroup, moment: datetime) -> str:
    """Returns that the group may not be written to at `moment`, and until when; "" if it may."""
    end = frozen_until(group, moment)
    if end is None:
        return ""
    return _("The group %(group)s is frozen %(until)s.") % {"group": group.name, "until": until_when(group, end)}


def paused_sentence(group: SyncGroup, moment: datetime | None = None) -> str:
    """Returns that the group is paused (at `moment`, None: now), until when and why; "" if it is not."""
    if not (group.is_paused if moment is None else group.is_paused_at(moment)):
        return ""
    if group.paused_until:
        sentence = _("The group %(group)s is paused %(until)s.")
        sentence %= {"group": group.name, "until": until_when(group, group.paused_until)}
    else:
        sentence = _("The group %(group)s is paused.") % {"group": group.name}
    reason = group.pause_reason.rstrip(". ")
    return f"{sentence} {_('Reason')}: {reason}." if reason else sentence
