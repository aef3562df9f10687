"""Token pairs, and the conditions on accounts that have a credential."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.fields import EncryptedTextField
from accounts.models.accounts import HEALTH_NEEDS_CONNECTING, Account
from accounts.models.integrations import Integration


class TokenPair(models.Model):
    """The OAuth tokens of one account, in a table of their own: saving an account never writes them back.

    A pair is replaced only where `generation` is still the one it was refreshed from. Who refreshes it holds a lease
    (`fence`, `lease_until`); how that ended for the others who wait is in `failed_fence`, `failure`.
    """

    account = models.OneToOneField(Account, models.CASCADE, primary_key=True, related_name="pair")
    integration = models.ForeignKey(Integration, models.PROTECT, related_name="pairs")
    access_token = EncryptedTextField(blank=True, default="")
    refresh_token = EncryptedTextField(blank=True, default="")
    access_expires_at = models.DateTimeField(null=True, blank=True)
    obtained_at = models.DateTimeField()
    generation = models.PositiveIntegerField(default=1)
    imported_hash = models.CharField(
        max_length=64,
        blank=True,
        default="",
        help_text="Of the refresh token that a file brought; it is not taken twice.",
    )
    fence = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    failed_fence = models.PositiveIntegerField(default=0)
    failure = models.JSONField(null=True, blank=True, help_text="code, message, remedy of the last failed refresh")
    ended_at = models.DateTimeField(null=True, blank=True, help_text="Kommo takes this refresh token no more.")

    class Meta:
        verbose_name = _("token pair")
        verbose_name_plural = _("token pairs")

    def __str__(self) -> str:
        return f"{self.account_id} #{self.generation}"


# Conditions on accounts.
IS_OAUTH = Q(credential_kind=Account.CredentialKind.OAUTH)
HAS_PAIR = Q(pair__isnull=False) & ~Q(pair__refresh_token="")
HAS_CREDENTIAL = (~IS_OAUTH & ~Q(token="")) | (IS_OAUTH & HAS_PAIR)
# There is something to ask Kommo with, so that an answer of Kommo can be believed.
HAS_LIVE_CREDENTIAL = HAS_CREDENTIAL & (~IS_OAUTH | Q(pair__ended_at=None))
# Only a person in Kommo can connect it: it never was, or is not any more.
NEEDS_CONNECTING = Q(health__in=HEALTH_NEEDS_CONNECTING) | ~HAS_CREDENTIAL
