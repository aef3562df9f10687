"""The weekly conformity report: on Mondays at 08:00 in the time zone of each group, once for each channel and group."""

from datetime import datetime, timedelta

from django.db.models import Q
from django.utils.translation import gettext as _

from accounts import clock
from accounts.models import SyncGroup
from accounts.refusals import Refusal
from syncing.cron import times_until
from syncing.error_boundary import survived
from syncing.models import Channel, Event, ToldState
from syncing.notifications import notices
from syncing.selectors.conformity import report_of

WHEN = "0 8 * * 1"
LATEST = timedelta(days=1)  # a report that was missed by more is left out
TICK = timedelta(microseconds=1)


def write_due() -> int:
    """Writes the reports that are due, for the messages of their channels; returns how many. May run anywhere.

    Several at once may write the same one: its channels get it once all the same.
    """
    if not Channel.objects.filter(enabled=True).exists():
        return 0
    written = 0
    for group in SyncGroup.objects.order_by("pk"):
        with survived(f"the report of the group {group.pk}"):
            written += _write_if_due(group)
    return written


def _write_if_due(group: SyncGroup) -> bool:
    """Writes the report of a group if it is due and waited for; returns whether it did.

    Channels wait for it that were there when it became due, and have not had it.
    """
    moment = clock.now()
    due = last_due(group, moment)
    if moment - due >= LATEST:
        return False
    channels = [each for each in notices.listeners(Event.WEEKLY_REPORT, group) if each.created_at <= due]
    had = ToldState.objects.filter(channel__in=channels, group=group, event=Event.WEEKLY_REPORT, told_at__gte=due)
    if len(channels) <= had.count():
        return False
    if notices.waiting_for(Event.WEEKLY_REPORT, group).filter(facts__report__due=due.isoformat()).exists():
        return False
    notices.weekly_report(group, report_of(group, due))
    return True


def last_due(group: SyncGroup, moment: datetime) -> datetime:
    """Returns the last Monday morning of the group that is not after `moment`."""
    return next(times_until(WHEN, group.time_zone, moment + TICK))


def write_now(channel: Channel) -> int:
    """Writes the reports of a channel's groups for this channel alone, whatever it had; returns how many.

    Raises Refusal for a channel that is switched off.
    """
    if not channel.enabled:
        message = _("The channel %(name)s is switched off.") % {"name": channel.name}
        raise Refusal("switched_off", message, _("Switch it on first, on its page."))
    groups = SyncGroup.objects.filter(Q(pk=channel.group_id) if channel.group_id else Q()).order_by("pk")
    moment = clock.now()
    for group in groups:
        notices.weekly_report(group, report_of(group, moment), channel=channel)
    return len(groups)
