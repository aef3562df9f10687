"""What the commands `pause` and `resume` have in common: which group, or which accounts, they are for."""

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from typing import Any

from accounts.models import Account
from accounts.refusals import Refusal
from syncing.management.console.runcommand import named_accounts, named_group
from syncing.services.pauses import PausedThing


def add_target_flags(parser: ArgumentParser) -> None:
    parser.add_argument("--group", metavar="NAME", help="the sync group; may be left out if there is only one")
    parser.add_argument("--account", metavar="SUBDOMAIN", action="extend", nargs="+", help="only these accounts of it")


def targets(options: Mapping[str, Any]) -> Sequence[PausedThing]:
    """Returns the group, or the accounts; raises Refusal for any that is not known."""
    accounts = named_accounts(options["account"])
    if accounts is None:
        return [named_group(options["group"])]
    if options["group"] is not None:
        group = named_group(options["group"])
        foreign = [account.subdomain for account in accounts if account.group_id != group.pk]
        if foreign:
            message = f"Not in the group {group.name}: {', '.join(foreign)}."
            raise Refusal("unknown_account", message, "Check the subdomain.")
    return accounts


def name_of(thing: PausedThing) -> str:
    return thing.subdomain if isinstance(thing, Account) else f"The group {thing.name}"
