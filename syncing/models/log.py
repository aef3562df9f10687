"""The log of runs, object by object."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from syncing.models.runs import AccountRun, SyncRun


class LogEntry(models.Model):
    """One object touched, or one thing worth knowing, in one account run (or in the run as a whole)."""

    class Level(models.TextChoices):
        INFO = "info", _("Info")
        WARNING = "warning", _("Warning")
        ERROR = "error", _("Error")

    run = models.ForeignKey(SyncRun, models.CASCADE, related_name="log", verbose_name=_("run"))
    account_run = models.ForeignKey(
        AccountRun, models.CASCADE, null=True, blank=True, related_name="log", verbose_name=_("account run")
    )
    at = models.DateTimeField(_("at"), auto_now_add=True)
    level = models.CharField(_("level"), max_length=7, choices=Level.choices, default=Level.INFO)
    code = models.CharField(_("code"), max_length=30, blank=True)
    action = models.CharField(_("action"), max_length=10, blank=True)
    kind = models.CharField(_("kind"), max_length=12, blank=True)
    name = models.CharField(_("name"), max_length=500, blank=True)
    message = models.TextField(_("message"), blank=True)
    details = models.JSONField(_("details"), default=dict, blank=True)

    class Meta:
        verbose_name = _("log entry")
        verbose_name_plural = _("log entries")
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.action} {self.kind} {self.name}".strip() or self.message[:80]
