"""`manage.py api_key create NAME [--scope read] [--scope trigger]`: prints the key, alone, once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from syncing.models import ApiKey
from syncing.services.keys import AlreadyExists, create_key

LONGEST = 120  # characters, as in the model


class Command(BaseCommand):
    help = "Make a key for the REST API. The key is printed once; only its hash is kept."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser("create", help="make a key and print it")
        create.add_argument("name", help="what the key is for")
        create.add_argument(
            "--scope",
            action="append",
            choices=ApiKey.Scope.values,
            help="what the key may do, repeatable (default: read)",
        )

    def handle(self, *args: Any, name: str, scope: list[str] | None, **options: Any) -> None:
        if not 0 < len(name.strip()) <= LONGEST:
            raise CommandError(f"The name must have 1 to {LONGEST} characters.", returncode=2)
        try:
            _, secret = create_key(name=name.strip(), scopes=scope or [ApiKey.Scope.READ])
        except AlreadyExists as error:
            raise CommandError(
                f"There is an API key named {error} already; it cannot be shown again. "
                "Choose another name, or delete it in the admin."
            ) from error
        self.stdout.write(secret)
