"""Sync groups: one master, its slaves, one policy."""

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _


class UnmatchedItems(models.TextChoices):
    """The policy for items that the master does not have (any more)."""

    KEEP = "keep", _("Keep")
    DELETE_CREATED = "delete_created", _("Delete what KommoSync made there")
    DELETE_ALL = "delete_all", _("Delete all")


class WaveUnit(models.TextChoices):
    ACCOUNTS = "accounts", _("accounts")
    PERCENT = "percent", _("% of the accounts")


def _unmatched(label: Any) -> Any:
    return models.CharField(label, max_length=14, choices=UnmatchedItems.choices, default=UnmatchedItems.KEEP)


def _percent(label: Any, default: int, help_text: Any) -> Any:
    validators = [MinValueValidator(0), MaxValueValidator(100)]
    return models.PositiveSmallIntegerField(label, default=default, validators=validators, help_text=help_text)


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
    # What becomes of items that only a slave has.
    unmatched_pipelines = _unmatched(_("pipelines that only a slave has"))
    unmatched_stages = _unmatched(_("stages that only a slave has"))
    unmatched_groups = _unmatched(_("field groups that only a slave has"))
    unmatched_fields = _unmatched(_("custom fields that only a slave has"))
    unmatched_options = _unmatched(_("options that only a slave has"))
    # Limits: more than these in one account, and it is refused before the first write.
    max_update_share = _percent(
        _("updates (%)"), 30, _("Of the items kept in step so far that a run may change in one account.")
    )
    max_delete_share = _percent(_("deletions (%)"), 10, _("Of the items of an account that a run may delete."))
    limit_minimum_items = models.PositiveSmallIntegerField(
        _("fewest items that the shares apply to"), default=10, help_text=_("With fewer, only the number counts.")
    )
    max_deletes = models.PositiveSmallIntegerField(
        _("deletions (number)"), default=20, help_text=_("That a run may make in one account, whatever the share.")
    )
    # Review.
    requires_approval = models.BooleanField(
        _("plans need approval"), default=False, help_text=_("Nothing is written but what was planned and approved.")
    )
    approver_must_differ = models.BooleanField(
        _("by another person"), default=False, help_text=_("Who asked for the plan cannot approve it.")
    )
    # Waves: pilots first, then the others in steps.
    wave_size = models.PositiveSmallIntegerField(
        _("size of a wave"), default=0, help_text=_("0: all accounts that are no pilots at once.")
    )
    wave_unit = models.CharField(_("counted in"), max_length=8, choices=WaveUnit.choices, default=WaveUnit.ACCOUNTS)
    max_failure_share = _percent(
        _("failures (%)"), 10, _("Of a wave; with more, the accounts of the waves behind it are not touched.")
    )
    wave_wait = models.PositiveSmallIntegerField(_("pause between waves (minutes)"), default=0)
    wave_hold = models.BooleanField(
        _("ask before the next wave"), default=False, help_text=_("Somebody has to press Continue.")
    )
    snapshot_days = models.PositiveSmallIntegerField(
        _("keep snapshots (days)"),
        default=90,
        validators=[MinValueValidator(1)],
        help_text=_("So long can a run be rolled back."),
    )
    drift_hours = models.PositiveSmallIntegerField(
        _("look for drift every (hours)"), default=0, help_text=_("0: never by itself. It only reads.")
    )
    drift_problem = models.CharField(max_length=500, blank=True, editable=False, help_text="Why it could not begin.")
    webhook_token_hash = models.CharField(max_length=64, blank=True, editable=False, db_index=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("sync group")
        verbose_name_plural = _("sync groups")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
