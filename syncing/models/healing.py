"""Healing: what is done with edits in slaves, item by item, and what was put back."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Account, SyncGroup
from syncing.models.runs import SyncRun


class ItemMode(models.TextChoices):
    LOCKED = "locked", _("Put edits back")
    REPORTED = "reported", _("Report edits")
    LOCAL = "local", _("Leave it to each account")


class HealingRule(models.Model):
    """What is done with edits of one item of the master, in every slave of its group. `kind`, `key`: of its ref."""

    group = models.ForeignKey(SyncGroup, models.CASCADE, related_name="healing_rules", verbose_name=_("sync group"))
    kind = models.CharField(_("kind"), max_length=12)
    key = models.CharField(max_length=500, editable=False)
    name = models.CharField(_("name"), max_length=500, blank=True)
    parent = models.CharField(_("parent"), max_length=500, blank=True)
    mode = models.CharField(_("mode"), max_length=8, choices=ItemMode.choices)

    class Meta:
        verbose_name = _("healing rule")
        verbose_name_plural = _("healing rules")
        ordering = ["kind", "name", "pk"]
        constraints = [models.UniqueConstraint(fields=["group", "kind", "key"], name="one_healing_rule_per_item")]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.get_mode_display()}"


class HealedItem(models.Model):
    """An item of a slave that a healing run put back, or tried to; what is edited too often is left alone.

    `kind`, `key`: of its ref.
    """

    account = models.ForeignKey(Account, models.CASCADE, related_name="healed", verbose_name=_("account"))
    kind = models.CharField(_("kind"), max_length=12)
    key = models.CharField(max_length=500, editable=False)
    name = models.CharField(_("name"), max_length=500, blank=True)
    parent = models.CharField(_("parent"), max_length=500, blank=True)
    run = models.ForeignKey(SyncRun, models.SET_NULL, null=True, related_name="+", verbose_name=_("run"))
    at = models.DateTimeField(_("at"))
    gave_up = models.BooleanField(
        _("gave up"), default=False, help_text=_("It was changed too often and is left alone until somebody decides.")
    )

    class Meta:
        verbose_name = _("healed item")
        verbose_name_plural = _("healed items")
        ordering = ["-at"]
        indexes = [models.Index(fields=["account", "kind", "key", "-at"])]

    def __str__(self) -> str:
        return f"{self.account}: {self.kind} {self.name}"
