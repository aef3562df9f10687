"""Sync groups: one master, its slaves, one policy."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _


class SyncGroup(models.Model):
    """One master, its slaves, one policy."""

    name = models.CharField(_("name"), max_length=120, unique=True)
    sync_pipelines = models.BooleanField(_("pipelines and stages"), default=True)
    sync_custom_fields = models.BooleanField(_("field groups and custom fields"), default=True)
    max_master_shrink = models.PositiveSmallIntegerField(
        _("allowed shrink of the master (%)"),
        default=30,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        help_text=_("A run is refused when the master lost more than this share of any kind."),
    )
    shrink_minimum_items = models.PositiveSmallIntegerField(
        _("smallest kind that the share applies to"),
        default=10,
        help_text=_("Items; fewer are only checked for being gone altogether."),
    )
    webhook_token_hash = models.CharField(max_length=64, blank=True, editable=False, db_index=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("sync group")
        verbose_name_plural = _("sync groups")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
