"""What was run, what came of it in every account, and which item of the master is which item of a slave."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Account, SyncGroup


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


ACCOUNT_OPEN = (AccountState.QUEUED, AccountState.RUNNING)
ACCOUNT_GOOD = (AccountState.IN_SYNC, AccountState.CHANGED, AccountState.PLANNED)


class MasterSnapshot(models.Model):
    """The master's configuration as one run read it; frozen."""

    group = models.ForeignKey(SyncGroup, models.CASCADE, related_name="snapshots", verbose_name=_("sync group"))
    type = models.CharField(_("type"), max_length=13, choices=RunType.choices)
    document = models.JSONField(_("document"))
    fingerprint = models.CharField(_("fingerprint"), max_length=64, db_index=True)
    accepted = models.BooleanField(
        _("accepted"),
        default=False,
        help_text=_("The shrink guard let it pass; later ones are compared with it."),
    )
    taken_at = models.DateTimeField(_("taken"), auto_now_add=True)

    class Meta:
        verbose_name = _("master snapshot")
        verbose_name_plural = _("master snapshots")
        ordering = ["-taken_at"]

    def __str__(self) -> str:
        return f"{self.group} {self.taken_at:%Y-%m-%d %H:%M}"


class SyncRun(models.Model):
    """One execution for one group."""

    group = models.ForeignKey(SyncGroup, models.CASCADE, related_name="runs", verbose_name=_("sync group"))
    type = models.CharField(_("type"), max_length=13, choices=RunType.choices, default=RunType.FULL)
    mode = models.CharField(_("mode"), max_length=5, choices=RunMode.choices, default=RunMode.APPLY)
    trigger = models.CharField(_("trigger"), max_length=8, choices=Trigger.choices)
    state = models.CharField(_("state"), max_length=9, choices=RunState.choices, default=RunState.QUEUED)
    reason = models.CharField(_("reason"), max_length=20, blank=True)
    error = models.JSONField(_("error"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=500, blank=True, help_text=_("What it is doing or waiting for."))
    queued_to_workers = models.BooleanField(default=True, editable=False)
    whole_group = models.BooleanField(default=True, editable=False)
    forced = models.BooleanField(_("forced"), default=False)
    force_reason = models.CharField(_("reason for forcing"), max_length=500, blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("requested by"),
    )
    snapshot = models.ForeignKey(
        MasterSnapshot, models.SET_NULL, null=True, blank=True, editable=False, related_name="runs"
    )
    master_requests = models.PositiveIntegerField(_("requests to the master"), default=0)
    totals = models.JSONField(_("totals"), default=dict, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True, editable=False)
    # The reading of the master is claimed like an account: fence, lease, attempts.
    fence = models.PositiveIntegerField(default=0, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("sync run")
        verbose_name_plural = _("sync runs")
        ordering = ["-pk"]
        indexes = [models.Index(fields=["group", "state"])]
        permissions = [
            ("plan_sync", _("Can plan a sync")),
            ("start_sync", _("Can start a sync that writes")),
            ("cancel_sync", _("Can cancel a sync")),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.group} {self.get_type_display()}"

    @property
    def is_open(self) -> bool:
        return self.state in RUN_OPEN

    @property
    def writes(self) -> bool:
        return self.mode == RunMode.APPLY


class AccountRun(models.Model):
    """The part of a run for one slave."""

    run = models.ForeignKey(SyncRun, models.CASCADE, related_name="account_runs", verbose_name=_("run"))
    account = models.ForeignKey(Account, models.CASCADE, related_name="account_runs", verbose_name=_("account"))
    state = models.CharField(_("state"), max_length=9, choices=AccountState.choices, default=AccountState.QUEUED)
    reason = models.CharField(_("reason"), max_length=20, blank=True)
    error = models.JSONField(_("error"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=500, blank=True, help_text=_("What it is doing or waiting for."))
    plan_digest = models.CharField(max_length=64, blank=True, editable=False)
    document = models.JSONField(
        _("changes"),
        default=dict,
        blank=True,
        help_text=_("changes, extras, conflicts, manual: as in the run document."),
    )
    created = models.PositiveIntegerField(_("created"), default=0)
    updated = models.PositiveIntegerField(_("updated"), default=0)
    deleted = models.PositiveIntegerField(_("deleted"), default=0)
    adopted = models.PositiveIntegerField(_("adopted"), default=0)
    requests = models.PositiveIntegerField(_("requests"), default=0)
    crashes = models.PositiveSmallIntegerField(default=0, editable=False, help_text="Claims whose lease ran out.")
    errors = models.PositiveSmallIntegerField(
        default=0, editable=False, help_text="Attempts that ended in an error of our own."
    )
    fence = models.PositiveIntegerField(default=0, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    lane = models.CharField(max_length=64, blank=True, editable=False)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("account run")
        verbose_name_plural = _("account runs")
        ordering = ["run", "account__subdomain"]
        constraints = [
            models.UniqueConstraint(fields=["run", "account"], name="one_part_per_account"),
            # Guarantee 6, kept by the database itself: two lanes may ask at the same moment.
            models.UniqueConstraint(fields=["account"], condition=Q(state="running"), name="one_writer_per_account"),
        ]
        indexes = [models.Index(fields=["state", "lease_until"]), models.Index(fields=["account", "state"])]

    def __str__(self) -> str:
        return f"#{self.run_id} {self.account}"


class IdMapping(models.Model):
    """Which item of the slave is which item of the master. Keys are those of `engine.refs`."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="id_mappings", verbose_name=_("account"))
    kind = models.CharField(_("kind"), max_length=12)
    master_key = models.CharField(_("master key"), max_length=120)
    slave_key = models.CharField(_("slave key"), max_length=120)
    name = models.CharField(_("name"), max_length=500, blank=True)
    parent = models.CharField(_("parent"), max_length=500, blank=True)
    created_by_us = models.BooleanField(_("created by us"), default=False)
    created_at = models.DateTimeField(_("since"), auto_now_add=True)

    class Meta:
        verbose_name = _("id mapping")
        verbose_name_plural = _("id mappings")
        ordering = ["account", "kind", "master_key"]
        constraints = [
            models.UniqueConstraint(fields=["account", "kind", "master_key"], name="one_slave_item_per_master_item"),
            models.UniqueConstraint(fields=["account", "kind", "slave_key"], name="one_master_item_per_slave_item"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.master_key} -> {self.slave_key}"


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


class Lane(models.Model):
    """A process at work; its heartbeat tells the others that it lives."""

    class Kind(models.TextChoices):
        WORKER = "worker", _("Worker")  # a supervisor, `manage.py worker`
        LANE = "lane", _("Lane")  # a queue task that works account runs
        FOREGROUND = "foreground", _("Foreground")  # a command that works its own run

    name = models.CharField(primary_key=True, max_length=64)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices, default=Kind.LANE)
    worker = models.CharField(_("worker"), max_length=64, blank=True, help_text=_("The worker that a lane belongs to."))
    run = models.ForeignKey(SyncRun, models.CASCADE, null=True, blank=True, related_name="lanes", verbose_name=_("run"))
    started_at = models.DateTimeField(_("started"))
    heartbeat_at = models.DateTimeField(_("last sign of life"))

    class Meta:
        verbose_name = _("lane")
        verbose_name_plural = _("lanes")
        ordering = ["started_at", "name"]

    def __str__(self) -> str:
        return self.name


class ApiKey(models.Model):
    """A key for the REST API; only its hash is kept, the key itself is shown once."""

    class Scope(models.TextChoices):
        READ = "read", _("Read")
        TRIGGER = "trigger", _("Trigger")

    name = models.CharField(_("name"), max_length=120, unique=True)
    prefix = models.CharField(_("begins with"), max_length=12, editable=False)
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(_("scopes"), default=list)
    revoked = models.BooleanField(_("revoked"), default=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
