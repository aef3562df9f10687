"""Processes that work on runs."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from syncing.models.runs import SyncRun


class ProcessKind(models.TextChoices):
    WORKER = "worker", _("Worker")  # a supervisor, `manage.py worker`
    LANE = "lane", _("Lane")  # a queue task that works account runs
    FOREGROUND = "foreground", _("Foreground")  # a command that works its own run


class Process(models.Model):
    """A process at work; its heartbeat tells the others that it lives."""

    name = models.CharField(primary_key=True, max_length=64)
    kind = models.CharField(_("kind"), max_length=10, choices=ProcessKind.choices, default=ProcessKind.LANE)
    worker = models.CharField(_("worker"), max_length=64, blank=True, help_text=_("The worker that a lane belongs to."))
    run = models.ForeignKey(
        SyncRun, models.CASCADE, null=True, blank=True, related_name="processes", verbose_name=_("run")
    )
    started_at = models.DateTimeField(_("started"))
    heartbeat_at = models.DateTimeField(_("last sign of life"))

    class Meta:
        verbose_name = _("process")
        verbose_name_plural = _("processes")
        ordering = ["started_at", "name"]

    def __str__(self) -> str:
        return self.name
