"""`web`: the web server alone; `up` runs it beside a worker."""

import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.core.servers.basehttp import get_internal_wsgi_application

from accounts import conf as accounts_conf
from accounts.checks import INSTALLATION
from syncing.management.console.listening import add_address_flags, listener_at
from syncing.web.bodies import rule_for
from syncing.web.proxies import behind_proxy
from syncing.web.server import Server, connection_limit

LOCK_WAIT = 4  # seconds; who waits at the other end is answered 503 then, and asks again


class Command(BaseCommand):
    help = "Runs the web server alone, until Ctrl-C or SIGTERM; `up` runs it beside a worker."
    requires_system_checks = (INSTALLATION,)

    def add_arguments(self, parser: CommandParser) -> None:
        add_address_flags(parser)

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        for database in accounts_conf.databases().values():
            if "timeout" in database.get("OPTIONS", {}):  # of SQLite: every thread could wait so long for a lock
                database["OPTIONS"]["timeout"] = LOCK_WAIT
        application = behind_proxy(get_internal_wsgi_application())
        rule_for("/")  # loads the URLs now, not at the first request
        server = Server(application, listener_at(host, port), connections=connection_limit())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: server.stop())
        server.run()
