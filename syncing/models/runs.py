"""One execution for one group, and an account run for each account."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext

from accounts.models import Account, SyncGroup
from syncing.models.promotion import PromotionProposal
from syncing.models.snapshots import MasterSnapshot
from syncing.models.states import RUN_OPEN, AccountState, RunMode, RunPurpose, RunState, RunType, Trigger


def master_unread(prefix: str = "") -> Q:
    """Returns the condition that `SyncRun.is_master_read` is false; `prefix` leads to the run, as in `run__`."""
    return Q(**{f"{prefix}snapshot": None, f"{prefix}proposal": None})


def run_title(number: int, purpose: str, mode: str, name: str = "") -> str:
    """Returns the name of a run, the same on every page and in messages: "Drift check #2", "Sync #5 Summer"."""
    is_plan = purpose == RunPurpose.SYNC and mode == RunMode.PLAN
    label = pgettext("a run", "Plan") if is_plan else dict(RunPurpose.choices).get(purpose, purpose)
    return f"{label} #{number} {name}".strip()


class SyncRun(models.Model):
    """One execution for one group. The master as it was read is its `snapshot`, or of a promotion its `proposal`."""

    group = models.ForeignKey(SyncGroup, models.CASCADE, related_name="runs", verbose_name=_("sync group"))
    type = models.CharField(_("type"), max_length=13, choices=RunType.choices, default=RunType.FULL)
    mode = models.CharField(_("mode"), max_length=5, choices=RunMode.choices, default=RunMode.APPLY)
    purpose = models.CharField(
        _("purpose"), max_length=9, choices=RunPurpose.choices, default=RunPurpose.SYNC, editable=False
    )
    trigger = models.CharField(_("trigger"), max_length=8, choices=Trigger.choices)
    state = models.CharField(_("state"), max_length=9, choices=RunState.choices, default=RunState.QUEUED)
    reason = models.CharField(_("reason"), max_length=20, blank=True)
    error = models.JSONField(_("error"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=500, blank=True, help_text=_("What it is doing or waiting for."))
    name = models.CharField(_("name"), max_length=80, blank=True, editable=False)
    wish = models.CharField(_("reason for the run"), max_length=500, blank=True, editable=False)
    first_attempt = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="later_attempts",
        help_text="The run that this one tries again; of all attempts the first.",
    )
    queued_to_workers = models.BooleanField(default=True, editable=False)
    whole_group = models.BooleanField(default=True, editable=False)
    joins_triggers = models.BooleanField(
        default=False, editable=False, help_text="It waits until no more triggers come, then stands for all of them."
    )
    delta = models.BooleanField(
        default=False, editable=False, help_text="Accounts equal to the master before are read only where it changed."
    )
    followed_up = models.BooleanField(
        default=False, editable=False, help_text="What follows from its end without a person was done."
    )
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
    # Values, as four eyes are to be told apart when a key or a user was renamed or deleted (accounts.actors.Actor).
    requester_name = models.CharField(max_length=150, blank=True, editable=False)
    requester_user_id = models.BigIntegerField(null=True, editable=False)
    requester_username = models.CharField(max_length=150, blank=True, editable=False)
    requester_key_id = models.BigIntegerField(null=True, editable=False)
    approved_plan = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="applied_by",
        verbose_name=_("approved plan"),
        help_text=_("The run whose approved plans this run applies. It writes nothing else."),
    )
    sent_back_at = models.DateTimeField(_("sent back"), null=True, blank=True, editable=False)
    sent_back_by = models.CharField(_("sent back by"), max_length=150, blank=True, editable=False)
    sent_back_comment = models.CharField(
        _("comment"), max_length=500, blank=True, editable=False, help_text=_("Why it is not approved as it is.")
    )
    reverts = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="reverted_by",
        verbose_name=_("rolls back"),
    )
    source = models.ForeignKey(
        Account,
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("source"),
        help_text=_("The slave whose items a promotion brings to the master."),
    )
    # What a person chose of a plan has `chosen` as well: it is no edit that is put back.
    picked = models.JSONField(
        default=list,
        blank=True,
        editable=False,
        help_text="Items: [{kind, slave_key, attribute}] of a promotion, [{account, kind, key, attribute}] of healing.",
    )
    wave = models.PositiveSmallIntegerField(default=0, editable=False, help_text="Accounts up to it may be worked.")
    wave_due_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="The next wave may start.")
    wave_held = models.BooleanField(default=False, editable=False, help_text="The next wave waits for a person.")
    rests = models.PositiveSmallIntegerField(default=0, editable=False, help_text="Outages that it has rested for.")
    rests_until = models.DateTimeField(null=True, blank=True, editable=False, help_text="Until then it is in a rest.")
    snapshot = models.ForeignKey(
        MasterSnapshot, models.SET_NULL, null=True, blank=True, editable=False, related_name="runs"
    )
    proposal = models.OneToOneField(
        PromotionProposal, models.SET_NULL, null=True, blank=True, editable=False, related_name="run"
    )
    deletes_allowed = models.BooleanField(
        default=False, editable=False, help_text="The reading of the master is beyond doubt: policies may delete."
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
        indexes = [
            models.Index(fields=["group", "state"]),
            models.Index(fields=["id"], condition=Q(followed_up=False), name="runs_to_follow_up"),
            models.Index(fields=["state"], name="runs_by_state"),
        ]
        permissions = [
            ("plan_sync", _("Can plan a sync")),
            ("start_sync", _("Can start a sync that writes")),
            ("cancel_sync", _("Can cancel a sync")),
            ("approve_plan", _("Can approve a plan")),
            ("override_limits", _("Can override the limits")),
            ("roll_back", _("Can roll a sync back")),
            ("promote", _("Can promote items to the master")),
        ]

    def __str__(self) -> str:
        return run_title(self.pk, self.purpose, self.mode, self.name)

    @property
    def asked_by(self) -> str:
        """Returns the person or API key by its name at that time; "" when nobody is known."""
        return self.requester_name if self.requester_user_id or self.requester_key_id else ""

    @property
    def is_open(self) -> bool:
        return self.state in RUN_OPEN

    @property
    def is_master_read(self) -> bool:
        """Tells whether the accounts can be worked: the master was read, and accepted or made into a proposal."""
        return self.snapshot_id is not None or self.proposal_id is not None

    @property
    def writes(self) -> bool:
        return self.mode == RunMode.APPLY


class AccountRun(models.Model):
    """One run in one account, mostly a slave."""

    run = models.ForeignKey(SyncRun, models.CASCADE, related_name="account_runs", verbose_name=_("run"))
    account = models.ForeignKey(Account, models.CASCADE, related_name="account_runs", verbose_name=_("account"))
    state = models.CharField(_("state"), max_length=9, choices=AccountState.choices, default=AccountState.QUEUED)
    reason = models.CharField(_("reason"), max_length=20, blank=True)
    error = models.JSONField(_("error"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=500, blank=True, help_text=_("What it is doing or waiting for."))
    wave = models.PositiveSmallIntegerField(_("wave"), default=0, editable=False)
    plan_digest = models.CharField(max_length=64, blank=True, editable=False)
    approved_digest = models.CharField(max_length=64, blank=True, editable=False, help_text="Only this plan may run.")
    content_digest = models.CharField(
        max_length=64, blank=True, editable=False, db_index=True, help_text="Equal documents have the same."
    )
    document = models.JSONField(
        _("changes"),
        default=dict,
        blank=True,
        help_text=_("Changes, extras, conflicts and manual steps, as in the JSON document of the run."),
    )
    created = models.PositiveIntegerField(_("created"), default=0)
    updated = models.PositiveIntegerField(_("updated"), default=0)
    deleted = models.PositiveIntegerField(_("deleted"), default=0)
    adopted = models.PositiveIntegerField(_("adopted"), default=0)
    requests = models.PositiveIntegerField(_("requests"), default=0)
    delta = models.BooleanField(default=False, editable=False, help_text="Read only where the master changed.")
    crashes = models.PositiveSmallIntegerField(default=0, editable=False, help_text="Claims whose lease ran out.")
    errors = models.PositiveSmallIntegerField(
        default=0, editable=False, help_text="Attempts that ended in an error of our own."
    )
    failing = models.PositiveSmallIntegerField(
        default=0, editable=False, help_text="Requests that the server failed at in attempts that were interrupted."
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
            # Guarantee 6 of docs/lifecycle.md, kept by the database itself: two lanes may ask at the same moment.
            models.UniqueConstraint(fields=["account"], condition=Q(state="running"), name="one_writer_per_account"),
        ]
        indexes = [
            models.Index(fields=["state", "lease_until"]),
            models.Index(fields=["account", "state"]),
            models.Index(fields=["account", "-id"], name="last_run_of_an_account"),
        ]

    def __str__(self) -> str:
        return f"#{self.run_id} {self.account}"

    @property
    def is_untouched(self) -> bool:
        """Tells whether the run ended before this account: the reason is that of the run."""
        return self.state == AccountState.SKIPPED and self.reason != "paused"
