"""Who the accounts are: sync groups with their policy, accounts with their encrypted credentials and health."""

from django.conf import settings
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


class Integration(models.Model):
    """An integration made in Kommo, with which accounts are connected by OAuth (kommo-api.md section 1.1)."""

    name = models.CharField(_("name"), max_length=120, unique=True)
    client_id = models.CharField(_("integration id"), max_length=64, unique=True)
    client_secret = EncryptedTextField(_("secret key"), blank=True, default="")
    redirect_uri = models.URLField(
        _("redirect URI"),
        max_length=500,
        help_text=_("As registered in Kommo, to the letter: Kommo sends people back to it."),
    )
    is_public = models.BooleanField(
        _("public"),
        default=False,
        help_text=_(
            "A public integration serves any number of accounts, a private one only the account it is made in."
        ),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("integration")
        verbose_name_plural = _("integrations")
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
        """What the last contact with the account showed; all but `FINE` need somebody."""

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
    integration = models.ForeignKey(
        Integration,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="accounts",
        verbose_name=_("integration"),
        help_text=_("What the account is connected with by OAuth. Not needed with a long-lived token."),
    )
    contact_email = models.EmailField(
        _("administrator's e-mail"), blank=True, help_text=_("Whom an invite link is sent to.")
    )
    token_expires_at = models.DateTimeField(
        _("token expires"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("When the connection ends if nobody does anything; a token pair renews itself long before."),
    )
    warned_days = models.PositiveSmallIntegerField(null=True, blank=True, editable=False)
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
            ("export_account", _("Can export accounts")),
            ("connect_account", _("Can connect accounts and make invite links")),
        ]

    def __str__(self) -> str:
        return self.name or self.subdomain

    @property
    def uses_oauth(self) -> bool:
        return self.credential_kind == self.CredentialKind.OAUTH


# Never loaded for a page: they would be decrypted for nothing.
SECRETS = ("token",)
RELATED_SECRETS = tuple(f"account__{name}" for name in SECRETS)
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


class Invite(models.Model):
    """A link with which a branch's own administrator connects one account, without a login here; usable once."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="invites", verbose_name=_("account"))
    integration = models.ForeignKey(Integration, models.CASCADE, related_name="+", verbose_name=_("integration"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("made by")
    )
    created_at = models.DateTimeField(_("made"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"))
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    used_at = models.DateTimeField(_("used"), null=True, blank=True)
    email = models.EmailField(_("sent to"), blank=True)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    send_error = models.CharField(_("not sent because"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("invite link")
        verbose_name_plural = _("invite links")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"#{self.pk} {self.account}"


class ConnectAttempt(models.Model):
    """One way through Kommo's consent page: its one-time `state`, and whose it is. Only the hash is kept."""

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
    """What happened to the connection of one account, in the order of time."""

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
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("connection event")
        verbose_name_plural = _("connection events")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.account}: {self.get_code_display()}"


class ConnectionCheck(models.Model):
    """One order to check the connections of many accounts, worked by the queue."""

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


class RequestSlot(models.Model):
    """When the next request of one account, or of one outgoing IP, may be sent (unix seconds)."""

    key = models.CharField(primary_key=True, max_length=120)
    next_at = models.FloatField(default=0)
