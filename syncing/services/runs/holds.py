"""Says why a run that nobody has begun may not begin yet, and refuses runs by hand where they would wait for that."""

from django.utils.translation import gettext as _

from accounts import clock
from accounts.models import SyncGroup
from accounts.refusals import Refusal
from syncing.models import RUN_OPEN, RunMode, SyncRun, Trigger
from syncing.services.runs import joining
from syncing.windows import frozen_until, until_when

BY_HAND = (Trigger.ADMIN, Trigger.COMMAND, Trigger.API)


def why_held(run: SyncRun) -> str:
    """Returns what an open run that nobody has begun waits for, "" for nothing. It lets others pass.

    A run that was begun may finish.
    """
    if run.fence or run.state not in RUN_OPEN:
        return ""
    if run.group.is_paused:
        return paused_sentence(run.group)
    if run.writes and not run.forced:
        return frozen_sentence(run.group) or joining.why_it_waits(run)
    return joining.why_it_waits(run)


def frozen_sentence(group: SyncGroup) -> str:
    """Returns that the group may not be written to now, and until when; "" if it may."""
    end = frozen_until(group, clock.now())
    if end is None:
        return ""
    return _("The group %(group)s is frozen %(until)s.") % {"group": group.name, "until": until_when(group, end)}


def paused_sentence(group: SyncGroup) -> str:
    """Returns that the group is paused, until when and why; "" if it is not."""
    if not group.is_paused:
        return ""
    if group.paused_until:
        sentence = _("The group %(group)s is paused %(until)s.")
        sentence %= {"group": group.name, "until": until_when(group, group.paused_until)}
    else:
        sentence = _("The group %(group)s is paused.") % {"group": group.name}
    reason = group.pause_reason.rstrip(". ")
    return f"{sentence} {_('Reason')}: {reason}." if reason else sentence


def require_free(group: SyncGroup, *, mode: str, forced: bool, forceable: bool) -> None:
    """Raises Refusal while the group is paused, or for a run that writes (`forced`: not then) while it is frozen.

    `forceable`: whoever asks could have forced it, and is told how.
    """
    if sentence := paused_sentence(group):
        raise Refusal("paused", sentence, _("Resume the group first."))
    if mode != RunMode.APPLY or forced:
        return
    if sentence := frozen_sentence(group):
        remedy = (
            _("Wait until then, or override it with --force --reason TEXT.") if forceable else _("Wait until then.")
        )
        raise Refusal("frozen", sentence, remedy)
