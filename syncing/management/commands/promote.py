"""`promote --account S --item KIND:NAME`: proposes items of a slave for the master, and prints the plan."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from accounts.refusals import Refusal
from syncing.engine.promotion import ATTRIBUTES
from syncing.engine.refs import Kind
from syncing.management.console.runcommand import RunCommand, named_accounts
from syncing.models import RunMode
from syncing.services import promotion
from syncing.services.actors import COMMAND
from syncing.services.runs.create import Started

FORM = "KIND:NAME[:ATTRIBUTE]"


class Command(RunCommand):
    help = "Plans items of a slave against its master; nothing is written before that plan is approved (approve RUN)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--account", metavar="SUBDOMAIN", required=True, help="the slave that has them")
        parser.add_argument(
            "--item",
            metavar=FORM,
            action="append",
            required=True,
            help=f"kinds: {', '.join(Kind)}; the name, PARENT/NAME or key as `drift` tells it; may be repeated",
        )
        parser.add_argument("--reason", metavar="TEXT", default="", help="the reason, stored in the audit")
        super().add_arguments(parser)

    def facts(self, options: Mapping[str, Any]) -> dict[str, Any]:
        return {"mode": RunMode.PLAN}

    def start(self, options: dict[str, Any]) -> Started:
        items = [_item(text) for text in options["item"]]
        source = (named_accounts([options["account"]]) or [])[0]
        picked = promotion.by_name(source, items)
        return promotion.propose(source, picked, by=COMMAND, reason=options["reason"], to_workers=options["queue"])


def _item(text: str) -> dict[str, str]:
    """Reads an --item; a name may hold colons: only an attribute of the kind is taken for one."""
    kind, colon, name = text.partition(":")
    if not colon or kind not in {each.value for each in Kind} or not name:
        raise Refusal("usage", f"--item {text!r} is not of the form {FORM}.", f"Kinds: {', '.join(Kind)}.")
    start, colon, attribute = name.rpartition(":")
    if colon and start and attribute in ATTRIBUTES[Kind(kind)]:
        return {"kind": kind, "name": start, "attribute": attribute}
    return {"kind": kind, "name": name, "attribute": ""}
