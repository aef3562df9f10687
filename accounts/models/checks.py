"""Checks of many connections, run by the queue."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.accounts import Account


class ConnectionCheck(models.Model):
    """One order to check the connections of many accounts, run by the queue."""

    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("requested by"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    beat_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="Last sign of who works it.")
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("connection check")
        verbose_name_plural = _("connection checks")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"#{self.pk}"


class CheckedAccount(models.Model):
    """One account of a connection check; `health` stays empty until it was asked."""

    check_order = models.ForeignKey(ConnectionCheck, models.CASCADE, related_name="items")
    account = models.ForeignKey(Account, models.CASCADE, related_name="+")
    health = models.CharField(max_length=14, choices=Account.Health.choices, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["check_order", "account"], name="one_item_per_checked_account")]

    def __str__(self) -> str:
        return f"{self.check_order_id} {self.account_id}"
