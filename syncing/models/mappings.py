"""Facts about the items of an account: its id mappings, creations not seen yet, names stored otherwise."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Account


class IdMapping(models.Model):
    """A pair of items that are the same in master and slave. Keys are those of `engine.refs`."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="id_mappings", verbose_name=_("account"))
    kind = models.CharField(_("kind"), max_length=12)
    master_key = models.CharField(_("master key"), max_length=120)
    slave_key = models.CharField(_("slave key"), max_length=120)
    name = models.CharField(_("name"), max_length=500, blank=True)
    parent = models.CharField(_("parent"), max_length=500, blank=True)
    created_by_us = models.BooleanField(_("created by us"), default=False)
    created_at = models.DateTimeField(_("since"), auto_now_add=True)

    class Meta:
        verbose_name = _("id mapping")
        verbose_name_plural = _("id mappings")
        ordering = ["account", "kind", "master_key"]
        constraints = [
            models.UniqueConstraint(fields=["account", "kind", "master_key"], name="one_slave_item_per_master_item"),
            models.UniqueConstraint(fields=["account", "kind", "slave_key"], name="one_master_item_per_slave_item"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.master_key} -> {self.slave_key}"


class PendingCreation(models.Model):
    """Items that were sent to be created in one list of an account, and have not been seen since.

    `place` is the parent of the list (see `engine.pending`), `before` its items then, by the account's own keys.
    """

    account = models.ForeignKey(Account, models.CASCADE, related_name="pending_creations", verbose_name=_("account"))
    kind = models.CharField(_("kind"), max_length=12)
    place = models.CharField(_("place"), max_length=120, blank=True)
    master_keys = models.JSONField(_("master keys"))
    before = models.JSONField(_("before"))

    class Meta:
        verbose_name = _("pending creation")
        verbose_name_plural = _("pending creations")
        constraints = [
            models.UniqueConstraint(fields=["account", "kind", "place"], name="one_pending_creation_per_list")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.place}: {self.master_keys}"


class StoredName(models.Model):
    """A name that an account shows otherwise than it was sent (escaped, cut, trimmed). `key` as in `IdMapping`."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="stored_names", verbose_name=_("account"))
    kind = models.CharField(_("kind"), max_length=12)
    key = models.CharField(_("key"), max_length=120)
    sent = models.TextField(_("sent as"))
    shown = models.TextField(_("shown as"), blank=True)

    class Meta:
        verbose_name = _("stored name")
        verbose_name_plural = _("stored names")
        constraints = [models.UniqueConstraint(fields=["account", "kind", "key"], name="one_stored_name_per_item")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}: {self.sent!r} -> {self.shown!r}"
