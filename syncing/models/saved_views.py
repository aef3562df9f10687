"""Views of lists that somebody saved: what a list looks for, under a name."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class SavedList(models.TextChoices):
    """The lists that have views, by what the address of each is called."""

    ACCOUNTS = "accounts", _("Accounts")
    RUNS = "runs", _("Runs")
    DRIFT = "drift", _("Drift")
    DRIFT_ITEMS = "drift_items", _("Drift by item")
    TODO = "todo", _("To do")
    RUN_LOG = "run_log", _("Log")
    AUDIT = "audit", _("Audit")
    IDS = "ids", _("Ids")
    INVITES = "invites", _("Invite links")
    MESSAGES = "messages", _("Messages")


class SavedView(models.Model):
    """What a list looks for, as the parameters of its address. Without an owner it is everybody's."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+")
    list = models.CharField(max_length=11, choices=SavedList)
    name = models.CharField(_("name"), max_length=60)
    parameters = models.JSONField(default=dict)
    is_default = models.BooleanField(default=False, help_text="The list is opened with it.")

    class Meta:
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        ordering = ["name", "pk"]
        default_permissions = ()
        permissions = [("share_view", _("Can share views of lists with everybody"))]
        constraints = [
            models.UniqueConstraint(fields=["owner", "list", "name"], name="one_own_view_of_a_name"),
            models.UniqueConstraint(fields=["list", "name"], condition=Q(owner=None), name="one_shared_view_of_a_name"),
            models.UniqueConstraint(
                fields=["owner", "list"], condition=Q(is_default=True), name="one_own_default_of_a_list"
            ),
            models.UniqueConstraint(
                fields=["list"], condition=Q(is_default=True, owner=None), name="one_shared_default_of_a_list"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_shared(self) -> bool:
        return self.owner_id is None
