"""Windows of groups, as people add, change and remove them; every change is audited."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import clock
from accounts.actors import ADMIN, Actor
from accounts.models import SyncGroup
from accounts.refusals import Refusal
from syncing.leases import dispatch
from syncing.models import AuditAction, Window, WindowKind
from syncing.services import audit
from syncing.services.requirements import CHANGE_GROUP, require_permission, require_valid
from syncing.windows import NEVER, Opening, end_of_freeze

COLUMNS = ("kind", "cron", "time_zone", "minutes")


def add(window: Window, *, by: Actor) -> Window:
    """Stores a new window; it counts at once, also when its time began before. Raises Refusal."""
    require_permission(by, CHANGE_GROUP)
    require_valid(window, COLUMNS)
    with transaction.atomic():
        group = SyncGroup.objects.select_for_update().get(pk=window.group_id)
        # Who clicks twice adds one; scripts may go on adding as they like.
        if by.via == ADMIN and group.windows.filter(**_facts(window)).exists():
            message = _("The group %(group)s has this window already.") % {"group": group.name}
            raise Refusal("exists", message, _("Change that one, or choose another time."))
        require_open(group, group.windows.all(), [window])
        window.save(force_insert=True)
        _note(window, by, added=_facts(window))
    dispatch.call_lanes()  # with another allowed time, what waited may begin
    return window


def change(window: Window, names: Collection[str], *, by: Actor) -> None:
    """Stores the changed columns `names`. Raises Refusal."""
    require_permission(by, CHANGE_GROUP)
    require_valid(window, names)
    with transaction.atomic():
        group = SyncGroup.objects.select_for_update().get(pk=window.group_id)
        stored = Window.objects.get(pk=window.pk)
        changes = audit.changes(_facts(stored), _facts(window), names)
        if not changes:
            return
        require_open(group, group.windows.exclude(pk=window.pk), [window])
        Window.objects.filter(pk=window.pk).update(**{name: new for name, (_old, new) in changes.items()})
        _note(window, by, **changes)
    dispatch.call_lanes()


def remove(window: Window, *, by: Actor) -> None:
    """Deletes a window; what waited for its end may begin. Raises Refusal."""
    require_permission(by, CHANGE_GROUP)
    with transaction.atomic():
        _note(window, by, removed=_facts(window))
        window.delete()
    dispatch.call_lanes()


def require_open(group: SyncGroup, others: Iterable[Window], wanted: Collection[Window]) -> None:
    """Raises Refusal if one of the `wanted` windows is to allow something, and nothing could ever be written with them.

    Deny windows without a gap are taken: they freeze the group until somebody removes one.
    """
    if all(window.kind == WindowKind.DENY for window in wanted):
        return
    openings = [Opening.of(window, group) for window in (*others, *wanted)]
    # In one zone alone the hour that a clock change adds is no opening that anybody meant.
    without_changes = [replace(each, zone="UTC") for each in openings]
    is_one_zone = len({each.zone for each in openings}) == 1
    moment = clock.now()
    if NEVER in (end_of_freeze(openings, moment), end_of_freeze(without_changes, moment) if is_one_zone else None):
        message = _("The allow windows of the group %(group)s would never open, as deny windows cover them.")
        remedy = _("Choose a time that no deny window covers, or remove that deny window first.")
        raise Refusal("never_open", message % {"group": group.name}, remedy)


def _facts(window: Window) -> dict[str, Any]:
    return {name: getattr(window, name) for name in COLUMNS}


def _note(window: Window, by: Actor, **details: Any) -> None:
    audit.note(AuditAction.AUTOMATION, by=by, group=window.group, details={"window": window.pk, **details})
