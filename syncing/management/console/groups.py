"""The group that a command is for."""

from accounts.models import SyncGroup
from accounts.refusals import Refusal


def group_named(name: str | None) -> SyncGroup:
    """Returns the group of this name, or without a name the only one there is; raises Refusal, which lists them."""
    groups = {group.name: group for group in SyncGroup.objects.all()}
    if name is None and len(groups) == 1:
        return next(iter(groups.values()))
    if name not in groups:
        problem = "There is not exactly one group: use --group." if name is None else f"There is no group {name!r}."
        raise Refusal("usage", f"{problem} Groups: {', '.join(groups) or 'none'}.")
    return groups[name]
