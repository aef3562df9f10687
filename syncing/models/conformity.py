"""Conformity, day by day: how many slaves equalled their master."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import SyncGroup


class ConformityDay(models.Model):
    """The slaves of a group on one day, in its time zone; of today as they were when they were last counted."""

    group = models.ForeignKey(SyncGroup, models.CASCADE, related_name="conformity_days", verbose_name=_("sync group"))
    day = models.DateField(_("day"))
    equal = models.PositiveIntegerField(default=0)
    known = models.PositiveIntegerField(default=0, help_text="Equal or not: the others were not read lately.")
    total = models.PositiveIntegerField(default=0)
    counted_at = models.DateTimeField()

    class Meta:
        verbose_name = _("conformity of a day")
        verbose_name_plural = _("conformity of days")
        ordering = ["day", "group"]
        constraints = [models.UniqueConstraint(fields=["group", "day"], name="one_conformity_per_group_and_day")]
        indexes = [models.Index(fields=["day"], name="conformity_by_day")]

    def __str__(self) -> str:
        return f"{self.group} {self.day}: {self.equal}/{self.total}"
