"""`manage.py api_key create NAME [--scope SCOPE ...] [--by USERNAME]`: prints the key, alone, once."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import CommandParser

from accounts.checks import INSTALLATION
from accounts.management.base import RefusingCommand
from accounts.refusals import Refusal
from syncing.models import KeyScope
from syncing.services.keys import create_key, scopes_of

LONGEST = 120  # characters, as in the model


class Command(RefusingCommand):
    help = "Make a key for the REST API. The key is printed once; only its hash is kept."
    requires_system_checks = (INSTALLATION,)

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser("create", help="make a key and print it")
        create.add_argument("name", help="what the key is for")
        create.add_argument(
            "--scope",
            action="append",
            choices=KeyScope.values,
            help="what the key may do, repeatable (default: read)",
        )
        create.add_argument(
            "--by",
            metavar="USERNAME",
            help="the person whose key it is: it can do only what they may do, "
            "and counts as this person when a second person has to approve",
        )

    def handle(self, *args: Any, name: str, scope: list[str] | None, by: str | None, **options: Any) -> None:
        if not 0 < len(name.strip()) <= LONGEST:
            raise Refusal("usage", f"The name must have 1 to {LONGEST} characters.")
        scopes = scope or [KeyScope.READ]
        maker = None
        if by is not None:
            maker = User.objects.filter(username=by, is_active=True, is_staff=True).first()
            if maker is None:
                raise Refusal("usage", f"There is no user {by!r} who can log in to the admin.")
            lacking = sorted(set(scopes) - scopes_of(maker))
            if lacking:
                raise Refusal("usage", f"{by} lacks the permissions for these scopes: {', '.join(lacking)}.")
        _, secret = create_key(name=name.strip(), scopes=scopes, maker=maker)
        self.stdout.write(secret)
