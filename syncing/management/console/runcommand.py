"""The common part of commands that start a run: their flags, their errors, and seeing the run through."""

import errno
import logging
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import CommandError, CommandParser, SystemCheckError
from django.db import DatabaseError

from accounts.actors import Actor
from accounts.checks import INSTALLATION
from accounts.database import NOT_READY, trouble_of
from accounts.management.base import RefusingCommand
from accounts.models import SECRETS, Account, SyncGroup
from accounts.refusals import Refusal
from syncing.error_boundary import INTERNAL_REMEDY, bounded, where
from syncing.execution.stop_signs import StopOnSignal
from syncing.management.console.output import write_json
from syncing.management.console.running import Refused, run_command
from syncing.models import RunMode, SyncRun, Trigger
from syncing.selectors.documents import failed_document
from syncing.services.runs.start import Started

logger = logging.getLogger(__name__)

EXPECTED = (CommandError, Refusal, DatabaseError, BrokenPipeError)  # what has an end of its own


class RunCommand(RefusingCommand):
    """Exit 0: all is good; 1: anything else happened; 2: nothing was started, and with --json a document says why.

    A command defines `start`, and `add_arguments` with a call of this one's at its end.
    """

    requires_system_checks = (INSTALLATION,)
    error_class = Refused

    def start(self, options: dict[str, Any]) -> Started:
        """Starts the run that was asked for; raises Refusal."""
        raise NotImplementedError

    def facts(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Returns type and mode, for the document of a run that was not started."""
        return {"type": options.get("type"), "mode": RunMode.PLAN if options.get("plan") else RunMode.APPLY}

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--queue", action="store_true", help="leave the work to the workers and wait for its end")
        parser.add_argument("--no-wait", action="store_true", help="with --queue: print the run and leave")
        parser.add_argument("--json", action="store_true", help="one JSON document on stdout, the rest on stderr")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["no_wait"] and not options["queue"]:
            raise Refusal("usage", "--no-wait is for --queue.")
        with StopOnSignal() as stop:
            run_command(self.start(options), options, self.stdout, self.stderr, stop=stop)

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        complain = parser.error

        def error(message: str) -> None:
            if "--json" in sys.argv:
                remedy = f"See `python manage.py {subcommand} --help`."
                self._print(failed_document("usage", message, remedy, trigger=Trigger.COMMAND))
            complain(message)

        parser.error = error  # type: ignore[method-assign]
        return parser

    @contextmanager
    def boundary(self) -> Iterator[None]:
        """Makes a refusal of every error that the command has no end of its own for."""
        try:
            with bounded(self._errored, but=EXPECTED):
                yield
        except SystemCheckError as error:
            raise Refusal("configuration", str(error), "Correct what it names, then run again.") from error
        except DatabaseError as error:
            # What passes by itself is a failure; everything else is for whoever set the database up.
            trouble = trouble_of(error)
            if trouble is None:
                message, remedy = f"The database is not ready: {error}.", NOT_READY.remedy
                raise Refusal("configuration", message, remedy) from error
            code = trouble.code if trouble.passes else "configuration"
            raise Refusal(code, trouble.message, trouble.remedy) from error

    def _errored(self, error: Exception) -> None:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise error  # no place for the document: manage.py says so, there is no other way to
        logger.error("%s: error of our own", type(self).__module__.rpartition(".")[2], exc_info=error)
        raise Refusal("internal", f"Nothing was started: {where(error)}.", INTERNAL_REMEDY)

    def report(self, error: Refusal, options: Mapping[str, Any]) -> None:
        if options["json"]:
            facts = {"trigger": Trigger.COMMAND, **self.facts(options)}
            self._print(failed_document(error.code, error.message, error.remedy, **facts))

    def _print(self, document: dict[str, Any]) -> None:
        write_json(self.stdout, document)


def named_accounts(subdomains: Sequence[str] | None) -> list[Account] | None:
    """Returns the accounts that --account names (None: it was not used); raises Refusal for unknown ones."""
    if subdomains is None:
        return None
    subdomains = [subdomain.strip().lower() for subdomain in subdomains]
    accounts = list(Account.objects.filter(subdomain__in=subdomains).defer(*SECRETS))
    unknown = sorted(set(subdomains) - {account.subdomain for account in accounts})
    if unknown:
        raise Refusal("unknown_account", f"No such account: {', '.join(unknown)}.", "Check the subdomain.")
    return accounts


def named_run(number: int) -> SyncRun:
    """Returns the run of this number; raises Refusal."""
    run = SyncRun.objects.select_related("group").filter(pk=number).first()
    if run is None:
        newest = SyncRun.objects.values_list("pk", flat=True).first()
        remedy = f"The newest is {newest}." if newest else "There is none yet: `python manage.py sync_all --plan`."
        raise Refusal("no_such_run", f"There is no run {number}.", remedy)
    return run


def named_user(username: str) -> Actor:
    """Returns the active user of this name as the one who asks; raises Refusal."""
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise Refusal(
            "no_such_user", f"There is no active user {username!r}.", "Name one that can log in to the admin."
        )
    return Actor.of_user(user, Trigger.COMMAND)


def named_group(name: str | None) -> SyncGroup:
    """Returns the named group, else the only one; raises Refusal."""
    groups = list(SyncGroup.objects.order_by("name"))
    if name is not None:
        groups = [group for group in groups if group.name == name]
        if not groups:
            raise Refusal("no_group", f"There is no sync group {name!r}.", _known_groups())
    if not groups:
        raise Refusal("no_group", "There is no sync group yet.", "Import accounts first: import_accounts FILE.csv.")
    if len(groups) > 1:
        raise Refusal("no_group", "There are several sync groups.", f"Name one with --group. {_known_groups()}")
    return groups[0]


def group_if_named(name: str | None) -> SyncGroup | None:
    """Returns the named group, None without a name; raises Refusal."""
    return None if name is None else named_group(name)


def _known_groups() -> str:
    names = ", ".join(SyncGroup.objects.order_by("name").values_list("name", flat=True))
    return f"Groups: {names or 'none'}."
