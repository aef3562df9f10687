"""What there is to tell: written down where it happens, with what happened, for those who make messages of it later.

A notice costs what happened one short statement. It renders nothing and asks nobody, it is not written where no channel
would be told, and an error of ours in it is logged and undone alone.
"""

import logging
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.models import Account, SyncGroup
from syncing.error_boundary import survived
from syncing.models import AUTOMATIC, EMAIL, Channel, Event, Notice, RunPurpose, RunState, SyncRun, ToldState
from syncing.notifications.decision import CHANGED, SubjectsSeen, decide
from syncing.purposes import purpose_of

logger = logging.getLogger(__name__)

WELL = (RunState.SUCCEEDED, RunState.PLANNED)
SUMS = ("created", "updated", "deleted", "adopted", "requests")  # in the totals of a run, beside the states


# -- who listens --


def listeners(event: str, group: SyncGroup | None) -> list[Channel]:
    """Returns the channels that are told `event` of `group`; None: it concerns all groups."""
    enabled = Channel.objects.filter(enabled=True).order_by("pk")
    if group is not None:
        enabled = enabled.filter(Q(group=None) | Q(group=group))
    return [channel for channel in enabled if event in channel.events]


def mails_connections(**_signal: Any) -> bool:
    """Tells whether some e-mail channel is told all about connections, so that `accounts` need not send its own."""
    needed = (Event.ACCOUNT_NEEDS_PERSON, Event.TOKEN_ENDS)
    channels = Channel.objects.filter(enabled=True, kind=EMAIL, group=None)
    return any(all(event in channel.events for event in needed) for channel in channels)


# -- what happened --


def run_ended(run: SyncRun) -> None:
    """Tells the end of a run; called once for every run, by whoever closed it, in that transaction.

    Runs that end well are told, too, as those that failed before have recovered with them. What somebody has cancelled
    is no news. The group is that of the run: to name it would lock its row.
    """
    level = logging.INFO if run.state in WELL else logging.WARNING
    logger.log(level, "run %s of %s: %s", run.pk, run.group.name, summary(run))
    if run.state != RunState.CANCELLED:
        _write(*(Notice(event=event, run=run) for event in _events_of(run)))


def run_broke(run_id: int) -> None:
    """Tells that a run was ended by an error of our own; it reads nothing of a row that may be odd."""
    _write(Notice(event=Event.RUN_FAILED, run_id=run_id))


def _events_of(run: SyncRun) -> Iterable[str]:
    yield Event.RUN_FAILED
    if purpose_of(run.purpose).compares_with_master:
        yield Event.DRIFT_FOUND
    asks = run.group.requires_approval or run.trigger in AUTOMATIC or run.purpose == RunPurpose.PROMOTION
    if run.purpose != RunPurpose.DRIFT and (run.writes or asks):
        yield Event.RUN_WAITS


def plan_sent_back(run: SyncRun) -> None:
    """Tells that a plan does not wait any more: nobody is told of that, but of the same plan, made anew, they are."""
    _write(Notice(event=Event.RUN_WAITS, run=run))


def wave_waits(run: SyncRun, *, failed: int, tried: int, waves: int, due: datetime | None) -> None:
    """Tells that the next wave of a run waits: for Continue, or until `due`. `failed` of `tried` accounts failed."""
    facts = {"wave": run.wave + 1, "waves": waves, "failed": failed, "tried": tried, "due": due and due.isoformat()}
    _write(Notice(event=Event.WAVE_WAITS, run=run, facts=facts))


def master_changed(group: SyncGroup, collections: Collection[str]) -> None:
    """Tells of a change in the master of a group that only wants to be told; called once for every such change.

    `collections`: where the master differs from the one that was brought last; all of them when none was.
    """
    logger.warning("the master of %s has changed: %s", group.name, ", ".join(collections))
    _write(Notice(event=Event.MASTER_CHANGED, group=group, facts={"collections": list(collections)}))


def pause_ended(thing: SyncGroup | Account) -> None:
    """Tells that a pause has ended by itself; called once for every such end, in its transaction."""
    if isinstance(thing, Account):
        group, account, what = thing.group, str(thing), f"the account {thing.subdomain}"
    else:
        group, account, what = thing, "", f"the group {thing.name}"
    logger.info("the pause of %s has ended (%s)", what, thing.pause_reason or "without a reason")
    _write(Notice(event=Event.PAUSE_ENDED, group=group, facts={"account": account, "reason": thing.pause_reason}))


def healing_gave_up(group: SyncGroup, items: Mapping[str, Mapping[str, Any]]) -> None:
    """Tells that items are left alone from now on; each is told once, in the transaction that stores it.

    `items`: sentences for the log, each with its facts: `account`, `kind`, `name`, `parent`, `times` (a number).
    """
    for item in items:
        transaction.on_commit(partial(logger.warning, "in the group %s: %s", group.name, item))
    _write(Notice(event=Event.HEALING_GAVE_UP, group=group, facts={"items": list(items.values())}))


def weekly_report(group: SyncGroup, report: Mapping[str, Any], *, channel: Channel | None = None) -> None:
    """Tells how many slaves equal their master; to one `channel`, whatever it was told before, when one is named."""
    facts = {"report": dict(report), **({"channel": channel.pk} if channel else {})}
    _write(Notice(event=Event.WEEKLY_REPORT, group=group, facts=facts))


def stays_bad(
    event: str, group: SyncGroup | None, bad: Mapping[str, str], *, unseen: Collection[str] = (), **facts: Any
) -> bool:
    """Tells what lasts, as it is now: `bad` has the reason of each subject that is bad, {} when all is well.

    Of the subjects `unseen` it is not known. To be called again and again; it writes a notice, and returns True, only
    if some channel knows it otherwise.
    """
    facts = {"bad": dict(bad), "unseen": sorted(unseen), **facts}
    waiting = waiting_for(event, group).order_by("-pk").values_list("facts", flat=True).first()
    if waiting is not None:
        is_known = all(waiting.get(name) == facts[name] for name in ("bad", "unseen"))
    else:
        known_by_channel = {each.pk: dict[str, str]() for each in listeners(event, group)}
        states = ToldState.objects.filter(channel__in=known_by_channel, event=event, group=group)
        known_by_channel.update(states.values_list("channel", "bad"))
        seen = SubjectsSeen(bad, unseen=unseen)
        is_known = all(decide(CHANGED, known, seen).bad == known for known in known_by_channel.values())
    if is_known:
        return False
    _write(Notice(event=event, group=group, facts=facts))
    return True


def waiting_for(event: str, group: SyncGroup | None) -> QuerySet[Notice]:
    """Selects the notices of an event of a group that no message was made of yet."""
    return Notice.objects.filter(event=event, group=group, run=None)


def _write(*notices: Notice) -> None:
    """Stores notices where a channel may want them; an error of our own undoes them alone."""
    with survived(f"the notice of {notices[0].event}"), transaction.atomic():
        if Channel.objects.filter(enabled=True).exists():
            Notice.objects.bulk_create(notices)


def summary(run: SyncRun) -> str:
    """Returns one sentence: the state, and how many accounts ended how."""
    ended = ", ".join(f"{count} {name}" for name, count in run.totals.items() if count and name not in SUMS)
    why = f" ({run.reason})" if run.reason else ""
    return f"{run.state}{why}: {ended or 'no account'}"
