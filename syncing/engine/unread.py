"""Unread items, as manual items: named with their kind, their id and the place of the problem."""

from collections.abc import Iterator

from syncing.engine.changes import Manual
from syncing.engine.coverage import Coverage
from syncing.engine.exclusions import excluded_names
from syncing.engine.refs import Kind
from syncing.engine.rules import Rules
from syncing.engine.sentences import gettext_noop
from syncing.engine.snapshot import Snapshot

NULL = gettext_noop("it is null")
IN_MASTER = gettext_noop(
    "It came from the master in an unexpected shape and is not copied (%(place)s); look at it in Kommo."
)
IN_ACCOUNT = gettext_noop(
    "It came from the account in an unexpected shape and is neither changed nor deleted (%(place)s); look at it in "
    "Kommo."
)


def unread_items(desired: Snapshot, existing: Snapshot, rules: Rules, coverage: Coverage) -> Iterator[Manual]:
    """Yields them for the kinds that the plan covers, without what the account is not to be given."""
    for snapshot, message in ((desired, IN_MASTER), (existing, IN_ACCOUNT)):
        for held in snapshot.held:
            if coverage.covers(held.kind) and not excluded_names(rules.exclusions, held.kind, {held.name or ""}):
                yield Manual(str(held.kind), held.label, held.parent, message % {"place": held.place})
        for item in snapshot.fields or () if coverage.covers(Kind.ENUM) else ():
            for at, enum in enumerate(item.enums):
                if enum.value is None:
                    place = f"id {enum.id}: enums.{at}.value: {NULL}"
                    yield Manual(str(Kind.ENUM), f"#{enum.id}", item.name, message % {"place": place})
