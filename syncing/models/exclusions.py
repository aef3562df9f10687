"""Items that are not copied to an account."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Account
from syncing.engine.refs import Kind


class Exclusion(models.Model):
    """A kind, or one named item of it with all that is inside it, that one account's plans leave out."""

    KINDS = [
        (Kind.PIPELINE.value, _("Pipeline")),
        (Kind.STAGE.value, _("Stage")),
        (Kind.FIELD_GROUP.value, _("Field group")),
        (Kind.CUSTOM_FIELD.value, _("Custom field")),
    ]

    account = models.ForeignKey(Account, models.CASCADE, related_name="exclusions", verbose_name=_("account"))
    kind = models.CharField(_("kind"), max_length=12, choices=KINDS)
    name = models.CharField(
        _("name"),
        max_length=500,
        blank=True,
        help_text=_("The name in the master. Leave it empty to exclude everything of this kind."),
    )

    class Meta:
        verbose_name = _("exclusion")
        verbose_name_plural = _("exclusions")
        ordering = ["kind", "name"]
        constraints = [models.UniqueConstraint(fields=["account", "kind", "name"], name="excluded_once")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.name}".strip()
