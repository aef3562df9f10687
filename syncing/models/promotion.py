"""Proposals for the master."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import SyncGroup
from syncing.models.states import RunType


class PromotionProposal(models.Model):
    """The desired state of the master by one promotion, as `engine.promotion` makes it; never changed afterwards."""

    group = models.ForeignKey(SyncGroup, models.CASCADE, related_name="proposals", verbose_name=_("sync group"))
    type = models.CharField(_("type"), max_length=13, choices=RunType.choices)
    document = models.JSONField(_("document"))
    proposed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("promotion proposal")
        verbose_name_plural = _("promotion proposals")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.group} {self.proposed_at:%Y-%m-%d %H:%M}"
