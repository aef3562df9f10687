"""Healing: a person says what is done with edits of an item, in every account of the group."""

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.models import Account, SyncGroup
from accounts.refusals import Refusal
from syncing.engine.healing import ITEM_KINDS
from syncing.engine.rules import WHOLE
from syncing.models import AuditAction, Drift, HealedItem, HealingRule, IdMapping, ItemMode
from syncing.records.drift import is_covered, take_out
from syncing.records.text import NAME_LENGTH
from syncing.services import audit

PERMISSION = "syncing.accept_drift"
BY_GROUP = "group"  # as a mode: none of its own, so that the group's policy says it


def set_mode(group: SyncGroup, *, kind: str, key: str, mode: str, by: Actor) -> None:
    """Sets what is done with edits of an item (`BY_GROUP`: what the group's policy says).

    `kind` and `key` are those of a difference. Accounts in which the item was left alone as it came back too often
    begin anew. Raises Refusal.
    """
    if not by.has(PERMISSION):
        message = _("%(who)s may not decide what happens to edits.") % {"who": by.name}
        raise Refusal("not_allowed", message, _("Ask somebody who may, or for the permission."))
    if mode not in (BY_GROUP, *ItemMode.values):
        message = _("%(mode)s is no way to treat edits.") % {"mode": mode}
        raise Refusal("bad_mode", message, _("Choose one of: %(modes)s.") % {"modes": ", ".join(ItemMode.values)})
    name, parent = item_named(group, kind, key)
    with transaction.atomic():
        SyncGroup.objects.select_for_update().get(pk=group.pk)
        rule = HealingRule.objects.filter(group=group, kind=kind, key=key).first()
        before = rule.mode if rule else BY_GROUP
        if mode == BY_GROUP:
            HealingRule.objects.filter(group=group, kind=kind, key=key).delete()
        else:
            values = {"mode": mode, "name": name[:NAME_LENGTH], "parent": parent[:NAME_LENGTH]}
            HealingRule.objects.update_or_create(group=group, kind=kind, key=key, defaults=values)
        HealedItem.objects.filter(account__group=group, kind=kind, key=key).delete()
        details = {"kind": kind, "key": key, "name": name, "parent": parent, "mode": [before, mode]}
        audit.note(AuditAction.HEALING, by=by, group=group, details=details)
    if mode == ItemMode.LOCAL:
        _forget_differences(group, kind, key)


def item_named(group: SyncGroup, kind: str, key: str) -> tuple[str, str]:
    """Returns name and parent of an item of the master; raises Refusal for what no account knows as one."""
    mapped = IdMapping.objects.filter(account__group=group, kind=kind, master_key=key).first()
    if kind in ITEM_KINDS and mapped is not None:
        return mapped.name, mapped.parent
    for differences in Drift.objects.filter(account__group=group).values_list("differences", flat=True):
        for row in differences if kind in ITEM_KINDS else ():
            if (row["kind"], row["key"]) == (kind, key) and row["action"] in ("create", "update"):
                return row["name"], row["parent"]
    message = _("The group %(group)s has no such item.") % {"group": group.name}
    raise Refusal("no_such_item", message, _("Look at the drift of an account again. Options go with their field."))


def _forget_differences(group: SyncGroup, kind: str, key: str) -> None:
    """Takes the item out of the drift of the accounts that have been given it; its history says when.

    Account by account, as lanes that store the drift of several at once must not be met in another order. What is not
    reached leaves with the next run.
    """
    mapped = IdMapping.objects.filter(kind=kind, master_key=key, account__role=Account.Role.SLAVE)
    slaves = Drift.objects.filter(account__group=group, account__in=mapped.values("account"))
    for pk in list(slaves.values_list("pk", flat=True)):
        with transaction.atomic():
            drift = Drift.objects.select_for_update().filter(pk=pk).first()
            differences = drift.differences if drift else []
            covered = [row for row in differences if is_covered(row, kind, key, WHOLE)]
            if covered:
                take_out(pk, differences, covered)
