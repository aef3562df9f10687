"""The health of an account: checking its connection, and keeping what checks and runs learn."""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts.fields import WrongEncryptionKey
from accounts.kommo.errors import Forbidden, Halted
from accounts.kommo.stopping import Stop
from accounts.models import HAS_LIVE_CREDENTIAL, HEALTH_NEEDS_CONNECTING, Account
from accounts.services import identity
from accounts.services.credentials.clients import token_expiry
from accounts.services.credentials.token_sources import UNREADABLE
from accounts.services.health import verdicts
from accounts.services.health.probe import Probe, probe
from accounts.services.health.verdicts import RunError, Verdict

__all__ = [
    "HealthReport",
    "Probe",
    "check_connection",
    "check_connections",
    "check_each",
    "conclude",
    "probe",
    "record_health",
]

logger = logging.getLogger(__name__)

Health = Account.Health

REASON_LENGTH = 500
FRESH = timedelta(minutes=1)  # a run that confirms what is known need not write more often
CHECK_THREADS = 10
SIGN_OF_LIFE = 5.0  # seconds between two calls of `beat` while nobody answers
OWN_ERROR = gettext_noop("An error of KommoSync itself: look into the worker's log and report it.")
WRONG_ACCOUNT_REMEDY = gettext_noop(
    "Correct the subdomain or the token; if another account really takes this place, delete this entry and add it anew."
)


@dataclass(frozen=True)
class HealthReport:
    """The outcome of one check: `health`, one sentence why and what to do ("" when connected)."""

    health: Account.Health
    reason: str = ""
    kommo_id: int | None = None
    token_expires_at: datetime | None = None


# -- checking --


def check_connection(account: Account, *, stop: Stop | None = None) -> HealthReport:
    """Asks Kommo who `account` is, whether the token is an administrator's and the account paid; stores the outcome.

    Two requests at most; `account` must be loaded with its secrets.
    """
    return conclude(account, probe(account, stop=stop)) if _is_readable(account) else _failed(account.pk, _(UNREADABLE))


def check_connections(account_ids: Sequence[int]) -> dict[int, HealthReport]:
    """Checks several accounts at a time; those that a blocked IP kept from being asked are left out."""
    return dict(check_each(account_ids, stop=Stop()))


def check_each(
    account_ids: Sequence[int], *, stop: Stop, beat: Callable[[], None] = lambda: None
) -> Iterator[tuple[int, HealthReport]]:
    """Checks several accounts at a time and gives each as it comes, but those that `stop` kept from being asked.

    `beat` is called every few seconds until the last one has come.
    """
    accounts, unreadable = _loaded(account_ids)
    yield from ((account_id, _failed(account_id, _(UNREADABLE))) for account_id in unreadable)
    with ThreadPoolExecutor(min(CHECK_THREADS, len(accounts) or 1)) as pool:
        asked = {pool.submit(probe, account, stop=stop): account for account in accounts}
        for future in _as_they_come(set(asked), beat):
            account, failure = asked[future], future.exception()
            if failure is not None:
                logger.error("account %s: the check failed", account.subdomain, exc_info=failure)
                yield account.pk, _failed(account.pk, _(OWN_ERROR))
                continue
            found = future.result()
            if not isinstance(found.error, Halted):
                yield account.pk, conclude(account, found)


def _as_they_come(waiting: "set[Future[Probe]]", beat: Callable[[], None]) -> "Iterator[Future[Probe]]":
    while waiting:
        done, waiting = wait(waiting, SIGN_OF_LIFE, FIRST_COMPLETED)
        beat()
        yield from done


def _loaded(account_ids: Sequence[int]) -> tuple[list[Account], list[int]]:
    """The accounts in that order, and the ids of those whose secrets no key opens."""
    found = Account.objects.in_bulk(account_ids)
    unreadable = [pk for pk in account_ids if pk in found and not _is_readable(found[pk])]
    return [found[pk] for pk in account_ids if pk in found and pk not in unreadable], unreadable


def _is_readable(account: Account) -> bool:
    try:
        return account.token is not None
    except WrongEncryptionKey:
        return False


def _failed(account_id: int, reason: str) -> HealthReport:
    report = HealthReport(Health.ERROR, reason)
    Account.objects.filter(pk=account_id).update(
        health=report.health, health_reason=report.reason, checked_at=timezone.now()
    )
    return report


# -- concluding a check --


def conclude(account: Account, found: Probe) -> HealthReport:
    """Compares what Kommo said with what is stored, and stores the health; an account's id is kept the first time.

    `account` is as it was when it was asked. If it has another token by now, the answer says nothing about that.
    """
    current = Account.objects.filter(pk=account.pk).first()
    is_same = current is not None and _credential(current) == _credential(account)
    current = current if current is not None and is_same else account
    verdict = verdicts.by_own_rows(account.pk, _judge(current, found))
    expires_at = current.token_expires_at if current.uses_oauth else token_expiry(current.token)
    report = HealthReport(verdict.health, verdict.reason[:REASON_LENGTH], found.kommo_id, expires_at)
    if is_same:
        changes = {} if current.uses_oauth else {"token_expires_at": expires_at}
        _believable(account.pk, verdict).update(
            health=report.health, health_reason=report.reason, checked_at=timezone.now(), **changes
        )
    return report


def _credential(account: Account) -> tuple[str, str]:
    """A pair changes with every refresh, and is the same connection all the same."""
    return account.credential_kind, "" if account.uses_oauth else account.token


def _believable(account_id: int, verdict: Verdict) -> QuerySet[Account]:
    """The account's row, if it still has what it was asked with: uninstalled meanwhile, it is not connected."""
    rows = Account.objects.filter(pk=account_id)
    return rows if verdict.health in HEALTH_NEEDS_CONNECTING else rows.filter(HAS_LIVE_CREDENTIAL)


def _judge(account: Account, found: Probe) -> Verdict:
    if found.error is not None:
        return verdicts.of_check(found.error)
    if found.kommo_id is None:
        return Verdict(Health.ERROR, _("Kommo's answer names no account id. Check KOMMO_URL_TEMPLATE."))
    stranger = _stranger(account, found.kommo_id, found.subdomain)
    if stranger:
        return Verdict(Health.WRONG_ACCOUNT, stranger, WRONG_ACCOUNT_REMEDY)
    if not found.is_admin:
        return Verdict(Health.NOT_ADMIN, remedy=Forbidden.remedy)
    return Verdict(Health.CONNECTED)


def _stranger(account: Account, kommo_id: int, subdomain: str) -> str:
    """Says why the account that answered is not the expected one; "" when it is."""
    # An answer without a name says nothing against an account that was never met.
    if account.kommo_id is None and not identity.is_expected(account, kommo_id, subdomain or account.subdomain):
        return _("The account that answered is %(found)s, not %(expected)s.") % {
            "found": subdomain,
            "expected": account.subdomain,
        }
    if identity.remember_identity(account.pk, kommo_id):
        return ""
    other = identity.other_entry(account, kommo_id)
    if other is not None:
        return _("Kommo account %(id)d is already here as %(other)s.") % {"id": kommo_id, "other": other.subdomain}
    return _("Kommo account %(found)d answered; %(expected)d is expected.") % {
        "found": kommo_id,
        "expected": account.kommo_id or 0,
    }


# -- what a run learns --


def record_health(account_id: int, error: RunError | None, *, wrote: bool = False) -> bool:
    """Keeps what a run learnt about the connection, in one conditional UPDATE; True when a row was written.

    `error`: what ended the account's run, as a KommoError or as the `error` of its document; None: it went well.
    Only a write that was accepted (`wrote`) shows that missing administrator rights are there again.
    """
    told = verdicts.of_run(error)
    if told is None:
        return False
    verdict = verdicts.by_own_rows(account_id, told)
    rows, reason = _believable(account_id, verdict), verdict.reason[:REASON_LENGTH]
    if verdict.health == Health.CONNECTED and not wrote:
        rows = rows.exclude(health=Health.NOT_ADMIN)
    now = timezone.now()
    known = Q(health=verdict.health, health_reason=reason, checked_at__range=(now - FRESH, now))
    return bool(rows.exclude(known).update(health=verdict.health, health_reason=reason, checked_at=now))
