"""A process of its own that uses accounts connected by OAuth, for the tests of their tokens.

Argument N: N threads ask as many accounts (or all the same one) who they are, at the same time; prints what became of
each.
"""

import json
import sys
import threading
from itertools import cycle, islice

import django

django.setup()


from accounts.kommo.errors import KommoError  # noqa: E402
from accounts.models import Account  # noqa: E402
from accounts.services.credentials import database_thread  # noqa: E402
from accounts.services.credentials.clients import client_for  # noqa: E402


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
    json.dump(use(int(sys.argv[1])), sys.stdout)


if __name__ == "__main__":
    main()
