"""Invites, attempts to connect, and the events of connections."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.accounts import Account
from accounts.models.integrations import Integration


class InviteState(models.TextChoices):
    OPEN = "open", _("Open")
    USED = "used", _("Used")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    EXPIRED = "expired", _("Expired")


class Invite(models.Model):
    """A link with which a branch's own administrator connects one account, without a login here; usable once."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="invites", verbose_name=_("account"))
    integration = models.ForeignKey(Integration, models.CASCADE, related_name="+", verbose_name=_("integration"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("made by")
    )
    created_at = models.DateTimeField(_("made"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"))
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True, blank=True)
    used_at = models.DateTimeField(_("used"), null=True, blank=True)
    email = models.EmailField(_("sent to"), blank=True)
    language = models.CharField(max_length=10, blank=True, editable=False)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    send_error = models.CharField(_("reason it was not sent"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("invite link")
        verbose_name_plural = _("invite links")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"#{self.pk} {self.account}"

    def state(self, moment: datetime) -> InviteState:
        if self.used_at:
            return InviteState.USED
        if self.withdrawn_at:
            return InviteState.WITHDRAWN
        return InviteState.EXPIRED if self.expires_at <= moment else InviteState.OPEN


class ConnectAttempt(models.Model):
    """One attempt to connect through Kommo's consent page: its owner, and the hash of its one-time `state`."""

    state_hash = models.CharField(max_length=64, unique=True)
    account = models.ForeignKey(Account, models.CASCADE, related_name="+")
    integration = models.ForeignKey(Integration, models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+")
    invite = models.ForeignKey(Invite, models.CASCADE, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"#{self.pk} {self.account_id}"


class AccountEvent(models.Model):
    """An event in the life of one account's connection."""

    class Code(models.TextChoices):
        CONNECTED = "connected", _("Connected")
        RECONNECT = "reconnect", _("Reconnect needed")
        DISCONNECTED = "disconnected", _("Disconnected")
        RENAMED = "renamed", _("Subdomain changed")
        REFUSED = "refused", _("Connection refused")
        INVITED = "invited", _("Invited")
        EXPIRES = "expires", _("Token expires soon")

    account = models.ForeignKey(Account, models.CASCADE, related_name="events", verbose_name=_("account"))
    at = models.DateTimeField(_("at"), auto_now_add=True)
    code = models.CharField(_("what"), max_length=12, choices=Code.choices)
    message = models.CharField(_("message"), max_length=500, blank=True)
    former_subdomain = models.CharField(max_length=63, blank=True, editable=False, db_index=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("connection event")
        verbose_name_plural = _("connection events")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.account}: {self.get_code_display()}"
