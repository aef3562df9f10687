"""The audit: decisions with their authors, times and reasons; never changed afterwards."""

from typing import Any, NoReturn

from django.db import models
from django.utils.translation import gettext_lazy as _


class AuditIsFinal(Exception):
    """An audit entry is never changed or deleted."""


class FinalQuerySet(models.QuerySet["AuditEntry"]):
    def update(self, **kwargs: Any) -> NoReturn:
        raise AuditIsFinal("audit entries are never changed")

    def delete(self) -> NoReturn:
        raise AuditIsFinal("audit entries are never deleted")

    def bulk_create(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuses: it can overwrite rows. One entry is written at a time."""
        raise AuditIsFinal("audit entries are never changed")


class AuditAction(models.TextChoices):
    STARTED = "started", _("Started")
    APPROVED = "approved", _("Approved")
    SENT_BACK = "sent_back", _("Sent a plan back")
    OVERRODE = "overrode", _("Overrode limits")
    CANCELLED = "cancelled", _("Cancelled")
    CONTINUED = "continued", _("Continued")
    ROLLED_BACK = "rolled_back", _("Rolled back")
    PROPOSED = "proposed", _("Proposed for the master")
    PROMOTED = "promoted", _("Promoted to the master")
    ACCEPTED = "accepted", _("Accepted a difference")
    WITHDREW = "withdrew", _("Withdrew an exception")
    POLICY = "policy", _("Changed the policy")
    PAUSED = "paused", _("Paused")
    RESUMED = "resumed", _("Resumed")
    AUTOMATION = "automation", _("Changed schedules or windows")
    CHANNEL = "channel", _("Changed channels")
    HEALING = "healing", _("Changed what is put back")
    KEY_MADE = "key_made", _("Made a key")
    KEY_CHANGED = "key_changed", _("Changed a key")
    KEY_DELETED = "key_deleted", _("Deleted a key")
    BAD_LOGIN = "bad_login", _("Failed to log in")
    LOCKED_OUT = "locked_out", _("Was locked out")
    SESSION = "session", _("Ended a session")
    VIEW = "view", _("Changed a view of everybody")
    UNLOCKED = "unlocked", _("Ended a lock-out")
    FACTOR_ON = "factor_on", _("Set up a second factor")
    FACTOR_OFF = "factor_off", _("Switched a second factor off")
    NEW_CODES = "new_codes", _("Made recovery codes")
    CODE_USED = "code_used", _("Used a recovery code")


class AuditEntry(models.Model):
    """One decision. Names instead of foreign keys: it outlives the people, accounts and runs that it names."""

    at = models.DateTimeField(_("at"), auto_now_add=True, db_index=True)
    actor = models.CharField(_("who"), max_length=150, help_text=_("User, API key, or what started it."))
    via = models.CharField(_("via"), max_length=8)
    action = models.CharField(_("action"), max_length=11, choices=AuditAction.choices)
    group = models.CharField(_("sync group"), max_length=120, blank=True)
    account = models.CharField(_("account"), max_length=63, blank=True)
    run = models.PositiveBigIntegerField(_("run"), null=True)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    details = models.JSONField(_("details"), default=dict)

    objects = FinalQuerySet.as_manager()

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit")
        ordering = ["-pk"]
        indexes = [models.Index(fields=["action", "-at"])]

    def __str__(self) -> str:
        return f"{self.actor}: {self.get_action_display()}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AuditIsFinal("audit entries are never changed")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AuditIsFinal("audit entries are never deleted")
