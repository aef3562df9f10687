"""Sync groups: one master, its slaves, one policy."""

import zoneinfo
from functools import cache
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.pausing import Pausable

DAY = 24 * 60 * 60  # seconds


class UnmatchedItems(models.TextChoices):
    """The policy for items that the master does not have (any more)."""

    KEEP = "keep", _("Keep")
    DELETE_CREATED = "delete_created", _("Delete what KommoSync created")
    DELETE_ALL = "delete_all", _("Delete all")


class WaveUnit(models.TextChoices):
    ACCOUNTS = "accounts", _("accounts")
    PERCENT = "percent", _("% of the accounts")


class WatchMode(models.TextChoices):
    """What the watcher does with a change in the master."""

    OFF = "off", _("Off")
    REPORT = "report", _("Report it")
    PLAN = "plan", _("Make a plan for approval")
    APPLY = "apply", _("Write it to the slaves")


class HealMode(models.TextChoices):
    """What becomes of an edit that somebody made in a slave."""

    OFF = "off", _("Off")
    REPORT = "report", _("Report it")
    REVERT = "revert", _("Put it back")


# None of them keeps an edit: that is what exceptions are for.
HEAL_CONSEQUENCES = {
    HealMode.OFF: _("Nothing happens by itself, but the edit is not kept: the next sync overwrites it."),
    HealMode.REPORT: _("A check for drift reports the edit, but it is not kept: the next sync overwrites it."),
    HealMode.REVERT: _("A check for drift puts it back as it is in the master at once: the edit is lost."),
}


@cache
def time_zones() -> frozenset[str]:
    """Returns all names of time zones: read once, as each of them is a file."""
    return frozenset(zoneinfo.available_timezones())


def validate_time_zone(value: str) -> None:
    """Raises ValidationError for a name that is no time zone."""
    if value not in time_zones():
        raise ValidationError(
            _("%(value)s is not a time zone. Write it as in America/Sao_Paulo."), params={"value": value}
        )


def default_time_zone() -> str:
    return str(settings.TIME_ZONE)


def _unmatched(label: Any) -> Any:
    return models.CharField(label, max_length=14, choices=UnmatchedItems.choices, default=UnmatchedItems.KEEP)


def _percent(label: Any, default: int, help_text: Any) -> Any:
    validators = [MinValueValidator(0), MaxValueValidator(100)]
    return models.PositiveSmallIntegerField(label, default=default, validators=validators, help_text=help_text)


def _seconds(label: Any, default: int, help_text: Any, *, least: int = 1) -> Any:
    validators = [MinValueValidator(least), MaxValueValidator(DAY)]
    return models.PositiveIntegerField(label, default=default, validators=validators, help_text=help_text)


class SyncGroup(Pausable):
    """One master, its slaves, one policy."""

    name = models.CharField(_("name"), max_length=120, unique=True)
    sync_pipelines = models.BooleanField(_("pipelines and stages"), default=True)
    sync_custom_fields = models.BooleanField(_("field groups and custom fields"), default=True)
    max_master_shrink = models.PositiveSmallIntegerField(
        _("maximum loss in the master (%)"),
        default=30,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        help_text=_(
            "A run is refused when the master has lost more than this share of its pipelines, stages, "
            "fields or options since the last run."
        ),
    )
    shrink_minimum_items = models.PositiveSmallIntegerField(
        _("minimum items for this check"),
        default=10,
        help_text=_("With fewer items of a kind, the run is refused only if all of them are gone."),
    )
    # What becomes of items that only a slave has.
    unmatched_pipelines = _unmatched(_("pipelines that only a slave has"))
    unmatched_stages = _unmatched(_("stages that only a slave has"))
    unmatched_groups = _unmatched(_("field groups that only a slave has"))
    unmatched_fields = _unmatched(_("custom fields that only a slave has"))
    unmatched_options = _unmatched(_("options that only a slave has"))
    # Limits: more than these in one account, and it is refused before the first write.
    max_update_share = _percent(
        _("maximum updates (% of items)"),
        30,
        _(
            "A run is refused in an account where it would change more than this share of the items that "
            "were synced before."
        ),
    )
    max_delete_share = _percent(
        _("maximum deletions (% of items)"),
        10,
        _("A run is refused in an account where it would delete more than this share of the items."),
    )
    limit_minimum_items = models.PositiveSmallIntegerField(
        _("minimum items for the percentage limits"),
        default=10,
        help_text=_("In an account with fewer items only the number of deletions counts."),
    )
    max_deletes = models.PositiveSmallIntegerField(
        _("maximum deletions (number)"),
        default=20,
        help_text=_("A run is refused in an account where it would delete more items than this, whatever their share."),
    )
    # Review.
    requires_approval = models.BooleanField(
        _("require approval of plans"),
        default=False,
        help_text=_("A run writes only what was planned and approved before."),
    )
    approver_must_differ = models.BooleanField(
        _("require a second person to approve"),
        default=False,
        help_text=_("The person who asked for a plan cannot approve it."),
    )
    # Waves: pilots first, then the others in steps.
    wave_size = models.PositiveSmallIntegerField(
        _("size of a wave"), default=0, help_text=_("0 puts all accounts that are not pilots into one wave.")
    )
    wave_unit = models.CharField(
        _("wave size is counted in"), max_length=8, choices=WaveUnit.choices, default=WaveUnit.ACCOUNTS
    )
    max_failure_share = _percent(
        _("maximum failures (% of accounts)"),
        10,
        _("If more accounts of a wave fail, the run stops and later waves are not touched."),
    )
    wave_wait = models.PositiveSmallIntegerField(_("pause between waves (minutes)"), default=0)
    wave_hold = models.BooleanField(
        _("wait for Continue before each wave"),
        default=False,
        help_text=_("The next wave starts when somebody presses Continue."),
    )
    snapshot_days = models.PositiveSmallIntegerField(
        _("keep snapshots for (days)"),
        default=90,
        validators=[MinValueValidator(1)],
        help_text=_("A run can be rolled back for this many days."),
    )
    drift_hours = models.PositiveSmallIntegerField(
        _("check for drift every (hours)"),
        default=0,
        help_text=_("0 turns these checks off. A check only reads; it writes nothing."),
    )
    # What happens without a person.
    watch = models.CharField(
        _("watch the master"),
        max_length=6,
        choices=WatchMode.choices,
        default=WatchMode.OFF,
        help_text=_("What to do when something changes in the master."),
    )
    look_seconds = _seconds(
        _("look at the master every (seconds)"),
        240,
        _("Each look is one request. Kommo may block an address that asks very often; 240 is calm, 60 is brisk."),
    )
    quiet_seconds = _seconds(
        _("quiet period (seconds)"),
        300,
        _("A change is brought to the slaves when the master has stayed the same for this long."),
    )
    trigger_quiet_seconds = _seconds(
        _("join triggers for (seconds)"),
        60,
        _("Webhooks and API calls that come within this time after a run become one more run."),
        least=0,
    )
    retry_minutes = models.PositiveSmallIntegerField(
        _("retry failed accounts after (minutes)"),
        default=5,
        validators=[MinValueValidator(1), MaxValueValidator(360)],
        help_text=_("The time doubles with every failure, up to 6 hours."),
    )
    heal = models.CharField(
        _("edits made in a slave"),
        max_length=6,
        choices=HealMode.choices,
        default=HealMode.OFF,
        help_text=_("What to do when a check for drift finds that somebody edited a slave."),
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        default=default_time_zone,
        validators=[validate_time_zone],
        help_text=_("The times of schedules and windows are in this zone, unless they name their own."),
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

    @property
    def heal_consequence(self) -> str:
        return str(HEAL_CONSEQUENCES[HealMode(self.heal)])

    @property
    def deletes_unasked(self) -> bool:
        """Tells whether every run deletes what the policy says without a person that sees it before."""
        return not self.requires_approval and self.watch in (WatchMode.OFF, WatchMode.REPORT)
