"""Checks connections: asks the accounts, several at a time, and has stored what their answers say."""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

from django.utils.translation import gettext_noop

from accounts import request_counts
from accounts.fields import WrongEncryptionKey
from accounts.kommo.stopping import Stop, Stopped
from accounts.models import Account
from accounts.services.credentials.token_sources import UNREADABLE
from accounts.services.health.probe import probe
from accounts.services.health.store import HealthReport, conclude, store_error

logger = logging.getLogger(__name__)

CHECK_THREADS = 10
SIGN_OF_LIFE = 5.0  # seconds between two calls of `beat` while nobody answers
OWN_ERROR = gettext_noop("This is an error in KommoSync. Look at the log of the worker and report it.")


def check_connection(account: Account, *, stop: Stop | None = None) -> HealthReport:
    """Asks Kommo who `account` is, whether the token is an administrator's and the account paid; stores the outcome.

    Two requests at most; `account` must be loaded with its secrets.
    """
    if not _is_readable(account):
        return store_error(account.pk, UNREADABLE)
    answer = probe(account, stop=stop)
    request_counts.flush()
    return conclude(account, answer)


def check_connections(account_ids: Sequence[int]) -> dict[int, HealthReport]:
    """Checks several accounts at a time; those that a blocked IP kept from being asked are left out."""
    return dict(check_each(account_ids, stop=Stop()))


def check_each(
    account_ids: Sequence[int], *, stop: Stop, beat: Callable[[], object] = lambda: None
) -> Iterator[tuple[int, HealthReport]]:
    """Checks several accounts at a time and gives each as it comes, but those that `stop` kept from being asked.

    `beat` is called every few seconds until the last one has come.
    """
    stored = Account.objects.in_bulk(account_ids)
    ordered = [stored[account_id] for account_id in account_ids if account_id in stored]
    accounts = [account for account in ordered if _is_readable(account)]
    yield from ((account.pk, store_error(account.pk, UNREADABLE)) for account in ordered if account not in accounts)
    with ThreadPoolExecutor(min(CHECK_THREADS, len(accounts) or 1)) as pool:
        checks = {pool.submit(probe, account, stop=stop): account for account in accounts}
        waiting = set(checks)
        while waiting:
            done, waiting = wait(waiting, SIGN_OF_LIFE, FIRST_COMPLETED)
            beat()
            for future in done:
                account, failure = checks[future], future.exception()
                if failure is not None:
                    logger.error(
                        "account %s: the check failed",
                        account.subdomain,
                        exc_info=failure,
                        extra={"account": account.pk},
                    )
                    yield account.pk, store_error(account.pk, OWN_ERROR)
                elif not isinstance((answer := future.result()).error, Stopped):
                    yield account.pk, conclude(account, answer)
    request_counts.flush()


def _is_readable(account: Account) -> bool:
    try:
        return account.token is not None
    except WrongEncryptionKey:
        return False
