"""Types and states of runs and account runs; groups of states are named here once."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class RunType(models.TextChoices):
    FULL = "full", _("Everything")
    PIPELINES = "pipelines", _("Pipelines and stages")
    CUSTOM_FIELDS = "custom_fields", _("Field groups and custom fields")


class RunMode(models.TextChoices):
    PLAN = "plan", _("Plan")
    APPLY = "apply", _("Apply")


class Trigger(models.TextChoices):
    ADMIN = "admin", _("Admin")
    COMMAND = "command", _("Command line")
    API = "api", _("REST API")
    WEBHOOK = "webhook", _("Webhook")
    SCHEDULE = "schedule", _("Schedule")
    WATCH = "watch", _("Watcher")
    RETRY = "retry", _("Retry")
    HEAL = "heal", _("Healing")


# What starts runs without a person.
AUTOMATIC = (Trigger.SCHEDULE, Trigger.WATCH, Trigger.RETRY, Trigger.HEAL)
# What they start deletes nothing: an account whose plan does is refused, until a person has seen the plan.
REVIEWED = (Trigger.WATCH, Trigger.RETRY)


class RunPurpose(models.TextChoices):
    """The purpose of a run: it says whose configuration comes to which accounts."""

    SYNC = "sync", _("Sync")  # the master's to the slaves
    DRIFT = "drift", _("Drift check")  # the same, only looked at, on a schedule
    ROLLBACK = "rollback", _("Rollback")  # what a slave had before an earlier run, to that slave
    PROMOTION = "promotion", _("Promotion")  # chosen items of one slave, to the master


class RunState(models.TextChoices):
    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    PLANNED = "planned", _("Planned")
    SUCCEEDED = "succeeded", _("Succeeded")
    PARTIAL = "partial", _("Partial")
    FAILED = "failed", _("Failed")
    REFUSED = "refused", _("Refused")
    CANCELLED = "cancelled", _("Cancelled")


RUN_OPEN = (RunState.QUEUED, RunState.RUNNING)


class AccountState(models.TextChoices):
    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    PLANNED = "planned", _("Planned")
    IN_SYNC = "in_sync", _("In sync")
    CHANGED = "changed", _("Changed and verified")
    PARTIAL = "partial", _("Partial")
    FAILED = "failed", _("Failed")
    REFUSED = "refused", _("Refused")
    SKIPPED = "skipped", _("Skipped")
    CANCELLED = "cancelled", _("Cancelled")


class Standing(models.TextChoices):
    """How a slave stands now, as far as it is known (`selectors/standing.py`)."""

    IN_SYNC = "in_sync", _("In sync")
    DRIFTED = "drifted", _("Drifted")
    CONFLICT = "conflict", _("Conflict")
    NOT_KNOWN = "not_known", _("Not known")  # it was in sync when it was last read
    NEVER = "never", _("Never checked")


ACCOUNT_OPEN = (AccountState.QUEUED, AccountState.RUNNING)
ACCOUNT_BAD = (AccountState.PARTIAL, AccountState.FAILED, AccountState.REFUSED)  # not all was done that should be
ACCOUNT_GOOD = (AccountState.IN_SYNC, AccountState.CHANGED, AccountState.PLANNED)
