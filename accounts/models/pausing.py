"""Pauses: nothing is sent to an account, or to any of a group, until the pause ends."""

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts import clock

DEFAULT_LENGTH = timedelta(hours=24)


class Pausable(models.Model):
    """Columns of a pause. A pause without an end lasts until somebody ends it."""

    paused = models.BooleanField(_("paused"), default=False, help_text=_("No run touches it while it is paused."))
    paused_until = models.DateTimeField(
        _("paused until"), null=True, blank=True, help_text=_("The pause ends by itself at this time.")
    )
    pause_reason = models.CharField(_("reason for the pause"), max_length=500, blank=True)
    paused_by = models.CharField(_("paused by"), max_length=150, blank=True, editable=False)
    paused_at = models.DateTimeField(_("paused since"), null=True, blank=True, editable=False)

    class Meta:
        abstract = True

    @property
    def is_paused(self) -> bool:
        """Tells whether the pause is on now; one whose end has passed is over, even before its row says so."""
        return self.paused and (self.paused_until is None or self.is_paused_at(clock.now()))

    def is_paused_at(self, moment: datetime) -> bool:
        """Tells the same of a moment that is known already: `is_paused` may ask the database for its time."""
        return self.paused and (self.paused_until is None or self.paused_until > moment)


def pause_is_on() -> Q:
    """Returns the condition that `is_paused` is true."""
    return Q(Q(paused_until=None) | Q(paused_until__gt=clock.now()), paused=True)
