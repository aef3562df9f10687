"""Keys for the REST API."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class KeyScope(models.TextChoices):
    READ = "read", _("Read")
    TRIGGER = "trigger", pgettext_lazy("scope", "Trigger")
    APPROVE = "approve", _("Approve")
    PROMOTE = "promote", _("Promote")


class ApiKey(models.Model):
    """A key for the REST API; only its hash is stored, the key itself is shown once."""

    name = models.CharField(_("name"), max_length=120, unique=True)
    prefix = models.CharField(_("begins with"), max_length=12, editable=False)
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(_("scopes"), default=list)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("made by"),
        help_text=_("The key can do only what this person may do now, and its actions count as this person's actions."),
    )
    # Left when the person is deleted; without it the key was made on the command line, for no person.
    maker_name = models.CharField(max_length=150, blank=True, editable=False)
    revoked = models.BooleanField(_("revoked"), default=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_orphaned(self) -> bool:
        """Tells whether the person who made it was deleted, deactivated, or let in here no more."""
        if self.made_by is None:
            return bool(self.maker_name)
        return not (self.made_by.is_active and self.made_by.is_staff)

    def maker_may(self, permission: str) -> bool:
        """Tells whether the person who made the key may do it now. Nothing limits a key that was made for no person."""
        return not self.is_orphaned and (self.made_by is None or self.made_by.has_perm(permission))
