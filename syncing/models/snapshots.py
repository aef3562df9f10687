"""Configurations as they were read: of the master for a run, of a slave before the first write."""

import hashlib
import json
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Account, SyncGroup
from syncing.models.states import RunType


class MasterSnapshot(models.Model):
    """The master's configuration as a run read it; never changed. Later runs that read the same share it."""

    group = models.ForeignKey(SyncGroup, models.CASCADE, related_name="snapshots", verbose_name=_("sync group"))
    type = models.CharField(_("type"), max_length=13, choices=RunType.choices)
    document = models.JSONField(_("document"))
    fingerprint = models.CharField(_("fingerprint"), max_length=64, db_index=True)
    # Of the document's parts, so that the database can tell whether two masters are the same in one of them.
    pipelines_digest = models.CharField(max_length=64, blank=True, editable=False)
    fields_digest = models.CharField(max_length=64, blank=True, editable=False)
    accepted = models.BooleanField(
        _("accepted"),
        default=False,
        help_text=_("The shrink guard accepted this reading; later readings are compared with it."),
    )
    taken_at = models.DateTimeField(_("taken"), auto_now_add=True)

    class Meta:
        verbose_name = _("master snapshot")
        verbose_name_plural = _("master snapshots")
        ordering = ["-taken_at"]

    def __str__(self) -> str:
        return f"{self.group} {self.taken_at:%Y-%m-%d %H:%M}"

    def save(self, *args: Any, **options: Any) -> None:
        self.pipelines_digest = part_digest(self.document, "pipelines")
        self.fields_digest = part_digest(self.document, "groups", "fields")
        super().save(*args, **options)


def part_digest(document: dict[str, Any], *keys: str) -> str:
    """Returns 64 hex characters, equal for documents that are the same under these keys."""
    text = json.dumps([document.get(key) for key in keys], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class SlaveSnapshot(models.Model):
    """One slave's configuration before the first write of a run: what a rollback goes back to."""

    account_run = models.OneToOneField(
        "syncing.AccountRun", models.CASCADE, primary_key=True, related_name="before", verbose_name=_("account run")
    )
    account = models.ForeignKey(Account, models.CASCADE, related_name="snapshots", verbose_name=_("account"))
    document = models.BinaryField(_("document"), help_text=_("The snapshot as JSON, compressed with zlib."))
    part = models.JSONField(
        null=True,
        editable=False,
        help_text="{lists, described}: what was read of it, the rest was assumed. Null: all was read.",
    )
    taken_at = models.DateTimeField(_("taken"), auto_now_add=True, db_index=True)

    class Meta:
        verbose_name = _("slave snapshot")
        verbose_name_plural = _("slave snapshots")
        ordering = ["-taken_at"]

    def __str__(self) -> str:
        return f"{self.account} {self.taken_at:%Y-%m-%d %H:%M}"
