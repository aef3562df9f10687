"""`sync_all`: plans or syncs the slaves of a group, here or by the workers."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any, TextIO, cast

from django.core.management.base import BaseCommand, CommandError, CommandParser, SystemCheckError
from django.db import Error as DatabaseTrouble
from django.db import OperationalError, ProgrammingError, connection

from accounts.models import SECRETS, Account, SyncGroup
from syncing.management.console.progress import ProgressBar
from syncing.management.console.report import run_report
from syncing.management.console.signals import Stopping
from syncing.models import RunMode, RunState, RunType, SyncRun, Trigger
from syncing.selectors.documents import failed_document, run_document
from syncing.services import presence
from syncing.services.foreground import work_to_the_end
from syncing.services.runs import CannotStart, start_run

NOT_GOOD = 1
USAGE = 2
GOOD = (RunState.SUCCEEDED, RunState.PLANNED)
LOOK = 0.5  # seconds between two looks at a run that the workers do
SETUP = "Run `python manage.py setup`, or `python manage.py migrate`."
LOST_SIGHT = "What was written is kept; see the run when the database is back, then run again."


class Refused(CommandError):
    """Nothing was started; `code` and `remedy` are for the document."""

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(f"{message} {remedy}".strip(), returncode=USAGE)
        self.code, self.message, self.remedy = code, message, remedy


class Command(BaseCommand):
    help = "Syncs (or with --plan only compares) the slaves of a group with its master."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--group", metavar="NAME", help="the sync group; may be left out if there is only one")
        parser.add_argument("--type", choices=RunType.values, default=RunType.FULL.value)
        parser.add_argument("--account", metavar="SUBDOMAIN", action="append", help="only this slave; may be repeated")
        parser.add_argument("--plan", action="store_true", help="show what would be done, write nothing")
        parser.add_argument("--force", action="store_true", help="accept a master that shrank; needs --reason")
        parser.add_argument("--reason", metavar="TEXT", default="", help="why it is forced; kept with the run")
        parser.add_argument("--queue", action="store_true", help="leave the work to the workers and wait for its end")
        parser.add_argument("--no-wait", action="store_true", help="with --queue: print the run and leave")
        parser.add_argument("--json", action="store_true", help="one JSON document on stdout, the rest on stderr")

    # -- errors: exit 2, a sentence on stderr, and with --json a document as well --

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        complain = parser.error

        def error(message: str) -> None:
            if "--json" in sys.argv:
                self._print(failed_document("usage", message, "See `python manage.py sync_all --help`."))
            complain(message)

        parser.error = error  # type: ignore[method-assign]
        return parser

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except Refused as error:
            self._print_refusal(options, error)
            raise
        except SystemCheckError as error:
            refused = Refused("configuration", str(error), "Put right what it names, then run again.")
            self._print_refusal(options, refused)
            raise refused from error
        except (OperationalError, ProgrammingError) as error:
            refused = Refused("configuration", f"The database is not ready: {error}.", SETUP)
            self._print_refusal(options, refused)
            raise refused from error

    def _print_refusal(self, options: dict[str, Any], error: Refused) -> None:
        if options["json"]:
            mode = RunMode.PLAN if options["plan"] else RunMode.APPLY
            facts = {"type": options["type"], "mode": mode}
            self._print(failed_document(error.code, error.message, error.remedy, **facts))

    # -- the work --

    def handle(self, *args: Any, **options: Any) -> None:
        _check_combination(options)
        group = _group(options["group"])
        accounts = _accounts(options["account"])
        with Stopping() as stop:
            run = self._start(group, accounts, options)
            if options["no_wait"]:
                self._print({"run": run.pk, "state": run.state})
                return
            try:
                run = self._wait(run, stop) if options["queue"] else self._work(run, stop)
                self._show(run_document(run), options)
            except DatabaseTrouble as error:
                self._show(self._broken(run, error), options)
                sys.exit(NOT_GOOD)
        if run.state not in GOOD:
            sys.exit(NOT_GOOD)

    def _broken(self, run: SyncRun, error: DatabaseTrouble) -> dict[str, Any]:
        """The document of a run that this command lost sight of; without the database, only which run it is."""
        message = f"The database failed while run {run.pk} was at work: {error}."
        self._say(f"{message} {LOST_SIGHT}")
        try:
            connection.close_if_unusable_or_obsolete()
            return run_document(SyncRun.objects.get(pk=run.pk))
        except DatabaseTrouble:
            known = failed_document("internal", message, LOST_SIGHT, type=run.type, mode=run.mode)
            return known | {"run": run.pk}

    def _start(self, group: SyncGroup, accounts: Sequence[Account] | None, options: dict[str, Any]) -> SyncRun:
        try:
            started = start_run(
                group=group,
                type=options["type"],
                mode=RunMode.PLAN if options["plan"] else RunMode.APPLY,
                trigger=Trigger.COMMAND,
                accounts=accounts,
                forced=options["force"],
                force_reason=options["reason"],
                to_workers=options["queue"],
            )
        except CannotStart as error:
            raise Refused(error.code, error.message, error.remedy) from error
        if started.joined:
            self._say(f"Joined run {started.run.pk}, which asked for the same and still waited.")
        return started.run

    def _work(self, run: SyncRun, stop: Stopping) -> SyncRun:
        progress = ProgressBar(run, cast(TextIO, self.stderr._out))
        run = work_to_the_end(run, stop=stop, say=progress.say, on_progress=progress)
        progress.end()
        if stop.is_set():
            self._say(f"Stopped: run {run.pk} {'goes on without this command' if run.is_open else 'is ' + run.state}.")
        return run

    def _wait(self, run: SyncRun, stop: Stopping) -> SyncRun:
        progress = ProgressBar(run, cast(TextIO, self.stderr._out))
        while run.is_open and not stop.wait(LOOK):
            if not presence.workers_alive():
                progress.say("No worker is alive: start one with `python manage.py worker` (or `up`).")
            progress()
            run.refresh_from_db()
        progress.end()
        if run.is_open:
            self._say(f"No longer waiting: run {run.pk} goes on in the workers.")
        return run

    def _show(self, document: dict[str, Any], options: dict[str, Any]) -> None:
        self._print(document if options["json"] else run_report(document))

    def _print(self, what: dict[str, Any] | str) -> None:
        self.stdout.write(what if isinstance(what, str) else json.dumps(what, ensure_ascii=False))

    def _say(self, sentence: str) -> None:
        self.stderr.write(sentence)


def _check_combination(options: dict[str, Any]) -> None:
    if options["reason"].strip() and not options["force"]:
        raise Refused("usage", "--reason is for --force.", "")
    if options["no_wait"] and not options["queue"]:
        raise Refused("usage", "--no-wait is for --queue.", "")


def _group(name: str | None) -> SyncGroup:
    """The named group, else the only one."""
    groups = list(SyncGroup.objects.order_by("name"))
    if name is not None:
        groups = [group for group in groups if group.name == name]
        if not groups:
            raise Refused("no_group", f"There is no sync group {name!r}.", _known_groups())
    if not groups:
        raise Refused("no_group", "There is no sync group yet.", "Import accounts first: import_accounts FILE.csv.")
    if len(groups) > 1:
        raise Refused("no_group", "There are several sync groups.", f"Name one with --group. {_known_groups()}")
    return groups[0]


def _known_groups() -> str:
    names = ", ".join(SyncGroup.objects.order_by("name").values_list("name", flat=True))
    return f"Groups: {names or 'none'}."


def _accounts(subdomains: Sequence[str] | None) -> list[Account] | None:
    if subdomains is None:
        return None
    subdomains = [subdomain.strip().lower() for subdomain in subdomains]
    accounts = list(Account.objects.filter(subdomain__in=subdomains).defer(*SECRETS))
    unknown = sorted(set(subdomains) - {account.subdomain for account in accounts})
    if unknown:
        raise Refused("unknown_account", f"No such account: {', '.join(unknown)}.", "Check the subdomain.")
    return accounts
