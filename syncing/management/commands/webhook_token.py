"""`manage.py webhook_token [--group NAME] [--rotate]`: prints the group's webhook token, alone, once."""

from typing import Any

from django.core.management.base import CommandParser

from accounts.checks import INSTALLATION
from accounts.management.base import RefusingCommand
from syncing.management.console.runcommand import named_group
from syncing.services.keys import make_webhook_token


class Command(RefusingCommand):
    help = "Make the webhook token of a group: POST /api/sync/webhook/TOKEN asks for a sync. It is printed once."
    requires_system_checks = (INSTALLATION,)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--group", help="name of the sync group (default: the only one)")
        parser.add_argument("--rotate", action="store_true", help="replace the token; the old one ends")

    def handle(self, *args: Any, group: str | None, rotate: bool, **options: Any) -> None:
        self.stdout.write(make_webhook_token(named_group(group), rotate=rotate))
