"""The watcher of each group's master, and the accounts that are tried again without a person."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Account, SyncGroup
from syncing.models.runs import SyncRun


class WatchState(models.TextChoices):
    OFF = "off", _("Off")
    IDLE = "idle", _("Nothing waits")
    CHANGED = "changed", _("The master has changed")
    RUNNING = "running", _("A run brings the change")
    PLAN_WAITS = "plan_waits", _("A plan waits for approval")
    FROZEN = "frozen", _("Waits for a window")
    PAUSED = "paused", _("Paused")
    UNREADABLE = "unreadable", _("The master cannot be read")
    OVERDUE = "overdue", _("Overdue")


class Watch(models.Model):
    """What the watcher of a group knows: what it last saw of the master, and what waits."""

    group = models.OneToOneField(
        SyncGroup, models.CASCADE, primary_key=True, related_name="watcher", verbose_name=_("sync group")
    )
    state = models.CharField(_("state"), max_length=10, choices=WatchState.choices, default=WatchState.OFF)
    master = models.ForeignKey(Account, models.SET_NULL, null=True, related_name="+", verbose_name=_("master"))
    looks = models.PositiveIntegerField(_("looks"), default=0)
    collections = models.JSONField(default=dict, editable=False, help_text="Digest of each collection as last seen.")
    fingerprint = models.CharField(max_length=64, blank=True, editable=False, help_text="The master as last handled.")
    run = models.ForeignKey(
        SyncRun,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        help_text="It was started for that master, or has brought it.",
    )
    pending_fingerprint = models.CharField(max_length=64, blank=True, editable=False, help_text="That waits.")
    pending_since = models.DateTimeField(null=True, editable=False, help_text="When the change was first seen.")
    pending_read_at = models.DateTimeField(null=True, editable=False, help_text="When the whole master was last read.")
    told_fingerprint = models.CharField(max_length=64, blank=True, editable=False, help_text="Reported last.")
    last_look = models.DateTimeField(_("last look"), null=True)
    last_change = models.DateTimeField(_("last change"), null=True)
    next_look = models.DateTimeField(_("next look"), null=True, db_index=True)
    due_at = models.DateTimeField(null=True, editable=False, help_text="Without a good look until then it is overdue.")
    failures = models.PositiveSmallIntegerField(_("failures in a row"), default=0)
    problem = models.CharField(_("problem"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("watcher")
        verbose_name_plural = _("watchers")
        ordering = ["group__name"]

    def __str__(self) -> str:
        return f"{self.group}: {self.get_state_display()}"


class AccountRetry(models.Model):
    """An account in which a run failed, and the time at which it is tried again without a person."""

    account = models.OneToOneField(
        Account, models.CASCADE, primary_key=True, related_name="retry", verbose_name=_("account")
    )
    fingerprint = models.CharField(max_length=64, editable=False, help_text="Of the master that is to come there.")
    failures = models.PositiveSmallIntegerField(_("failures in a row"), default=1)
    due_at = models.DateTimeField(_("next attempt"), db_index=True)

    class Meta:
        verbose_name = _("retry")
        verbose_name_plural = _("retries")
        ordering = ["due_at"]

    def __str__(self) -> str:
        return f"{self.account} {self.due_at:%Y-%m-%d %H:%M}"
