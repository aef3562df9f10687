"""Says why a run that nobody has begun may not begin yet, and refuses runs by hand where they would wait for that."""

from django.utils.translation import gettext as _

from accounts import clock
from accounts.models import SyncGroup
from accounts.refusals import Refusal
from syncing.models import RUN_OPEN, RunMode, SyncRun, Trigger
from syncing.presentation.holds import frozen_sentence, paused_sentence
from syncing.services.runs import joining

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
        return frozen_sentence(run.group, clock.now()) or joining.why_it_waits(run)
    return joining.why_it_waits(run)


def require_free(group: SyncGroup, *, mode: str, forced: bool, forceable: bool) -> None:
    """Raises Refusal while the group is paused, or for a run that writes (`forced`: not then) while it is frozen.

    `forceable`: whoever asks could have forced it, and is told how.
    """
    if sentence := paused_sentence(group):
        raise Refusal("paused", sentence, _("Resume the group first."))
    if mode != RunMode.APPLY or forced:
        return
    if sentence := frozen_sentence(group, clock.now()):
        remedy = (
            _("Wait until then, or override it with --force --reason TEXT.") if forceable else _("Wait until then.")
        )
        raise Refusal("frozen", sentence, remedy)
