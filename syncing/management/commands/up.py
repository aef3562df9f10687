"""`manage.py up`: web server and worker in the foreground, until Ctrl-C or SIGTERM."""

from functools import partial
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import OperationalError, connection

from accounts.checks import INSTALLATION
from accounts.database import cause_of
from accounts.management.base import RefusingCommand
from accounts.refusals import Refusal
from syncing.management.console.listening import add_address_flags, listener_at
from syncing.management.console.output import write_line
from syncing.operations import setup_steps
from syncing.operations.child_processes import MANAGE, address, spawn, wait_for_http, web_server
from syncing.operations.supervisor import Program, ProgramSupervisor


class Command(RefusingCommand):
    help = "Run the web server and the worker; stops both on Ctrl-C or SIGTERM."
    requires_system_checks = (INSTALLATION,)

    def add_arguments(self, parser: CommandParser) -> None:
        add_address_flags(parser)

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        self._check_database()
        listener_at(host, port).close()  # says now what the web server would say in a loop
        web = Program("web server", lambda: spawn(web_server(host, port)))
        worker = Program("worker", lambda: spawn([*MANAGE, "worker"]))
        supervisor = ProgramSupervisor([web, worker], partial(write_line, self.stdout))
        supervisor.stop_on_signals()
        supervisor.start()
        if web.child is not None and not supervisor.stop.is_set():
            url = address(host, port)
            try:
                wait_for_http(f"{url}/healthz", web.child, what="The web server", log=None, seconds=30)
            except Refusal:
                supervisor.end_all()
                raise
            write_line(self.stdout, f"KommoSync is on {url} (Ctrl-C stops it).")
        supervisor.run()
        write_line(self.stdout, "Stopped.")

    def _check_database(self) -> None:
        """Raises CommandError unless the database answers and has all migrations."""
        try:
            waiting = setup_steps.unapplied_migrations()
        except OperationalError as error:
            raise CommandError(f"The database of DATABASE_URL cannot be used: {cause_of(error)}") from error
        finally:
            connection.close()
        if waiting:
            raise CommandError("The database is not up to date. Run: python manage.py setup")
