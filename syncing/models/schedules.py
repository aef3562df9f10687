"""Schedules that start runs, and windows in which nothing may be written."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import SyncGroup, validate_time_zone
from syncing.cron import validate_cron
from syncing.models.runs import SyncRun

WEEK = 7 * 24 * 60  # minutes
DEFAULT_GRACE = 60  # minutes


class ScheduleKind(models.TextChoices):
    DRIFT = "drift", _("Check for drift")
    PLAN = "plan", _("Plan")
    APPLY = "apply", _("Apply")


class WindowKind(models.TextChoices):
    DENY = "deny", _("Freeze: nothing is written")
    ALLOW = "allow", _("Writing is allowed")


class Recurring(models.Model):
    """Columns of what comes again and again: a cron expression and its time zone."""

    cron = models.CharField(
        _("cron expression"),
        max_length=100,
        validators=[validate_cron],
        help_text=_("Minute, hour, day of the month, month, day of the week: 0 3 * * * is every day at 03:00."),
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        validators=[validate_time_zone],
        help_text=_("Leave it empty to use that of the group."),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        abstract = True


class Schedule(Recurring):
    """A run that starts by itself at certain times."""

    group = models.ForeignKey(SyncGroup, models.CASCADE, related_name="schedules", verbose_name=_("sync group"))
    kind = models.CharField(_("kind"), max_length=5, choices=ScheduleKind.choices)
    grace = models.PositiveIntegerField(
        _("grace (minutes)"),
        default=DEFAULT_GRACE,
        validators=[MinValueValidator(0), MaxValueValidator(WEEK)],
        help_text=_("A time that was missed is made up for if it is not longer ago than this."),
    )
    enabled = models.BooleanField(_("enabled"), default=True)
    next_at = models.DateTimeField(_("next time"), null=True, editable=False, db_index=True)
    fired_at = models.DateTimeField(_("last time"), null=True, editable=False)
    run = models.ForeignKey(
        SyncRun, models.SET_NULL, null=True, editable=False, related_name="+", verbose_name=_("run")
    )
    problem = models.CharField(_("problem"), max_length=500, blank=True, editable=False)

    class Meta:
        verbose_name = _("schedule")
        verbose_name_plural = _("schedules")
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.cron}"

    @property
    def zone(self) -> str:
        """Returns the time zone that it goes by."""
        return self.time_zone or self.group.time_zone


class Window(Recurring):
    """A time in which a group's slaves may not be written to, or the only times in which they may."""

    group = models.ForeignKey(SyncGroup, models.CASCADE, related_name="windows", verbose_name=_("sync group"))
    kind = models.CharField(_("kind"), max_length=5, choices=WindowKind.choices)
    minutes = models.PositiveIntegerField(
        _("length (minutes)"), validators=[MinValueValidator(1), MaxValueValidator(52 * WEEK)]
    )

    class Meta:
        verbose_name = _("window")
        verbose_name_plural = _("windows")
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.cron}"

    @property
    def zone(self) -> str:
        """Returns the time zone that it goes by."""
        return self.time_zone or self.group.time_zone
