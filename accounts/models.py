"""Who the accounts are: sync groups with their policy, accounts with their encrypted credentials and health."""

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.fields import EncryptedTextField

SUBDOMAIN_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z"


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
    webhook_token_hash = models.CharField(max_length=64, blank=True, editable=False, db_index=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("sync group")
        verbose_name_plural = _("sync groups")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Account(models.Model):
    """One Kommo account and its role in a sync group."""

    class Role(models.TextChoices):
        MASTER = "master", _("Master")
        SLAVE = "slave", _("Slave")

    class CredentialKind(models.TextChoices):
        LONG_LIVED = "long_lived", _("Long-lived token")
        OAUTH = "oauth", _("OAuth")

    class Health(models.TextChoices):
        """What the last contact with the account showed; all but the first two need somebody."""

        UNKNOWN = "unknown", _("Not checked yet")
        CONNECTED = "connected", _("Connected")
        NO_TOKEN = "no_token", _("No token")
        UNAUTHORISED = "unauthorised", _("Token refused")
        TOKEN_EXPIRED = "token_expired", _("Token expired")
        TOKEN_REVOKED = "token_revoked", _("Token revoked")
        WRONG_ACCOUNT = "wrong_account", _("Wrong account")
        NOT_ADMIN = "not_admin", _("No admin rights")
        UNPAID = "unpaid", _("Unpaid")
        NOT_FOUND = "not_found", _("No such account")
        UNREACHABLE = "unreachable", _("Unreachable")
        IP_BLOCKED = "ip_blocked", _("IP address blocked")
        ERROR = "error", _("Error")

    group = models.ForeignKey(SyncGroup, models.PROTECT, related_name="accounts", verbose_name=_("sync group"))
    role = models.CharField(_("role"), max_length=6, choices=Role.choices, default=Role.SLAVE)
    name = models.CharField(_("name"), max_length=255, blank=True)
    subdomain = models.CharField(
        _("subdomain"),
        max_length=63,
        unique=True,
        validators=[
            RegexValidator(SUBDOMAIN_PATTERN, _("Letters a-z, digits and hyphens only, as in SUBDOMAIN.kommo.com."))
        ],
    )
    kommo_id = models.BigIntegerField(
        _("Kommo id"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("Kept at the first contact and compared ever after."),
    )
    credential_kind = models.CharField(
        _("credential"), max_length=10, choices=CredentialKind.choices, default=CredentialKind.LONG_LIVED
    )
    token = EncryptedTextField(_("long-lived token"), blank=True, default="")
    client_id = models.CharField(_("integration id"), max_length=64, blank=True)
    client_secret = EncryptedTextField(_("client secret"), blank=True, default="")
    refresh_token = EncryptedTextField(_("refresh token"), blank=True, default="")
    redirect_uri = models.URLField(_("redirect URI"), blank=True)
    token_expires_at = models.DateTimeField(_("token expires"), null=True, blank=True, editable=False)
    paused = models.BooleanField(_("paused"), default=False, help_text=_("Runs skip this account."))
    health = models.CharField(
        _("health"), max_length=14, choices=Health.choices, default=Health.UNKNOWN, editable=False
    )
    health_reason = models.CharField(_("reason"), max_length=500, blank=True, editable=False)
    checked_at = models.DateTimeField(_("checked"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        ordering = ["role", "subdomain"]
        constraints = [
            models.UniqueConstraint(
                fields=["group"],
                condition=Q(role="master"),
                name="one_master_per_group",
                violation_error_message=_("This group already has a master."),
            ),
            models.UniqueConstraint(
                fields=["kommo_id"],
                name="one_entry_per_kommo_id",
                violation_error_message=_("Another entry already stands for this Kommo account."),
            ),
        ]
        permissions = [
            ("check_account", _("Can check the connection of accounts")),
            ("import_account", _("Can import accounts")),
        ]

    def __str__(self) -> str:
        return self.name or self.subdomain


class RequestSlot(models.Model):
    """When the next request of one account, or of one outgoing IP, may be sent (unix seconds)."""

    key = models.CharField(primary_key=True, max_length=120)
    next_at = models.FloatField(default=0)
