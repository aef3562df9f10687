"""Integrations, with which accounts are connected by OAuth."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.fields import EncryptedTextField

INTEGRATION_SECRETS = ("client_secret",)
RELATED_INTEGRATION_SECRETS = tuple(f"integration__{name}" for name in INTEGRATION_SECRETS)


class WithoutSecrets(models.Manager["Integration"]):
    """Loads a secret only when it is asked for: lists, filters and forms never do, whatever key they lie under."""

    def get_queryset(self) -> models.QuerySet["Integration"]:
        return super().get_queryset().defer(*INTEGRATION_SECRETS)


class Integration(models.Model):
    """An integration made in Kommo, with which accounts are connected by OAuth (docs/kommo.md 1.1)."""

    name = models.CharField(_("name"), max_length=120, unique=True)
    client_id = models.CharField(_("integration id"), max_length=64, unique=True)
    client_secret = EncryptedTextField(_("secret key"), blank=True, default="")
    redirect_uri = models.URLField(
        _("redirect URI"),
        max_length=500,
        help_text=_("The exact address that is registered in Kommo. Kommo sends people back to it."),
    )
    is_public = models.BooleanField(
        _("public"),
        default=False,
        help_text=_(
            "A public integration serves any number of accounts; a private one only the account in which "
            "it was created."
        ),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = WithoutSecrets()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("integration")
        verbose_name_plural = _("integrations")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
