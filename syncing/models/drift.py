"""Drift: differences between a slave and its master, with their age and their author."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Account
from syncing.models.runs import SyncRun
from syncing.models.snapshots import MasterSnapshot


class Drift(models.Model):
    """The differences in one slave when it was last read, and the master that it was last equal to."""

    class State(models.TextChoices):
        IN_SYNC = "in_sync", _("In sync")
        DRIFTED = "drifted", _("Drifted")
        CONFLICT = "conflict", _("Conflict")  # no difference that a run could settle, but not equal either

    account = models.OneToOneField(
        Account, models.CASCADE, primary_key=True, related_name="drift", verbose_name=_("account")
    )
    state = models.CharField(_("state"), max_length=8, choices=State.choices)
    differences = models.JSONField(
        _("differences"),
        default=list,
        help_text=_(
            "Every difference with its cause and the time it was first seen; items that only the slave "
            "has are among them."
        ),
    )
    count = models.PositiveIntegerField(
        _("differences"), default=0, help_text=_("Items that only the slave has are not counted.")
    )
    # Counted when stored, so that lists and the dashboard need not read the differences of every account.
    by_master = models.PositiveIntegerField(default=0, editable=False, help_text="The master moved on.")
    by_slave = models.PositiveIntegerField(default=0, editable=False, help_text="Somebody edited the slave.")
    by_both = models.PositiveIntegerField(default=0, editable=False)
    by_unknown = models.PositiveIntegerField(default=0, editable=False)
    extras = models.PositiveIntegerField(default=0, editable=False, help_text="Items that only the slave has.")
    run = models.ForeignKey(SyncRun, models.SET_NULL, null=True, related_name="+", verbose_name=_("run"))
    checked_at = models.DateTimeField(_("checked"))
    since = models.DateTimeField(_("since"), null=True, help_text=_("When the oldest difference was first seen."))
    converged_at = models.DateTimeField(_("last in sync"), null=True)
    base_pipelines = models.ForeignKey(
        MasterSnapshot, models.SET_NULL, null=True, editable=False, related_name="bases_of_pipelines"
    )
    base_fields = models.ForeignKey(
        MasterSnapshot, models.SET_NULL, null=True, editable=False, related_name="bases_of_fields"
    )

    rules_digest = models.CharField(
        max_length=64, blank=True, editable=False, help_text="Exceptions and exclusions when it was last in sync."
    )

    class Meta:
        verbose_name = _("drift")
        verbose_name_plural = _("drift")
        ordering = ["account__subdomain"]

    def __str__(self) -> str:
        return f"{self.account}: {self.get_state_display()}"


class DriftChange(models.Model):
    """A change of the differences in a slave, by the run that noticed it; without a run: by an acceptance.

    Of very many differences the first are stored, and a last row {"more": number}.
    """

    account = models.ForeignKey(Account, models.CASCADE, related_name="drift_changes", verbose_name=_("account"))
    run = models.ForeignKey(SyncRun, models.SET_NULL, null=True, related_name="+", verbose_name=_("run"))
    at = models.DateTimeField(_("at"))
    appeared = models.JSONField(_("appeared"), default=list)
    gone = models.JSONField(_("gone"), default=list)

    class Meta:
        verbose_name = _("change of drift")
        verbose_name_plural = _("changes of drift")
        ordering = ["-pk"]
        indexes = [models.Index(fields=["account", "-at"])]

    def __str__(self) -> str:
        return f"{self.account} {self.at:%Y-%m-%d %H:%M}"

    @property
    def appeared_count(self) -> int:
        return sum(row.get("more", 1) for row in self.appeared)

    @property
    def gone_count(self) -> int:
        return sum(row.get("more", 1) for row in self.gone)


class AcceptedDifference(models.Model):
    """A difference that a person accepted for one account; it is in no plan of the account until it is withdrawn.

    `kind` and `key` are those of the ref; without `attribute` it is the whole item.
    """

    account = models.ForeignKey(Account, models.CASCADE, related_name="accepted", verbose_name=_("account"))
    kind = models.CharField(_("kind"), max_length=12)
    key = models.CharField(max_length=500, editable=False)
    attribute = models.CharField(_("attribute"), max_length=30, blank=True)
    name = models.CharField(_("name"), max_length=500, blank=True)
    parent = models.CharField(_("parent"), max_length=500, blank=True)
    reason = models.CharField(_("reason"), max_length=500)
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("accepted by")
    )
    accepted_at = models.DateTimeField(_("accepted"), auto_now_add=True)
    withdrawn_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("withdrawn by")
    )
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True)

    class Meta:
        verbose_name = _("accepted difference")
        verbose_name_plural = _("accepted differences")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "kind", "key", "attribute"],
                condition=Q(withdrawn_at=None),
                name="accepted_once",
            )
        ]
        permissions = [("accept_drift", _("Can accept differences and withdraw them"))]

    def __str__(self) -> str:
        return f"{self.account}: {self.kind} {self.name}"
