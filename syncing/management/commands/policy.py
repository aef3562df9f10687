"""`policy [--group NAME] [KEY=VALUE ...] [--from FILE] [--json]`: shows a group's policy, or sets all or nothing."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from accounts.checks import INSTALLATION
from accounts.management.base import RefusingCommand
from accounts.refusals import Refusal
from syncing.management.console.output import write_json
from syncing.management.console.runcommand import named_group
from syncing.presentation.tables import table
from syncing.services.actors import COMMAND
from syncing.services.policy import document_of, explained, read_document, set_policy

LARGEST = 64 * 1024  # bytes of a file


class Command(RefusingCommand):
    help = (
        "Shows the whole policy of a group, or sets the KEY=VALUE pairs: all of them, or none. "
        "--json prints it as a document, --from FILE sets what such a document says; a pair goes before the file."
    )
    requires_system_checks = (INSTALLATION,)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("pairs", nargs="*", metavar="KEY=VALUE", help="as watch=apply")
        parser.add_argument("--group", metavar="NAME", help="the sync group (default: the only one)")
        parser.add_argument("--from", dest="file", type=Path, metavar="FILE", help="what --json has printed")
        parser.add_argument("--json", action="store_true", help="one JSON document on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        name, values = read_document(_document_in(options["file"])) if options["file"] else (None, {})
        if name is not None and options["group"] not in (None, name):
            raise Refusal("usage", f"The file is of the group {name!r}, not of {options['group']!r}.")
        group = named_group(options["group"] or name)
        values |= _values_of(options["pairs"])
        changes = set_policy(group, values, COMMAND) if values else {}
        if options["json"]:
            write_json(self.stdout, document_of(group))
        elif not values:
            self.stdout.write(table(("Key", "Value", "Meaning"), list(explained(group))))
        else:
            lines = [f"{key}: {_text(old)} -> {_text(new)}" for key, (old, new) in changes.items()]
            self.stdout.write("\n".join(lines) or "Nothing to change.")


def _document_in(file: Path) -> Any:
    """Returns the JSON in the file; raises Refusal when there is none."""
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST + 1)
    except OSError as error:
        raise Refusal("usage", f"{file}: {error.strerror}.") from error
    if len(content) > LARGEST:
        raise Refusal("usage", f"{file} is no policy: it is larger than {LARGEST} bytes.")
    try:
        return json.loads(content, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        raise Refusal("usage", f"{file} is no JSON.", "Write such a file with `policy --json`.") from error


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns the object; raises Refusal for a key that stands twice, as nobody knows which one was meant."""
    values = dict(pairs)
    if len(values) < len(pairs):
        doubled = sorted({key for key, _value in pairs if [each for each, _ in pairs].count(key) > 1})
        raise Refusal("usage", f"Given twice: {', '.join(map(repr, doubled))}.", "Nothing was changed.")
    return values


def _values_of(pairs: list[str]) -> dict[str, Any]:
    """Returns the values of KEY=VALUE pairs by their keys, as texts; raises Refusal."""
    split = [pair.partition("=") for pair in pairs]
    for key, sign, _value in split:
        if not sign:
            raise Refusal("usage", f"{key!r} is not of the form KEY=VALUE.", "Nothing was changed.")
    return _without_doubles([(key, value) for key, _sign, value in split])


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
