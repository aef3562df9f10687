"""`reset_second_factor USERNAME`: for somebody who lost their phone, and has no recovery code left."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import CommandParser

from accounts.checks import INSTALLATION
from accounts.management.base import RefusingCommand
from accounts.refusals import Refusal
from syncing.services import second_factor
from syncing.services.actors import COMMAND


class Command(RefusingCommand):
    help = "Takes away a person's second factor with its recovery codes, and ends all their sessions."
    requires_system_checks = (INSTALLATION,)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", metavar="USERNAME")

    def handle(self, *args: Any, username: str, **options: Any) -> None:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise Refusal("unknown_user", f"There is no user {username!r}.", "Nothing was changed.")
        second_factor.reset(user, by=COMMAND)
        self.stdout.write(f"{username} has no second factor now, and all their sessions were ended.")
