"""Ends pauses whose time has passed, so that their rows say it and somebody is told."""

from django.db import transaction

from accounts import clock
from accounts.models import SECRETS, Account, SyncGroup
from syncing.error_boundary import survived
from syncing.notifications import notices
from syncing.services import pauses
from syncing.services.actors import AUTOMATION


def end_due() -> int:
    """Ends the pauses that are over; returns how many this process ended. May run anywhere, and several at once."""
    over = {"paused": True, "paused_until__lte": clock.now()}
    accounts = Account.objects.filter(**over).select_related("group").defer(*SECRETS)
    things: list[pauses.PausedThing] = [*SyncGroup.objects.filter(**over), *accounts]
    count = 0
    for thing in things:
        with survived(f"the pause of {thing}"), transaction.atomic():
            if pauses.end_over(thing, by=AUTOMATION):
                notices.pause_ended(thing)
                count += 1
    return count
