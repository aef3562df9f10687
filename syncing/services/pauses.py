"""Pauses of groups and accounts, with a reason, an author and an end; every pause and its end is audited."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import clock
from accounts.actors import Actor
from accounts.models import DEFAULT_PAUSE, Account, SyncGroup
from accounts.refusals import Refusal
from syncing.leases import dispatch
from syncing.models import AuditAction
from syncing.records.text import clean
from syncing.services import audit
from syncing.services.requirements import CHANGE_ACCOUNT, CHANGE_GROUP, require_permission

PausedThing = SyncGroup | Account
LONGEST = timedelta(days=366)
FARTHEST = timedelta(hours=14)  # from UTC, of any zone there is; of offsets over 16 hours PostgreSQL knows nothing
NO_PAUSE: Mapping[str, Any] = {
    "paused": False,
    "paused_until": None,
    "pause_reason": "",
    "paused_by": "",
    "paused_at": None,
}


def pause(
    things: Sequence[PausedThing], *, reason: str, by: Actor, hours: float | None = None, until: str | None = None
) -> Sequence[PausedThing]:
    """Pauses all of the groups or accounts, or none; returns them as they are then.

    It ends after `hours` or at `until` (ISO; without a zone it is in that of the group), else after 24 hours; a pause
    that is on is replaced. Runs at work finish the accounts that they have begun. Raises Refusal.
    """
    _require_permissions(things, by)
    reason = audit.tidy(reason)
    if not reason:
        raise Refusal("no_reason", _("A pause needs a reason."), _("Give a reason."))
    moment = clock.now()
    ends = [_end(group_of(thing), moment, hours, until) for thing in things]
    with transaction.atomic():
        for thing, end in zip(things, ends, strict=True):
            begin(thing, until=end, reason=reason, by=by)
    return things


def begin(thing: PausedThing, *, until: datetime | None, reason: str = "", by: Actor) -> None:
    """Stores a pause, without an end if there is no `until`; to be called in a transaction."""
    columns = {"paused": True, "paused_until": until, "pause_reason": reason}
    columns |= {"paused_by": clean(by.name)[:150], "paused_at": clock.now()}
    _store(thing, columns)
    _note(AuditAction.PAUSED, thing, by, reason=reason, until=until.isoformat() if until else None)


def resume(things: Sequence[PausedThing], *, by: Actor, reason: str = "") -> list[PausedThing]:
    """Ends the pauses of the groups or accounts; returns those that were paused. Raises Refusal."""
    _require_permissions(things, by)
    ended = []
    with transaction.atomic():
        for thing in things:
            if _stored(thing).filter(paused=True).select_for_update().exists():
                end(thing, by=by, reason=audit.tidy(reason))
                ended.append(thing)
    return ended


def end(thing: PausedThing, *, by: Actor, reason: str = "") -> None:
    """Ends a pause; to be called in a transaction."""
    _store(thing, NO_PAUSE)
    _note(AuditAction.RESUMED, thing, by, reason=reason)
    dispatch.call_lanes()


def group_of(thing: PausedThing) -> SyncGroup:
    return thing.group if isinstance(thing, Account) else thing


def end_over(thing: PausedThing, *, by: Actor) -> bool:
    """Ends a pause in its row if its time has passed; True for the one caller who did."""
    with transaction.atomic():
        over = _stored(thing).filter(paused=True, paused_until__lte=clock.now())
        if not over.update(**NO_PAUSE):
            return False
        until = thing.paused_until.isoformat() if thing.paused_until else None
        _note(AuditAction.RESUMED, thing, by, reason=thing.pause_reason, until=until)
    return True


def _require_permissions(things: Sequence[PausedThing], by: Actor) -> None:
    for permission in {CHANGE_ACCOUNT if isinstance(thing, Account) else CHANGE_GROUP for thing in things}:
        require_permission(by, permission)


def _stored(thing: PausedThing) -> Any:
    return type(thing).objects.filter(pk=thing.pk)


def _store(thing: PausedThing, columns: Mapping[str, Any]) -> None:
    _stored(thing).update(**columns)
    for name, value in columns.items():
        setattr(thing, name, value)


def _end(group: SyncGroup, moment: datetime, hours: float | None, until: str | None) -> datetime:
    """Returns when a pause ends; raises Refusal for an end that is none, or that lies before `moment`."""
    if hours is not None and until is not None:
        raise Refusal("bad_until", _("Give hours or an end, not both."))
    if hours is not None:
        if not 0 < hours <= LONGEST.total_seconds() / 3600:
            message = _("%(hours)s is not a number of hours from more than 0 up to %(most)d.")
            raise Refusal("bad_hours", message % {"hours": hours, "most": LONGEST.days * 24})
        return moment + timedelta(hours=hours)
    end = moment + DEFAULT_PAUSE if until is None else _moment(until, group)
    if not moment < end <= moment + LONGEST:
        message = _("%(until)s is not between now and a year from now.")
        raise Refusal("bad_until", message % {"until": until})
    return end


def _moment(text: str, group: SyncGroup) -> datetime:
    """Reads an ISO time; one without a zone is in that of the group."""
    try:
        moment = datetime.fromisoformat(text)
        if timezone.is_naive(moment):
            return moment.replace(tzinfo=ZoneInfo(group.time_zone))
        offset = moment.utcoffset() or timedelta(0)
        return moment.astimezone(UTC) if abs(offset) > FARTHEST else moment
    except (ValueError, OverflowError) as error:
        message = _("%(until)s is not a time. Write it as in 2026-12-24T18:00.")
        raise Refusal("bad_until", message % {"until": text}) from error


def _note(action: str, thing: PausedThing, by: Actor, *, reason: str, **details: Any) -> None:
    account = thing if isinstance(thing, Account) else None
    audit.note(action, by=by, group=group_of(thing), account=account, reason=reason, details=details)
