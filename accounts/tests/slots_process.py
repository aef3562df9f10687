"""A process of its own that sends at its turn, for the tests of pacing: prints the unix time of every sending."""

import json
import sys
import threading
import time

import django

django.setup()

from accounts.kommo.pacing import Pacer  # noqa: E402
from accounts.slots import SqlSlots  # noqa: E402


def main() -> None:
    """Arguments: name of this process, threads, requests per thread, rate per account, rate per IP."""
    name, threads, requests, per_account, per_ip = sys.argv[1], *(int(arg) for arg in sys.argv[2:])
    sent: list[tuple[str, float]] = []

    def send(account: str) -> None:
        pacer = Pacer(SqlSlots(), account, per_account, rate_per_ip=per_ip)
        for _ in range(requests):
            pacer.wait()
            sent.append((account, time.time()))

    crew = [threading.Thread(target=send, args=(f"{name}-{number}",)) for number in range(threads)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    json.dump(sent, sys.stdout)


if __name__ == "__main__":
    main()
