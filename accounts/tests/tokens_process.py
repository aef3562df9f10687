"""A process of its own that uses accounts connected by OAuth, for the tests of their tokens.

`prepare`: makes the accounts that stdin tells of. `use N`: N threads ask as many accounts (or all the same one) who
they are, at the same time; prints what became of each.
"""

import json
import sys
import threading
from datetime import timedelta
from itertools import cycle, islice
from typing import Any

import django

django.setup()

from django.utils import timezone  # noqa: E402

from accounts.kommo.errors import KommoError  # noqa: E402
from accounts.models import Account, Integration, SyncGroup, TokenPair  # noqa: E402
from accounts.services import client_for  # noqa: E402
from accounts.services.credentials import database_thread  # noqa: E402


def prepare(told: dict[str, Any]) -> None:
    group = SyncGroup.objects.create(name="Branches")
    integration = Integration.objects.create(is_public=True, **told["integration"])
    now = timezone.now()
    for subdomain, tokens in told["accounts"].items():
        account = Account.objects.create(
            group=group, subdomain=subdomain, credential_kind="oauth", integration=integration
        )
        TokenPair.objects.create(
            account=account,
            integration=integration,
            obtained_at=now - timedelta(days=1),
            access_expires_at=now + timedelta(seconds=tokens["lives"]),
            access_token=tokens["access_token"],
            refresh_token=tokens["refresh_token"],
        )


def use(threads: int) -> list[str]:
    """What became of each thread: "ok", or the code of the error."""
    accounts = list(islice(cycle(Account.objects.order_by("pk")), threads))
    outcomes = [""] * threads
    barrier = threading.Barrier(threads)

    def ask(at: int) -> None:
        barrier.wait()
        try:
            with client_for(accounts[at], read_only=True) as client:
                client.get("/account")
            outcomes[at] = "ok"
        except KommoError as error:
            outcomes[at] = error.code

    crew = [threading.Thread(target=ask, args=(at,)) for at in range(threads)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    database_thread.close()
    return outcomes


def main() -> None:
    if sys.argv[1] == "prepare":
        prepare(json.load(sys.stdin))
    else:
        json.dump(use(int(sys.argv[2])), sys.stdout)


if __name__ == "__main__":
    main()
