"""`manage.py up`: web server and worker in the foreground, until Ctrl-C or SIGTERM."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import OperationalError, connection

from accounts.checks import INSTALLATION
from accounts.database import cause_of
from accounts.management.base import RefusingCommand
from accounts.refusals import Refusal
from syncing.management.console.listening import add_address_flags, listener_at
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
        supervisor = ProgramSupervisor([web, worker], self._say)
        supervisor.stop_on_signals()
        supervisor.start()
        self._wait_for(web, address(host, port), supervisor)
        supervisor.run()
        self._say("Stopped.")

    def _check_database(self) -> None:
        try:
            waiting = setup_steps.unapplied_migrations()
        except OperationalError as error:
            raise CommandError(f"The database of DATABASE_URL cannot be used: {cause_of(error)}") from error
        finally:
            connection.close()
        if waiting:
            raise CommandError("The database is not up to date. Run: python manage.py setup")

    def _wait_for(self, web: Program, url: str, supervisor: ProgramSupervisor) -> None:
        if web.child is None or supervisor.stop.is_set():
            return
        try:
            wait_for_http(f"{url}/healthz", web.child, what="The web server", log=None, seconds=30)
        except Refusal:
            supervisor.end_all()
            raise
        self._say(f"KommoSync is on {url} (Ctrl-C stops it).")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
