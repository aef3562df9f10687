"""The roles of people: auth groups that `setup` makes, each with the permissions of this table (docs/people.md).

A person may have several roles; what they may do is the sum. Other groups, and permissions given to a person, stay.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.contrib.auth.models import Group, Permission
from django.db import transaction

SEES = (
    *("accounts.view_account", "accounts.view_syncgroup", "accounts.view_accountevent", "accounts.view_integration"),
    *("syncing.view_syncrun", "syncing.view_accountrun", "syncing.view_logentry", "syncing.view_idmapping"),
    *("syncing.view_drift", "syncing.view_accepteddifference", "syncing.view_mastersnapshot"),
    *("syncing.view_channel", "syncing.view_message", "syncing.view_auditentry"),
    *("syncing.view_schedule", "syncing.view_window"),
)
# Nothing that changes a policy, a schedule or a channel: who plans must not be able to abolish the approval.
OPERATES = (
    *("accounts.add_account", "accounts.change_account", "accounts.check_account", "accounts.connect_account"),
    *("accounts.import_account", "accounts.export_account", "accounts.view_invite"),
    *("syncing.plan_sync", "syncing.start_sync", "syncing.cancel_sync", "syncing.roll_back", "syncing.promote"),
    "syncing.share_view",
)
# `plan_sync`: to plan the accounts again that changed since. `promote`: a promotion is approved by who may promote.
APPROVES = (
    "syncing.approve_plan",
    "syncing.accept_drift",
    "syncing.plan_sync",
    "syncing.promote",
    "syncing.share_view",
)
WHOLE_APPS = ("accounts", "syncing")
ADMINISTERS = (
    *(f"auth.{action}_{table}" for table in ("user", "group") for action in ("view", "add", "change", "delete")),
    *(f"django_q.view_{table}" for table in ("success", "failure", "schedule", "ormq")),
)

ROLES: Mapping[str, tuple[str, ...]] = {
    "viewer": SEES,
    "operator": SEES + OPERATES,
    "approver": SEES + APPROVES,
    "administrator": ADMINISTERS,  # and every permission of WHOLE_APPS
}
ADMINISTRATOR = "administrator"


@dataclass(frozen=True)
class RoleChange:
    """What was done to a role; `is_new`: there was no group of this name."""

    name: str
    is_new: bool
    given: int
    taken: int

    def __str__(self) -> str:
        return self.name if self.is_new else f"{self.name} (+{self.given}, -{self.taken})"


@transaction.atomic
def make_roles() -> list[RoleChange]:
    """Gives each role exactly the permissions of the table; returns the roles that were not so before."""
    rows = Permission.objects.select_related("content_type")
    known = {f"{each.content_type.app_label}.{each.codename}": each for each in rows}
    changes = []
    for name in ROLES:
        group, is_new = Group.objects.get_or_create(name=name)
        wanted = {known[each].pk for each in permissions_of(name, known)}
        present = set(group.permissions.values_list("pk", flat=True))
        if is_new or wanted != present:
            group.permissions.set(wanted)
            changes.append(RoleChange(name, is_new, len(wanted - present), len(present - wanted)))
    return changes


def permissions_of(role: str, known: Iterable[str]) -> Sequence[str]:
    """Returns the permissions of a role; `known`: all that this installation has."""
    whole = [each for each in known if each.startswith(tuple(f"{app}." for app in WHOLE_APPS))]
    return [*ROLES[role], *(whole if role == ADMINISTRATOR else ())]
