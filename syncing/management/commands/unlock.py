"""`unlock`: lets somebody log in again who failed too often."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts.checks import INSTALLATION
from syncing.models import AuditAction
from syncing.services import audit
from syncing.services.actors import COMMAND
from syncing.services.second_factor import end_lock_out


class Command(BaseCommand):
    help = "Lets users log in again at once who were locked out after too many wrong passwords or codes."
    requires_system_checks = (INSTALLATION,)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", nargs="+", metavar="USER")

    def handle(self, *args: Any, user: list[str], **options: Any) -> None:
        for name in user:
            if end_lock_out(name):
                audit.note(AuditAction.UNLOCKED, by=COMMAND, details={"user": name})
                self.stdout.write(f"{name} can log in again.")
            else:
                self.stdout.write(f"{name} was not locked out.")
