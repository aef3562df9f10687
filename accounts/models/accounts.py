"""Accounts: their role in a group, their credentials, and what is known of their connection."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.fields import EncryptedTextField
from accounts.models.groups import SyncGroup
from accounts.models.integrations import Integration
from accounts.models.pausing import Pausable
from accounts.text_search import any_finds

SUBDOMAIN_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z"
# Never loaded for a page: they would be decrypted for nothing.
SECRETS = ("token",)
RELATED_SECRETS = tuple(f"account__{name}" for name in SECRETS)


class Account(Pausable):
    """One Kommo account and its role in a sync group."""

    class Role(models.TextChoices):
        MASTER = "master", _("Master")
        SLAVE = "slave", _("Slave")

    class CredentialKind(models.TextChoices):
        LONG_LIVED = "long_lived", _("Long-lived token")
        OAUTH = "oauth", _("OAuth")

    class Health(models.TextChoices):
        """The state of the connection at the last contact; all but `HEALTH_FINE` need somebody."""

        UNKNOWN = "unknown", _("Not checked yet")
        CONNECTED = "connected", _("Connected")
        NO_TOKEN = "no_token", _("No token")
        UNAUTHORISED = "unauthorised", _("Token refused")
        TOKEN_EXPIRED = "token_expired", _("Token expired")
        TOKEN_REVOKED = "token_revoked", _("Token revoked")
        RECONNECT = "reconnect", _("Reconnect needed")
        DISCONNECTED = "disconnected", _("Disconnected")
        WRONG_ACCOUNT = "wrong_account", _("Wrong account")
        NOT_ADMIN = "not_admin", _("No admin rights")
        UNPAID = "unpaid", _("Unpaid")
        NOT_FOUND = "not_found", _("No such account")
        UNREACHABLE = "unreachable", _("Unreachable")
        IP_BLOCKED = "ip_blocked", _("IP address blocked")
        IP_NOT_ALLOWED = "ip_not_allowed", _("IP address not on its whitelist")
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
        help_text=_("Stored at the first contact. Later answers must come from the same Kommo account."),
    )
    credential_kind = models.CharField(
        _("credential"), max_length=10, choices=CredentialKind.choices, default=CredentialKind.LONG_LIVED
    )
    token = EncryptedTextField(_("long-lived token"), blank=True, default="")
    integration = models.ForeignKey(
        Integration,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="accounts",
        verbose_name=_("integration"),
        help_text=_("The integration that connects this account by OAuth. Not needed with a long-lived token."),
    )
    contact_email = models.EmailField(
        _("administrator's e-mail"), blank=True, help_text=_("Invite links are sent to this address.")
    )
    token_expires_at = models.DateTimeField(
        _("token expires"),
        null=True,
        blank=True,
        editable=False,
        help_text=_(
            "The connection ends at this time if nobody does anything. An OAuth connection renews itself long before."
        ),
    )
    warned_days = models.PositiveSmallIntegerField(null=True, blank=True, editable=False)
    is_pilot = models.BooleanField(
        _("pilot"), default=False, help_text=_("A run of the whole group starts with its pilots.")
    )
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
                violation_error_message=_("This Kommo account is already in the list, as another entry."),
            ),
        ]
        permissions = [
            ("check_account", _("Can check the connection of accounts")),
            ("import_account", _("Can import accounts")),
            ("export_account", _("Can export accounts")),
            ("connect_account", _("Can connect accounts and make invite links")),
        ]

    def __str__(self) -> str:
        return self.name or self.subdomain

    @property
    def uses_oauth(self) -> bool:
        return self.credential_kind == self.CredentialKind.OAUTH


def is_called(text: str, account: str = "") -> Q:
    """Returns the condition that an account has `text` in its name or subdomain.

    `account`: the way to the account from the rows that are asked, such as "account__"; "" if these are accounts.
    """
    return any_finds(text, f"{account}name", f"{account}subdomain")


HEALTH_FINE = (Account.Health.UNKNOWN, Account.Health.CONNECTED)
# Kommo's side of the connection has ended: only a person can make it again, by consent or with a new token.
HEALTH_NEEDS_CONNECTING = (
    Account.Health.NO_TOKEN,
    Account.Health.UNAUTHORISED,
    Account.Health.TOKEN_EXPIRED,
    Account.Health.TOKEN_REVOKED,
    Account.Health.RECONNECT,
    Account.Health.DISCONNECTED,
)
