"""Channels, by which people are told what happened; what there is to tell, and the messages made of it."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.fields import EncryptedTextField
from accounts.models import SyncGroup
from syncing.models.runs import SyncRun

EMAIL = "email"  # the kind of a channel that Django sends; every other kind is a scheme of Apprise


class Event(models.TextChoices):
    """What a channel can be told."""

    RUN_FAILED = "run_failed", _("A run failed or is incomplete")
    RUN_WAITS = "run_waits", _("A plan waits for approval")
    WAVE_WAITS = "wave_waits", _("A wave waits")
    DRIFT_FOUND = "drift_found", _("Accounts differ from the master")
    ACCOUNT_NEEDS_PERSON = "account_needs_person", _("An account needs a person")
    TOKEN_ENDS = "token_ends", _("A connection ends soon")
    MASTER_CHANGED = "master_changed", _("The master has changed")
    OVERDUE = "overdue", _("Something did not happen in time")
    IP_BLOCKED = "ip_blocked", _("Kommo blocks our address")
    HEALING_GAVE_UP = "healing_gave_up", _("An edit is no longer put back")
    PAUSE_ENDED = "pause_ended", _("A pause has ended")
    WEEKLY_REPORT = "weekly_report", _("Weekly conformity report")


class TellWhen(models.TextChoices):
    EVERY = "every", _("Every time")
    CHANGED = "changed", _("Only when it changed")
    NEWLY_BAD = "newly_bad", _("Only what is newly bad")


class Channel(models.Model):
    """Where people are told, of which events, and in which language."""

    name = models.CharField(_("name"), max_length=120, unique=True)
    group = models.ForeignKey(
        SyncGroup,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="channels",
        verbose_name=_("sync group"),
        help_text=_("Leave it empty to tell of all groups."),
    )
    kind = models.CharField(_("kind"), max_length=30, editable=False, help_text="email, or the scheme of its address.")
    address = EncryptedTextField(_("address"), editable=False)
    events = models.JSONField(_("events"), default=list)
    when = models.CharField(_("when"), max_length=9, choices=TellWhen.choices, default=TellWhen.CHANGED)
    language = models.CharField(_("language"), max_length=10, choices=settings.LANGUAGES, default="en")
    enabled = models.BooleanField(_("enabled"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    last_sent_at = models.DateTimeField(_("last message"), null=True, editable=False)
    failure = models.CharField(_("failure"), max_length=500, blank=True, editable=False)
    failed_at = models.DateTimeField(_("failed at"), null=True, editable=False)

    class Meta:
        verbose_name = _("channel")
        verbose_name_plural = _("channels")
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name


class Notice(models.Model):
    """Something that happened and that channels may want to know; a worker makes messages of it soon after.

    It is written together with what happened, so neither is there without the other.
    """

    event = models.CharField(max_length=20, choices=Event.choices)
    group = models.ForeignKey(SyncGroup, models.CASCADE, null=True, related_name="+", help_text="None: all groups.")
    run = models.ForeignKey(SyncRun, models.CASCADE, null=True, related_name="+")
    facts = models.JSONField(default=dict, help_text="What the message says, without a secret.")
    at = models.DateTimeField(auto_now_add=True, db_index=True)

    def __str__(self) -> str:
        return f"{self.event} {self.at:%Y-%m-%d %H:%M}"


class Message(models.Model):
    """What one channel is told, in its language; kept for some days after it was sent or given up."""

    channel = models.ForeignKey(Channel, models.CASCADE, related_name="messages", verbose_name=_("channel"))
    event = models.CharField(_("event"), max_length=20, choices=Event.choices, blank=True)  # "": a test
    group = models.ForeignKey(SyncGroup, models.CASCADE, null=True, related_name="+")
    run = models.ForeignKey(SyncRun, models.CASCADE, null=True, related_name="+")
    title = models.CharField(_("title"), max_length=200)
    text = models.TextField(_("text"))
    html = models.TextField(blank=True)
    attachment_name = models.CharField(max_length=100, blank=True)
    attachment = models.TextField(blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    due_at = models.DateTimeField(_("next attempt"), null=True, db_index=True, help_text="None: sent, or given up.")
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    sent_at = models.DateTimeField(_("sent"), null=True)
    failure = models.CharField(_("failure"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.title


class ToldState(models.Model):
    """What a channel knows to be bad, for one event of one group."""

    channel = models.ForeignKey(Channel, models.CASCADE, related_name="told")
    group = models.ForeignKey(SyncGroup, models.CASCADE, null=True, related_name="+")
    event = models.CharField(max_length=20, choices=Event.choices)
    bad = models.JSONField(default=dict, help_text="Each subject that is bad, with its reason.")
    told_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["channel", "group", "event"], name="told_once_per_group"),
            models.UniqueConstraint(
                fields=["channel", "event"], condition=models.Q(group=None), name="told_once_of_no_group"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel}: {self.event}"
