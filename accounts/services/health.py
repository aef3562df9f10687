"""What contact with an account showed: checking a connection, and keeping what checks and runs learn."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django_q.tasks import async_task

from accounts.fields import WrongEncryptionKey
from accounts.kommo.client import KommoClient
from accounts.kommo.errors import Forbidden, Halted, KommoError, NotFound
from accounts.kommo.retry import Policy
from accounts.kommo.stopping import Stop
from accounts.models import Account
from accounts.services.credentials import client_for, token_expiry
from accounts.services.tokens import UNREADABLE, CredentialProblem

Health = Account.Health
RunError = KommoError | Mapping[str, str]

REASON_LENGTH = 500
FRESH = timedelta(minutes=1)  # a run that confirms what is known need not write more often
CHECK_POLICY = Policy(attempts=2, max_wait=10)  # somebody waits for the answer
CHECK_THREADS = 10
CHECKS_PER_TASK = 25  # far below the queue's timeout, even if nobody answers

# Reason codes that tell something about the connection; with any other one, Kommo did answer.
HEALTH_OF_CODE: dict[str, Account.Health] = {
    "unauthorised": Health.UNAUTHORISED,
    "token_expired": Health.TOKEN_EXPIRED,
    "token_revoked": Health.TOKEN_REVOKED,
    "wrong_account": Health.WRONG_ACCOUNT,
    "not_found": Health.NOT_FOUND,
    "unpaid": Health.UNPAID,
    "forbidden": Health.NOT_ADMIN,
    "ip_blocked": Health.IP_BLOCKED,
    "unreachable": Health.UNREACHABLE,
    "rate_limited": Health.ERROR,
    "bad_answer": Health.ERROR,
    "server_error": Health.ERROR,
}
# The account was not asked, or we failed ourselves: nothing is learnt about the connection.
SAYS_NOTHING = frozenset({"paused", "busy", "cancelled", "internal", "guard", "stale_plan"})
WRONG_ACCOUNT_REMEDY = gettext_noop(
    "Correct the subdomain or the token; if another account really takes this place, delete this entry and add it anew."
)


@dataclass(frozen=True)
class Probe:
    """What Kommo said, before it is compared with what is stored; `error` when it did not let us in."""

    kommo_id: int | None = None
    subdomain: str = ""
    is_admin: bool = False
    error: KommoError | None = None


@dataclass(frozen=True)
class HealthReport:
    """The outcome of one check: `health`, one sentence why and what to do ("" when connected)."""

    health: Account.Health
    reason: str = ""
    kommo_id: int | None = None
    token_expires_at: datetime | None = None


def check_connection(account: Account, *, stop: Stop | None = None) -> HealthReport:
    """Asks Kommo who `account` is, whether the token is an administrator's and the account paid; stores the outcome.

    Two requests at most; `account` must be loaded with its secrets. Raises Halted when `stop` is set.
    """
    return conclude(account, probe(account, stop=stop))


def check_connections(account_ids: Sequence[int]) -> dict[int, HealthReport]:
    """Checks several accounts at a time; those that a blocked IP kept from being asked are left out."""
    accounts, unreadable = _loaded(account_ids)
    stop = Stop()
    with ThreadPoolExecutor(min(CHECK_THREADS, len(accounts) or 1)) as pool:
        probes = pool.map(partial(probe, stop=stop), accounts)
        pairs = [(account, found) for account, found in zip(accounts, probes, strict=True)]
    asked = {account.pk: conclude(account, found) for account, found in pairs if not isinstance(found.error, Halted)}
    return asked | {account_id: _unreadable(account_id) for account_id in unreadable}


def _loaded(account_ids: Sequence[int]) -> tuple[list[Account], list[int]]:
    """The accounts with their secrets, and the ids of those whose secrets no key opens; one by one for their sake."""
    accounts: list[Account] = []
    unreadable = []
    for account_id in account_ids:
        try:
            accounts += Account.objects.filter(pk=account_id)
        except WrongEncryptionKey:
            unreadable.append(account_id)
    return accounts, unreadable


def _unreadable(account_id: int) -> HealthReport:
    report = HealthReport(Health.ERROR, _(UNREADABLE))
    Account.objects.filter(pk=account_id).update(
        health=report.health, health_reason=report.reason, checked_at=timezone.now()
    )
    return report


def queue_checks(account_ids: Iterable[int]) -> None:
    """Leaves the checks to the workers, once the transaction is committed; ids only."""
    ids = list(account_ids)
    for at in range(0, len(ids), CHECKS_PER_TASK):
        part = ids[at : at + CHECKS_PER_TASK]
        transaction.on_commit(partial(async_task, "accounts.tasks.check_connections", part))


def probe(account: Account, *, stop: Stop | None = None) -> Probe:
    """The requests of a check, without the database, so that any thread may do it."""
    try:
        with client_for(account, read_only=True, stop=stop, policy=CHECK_POLICY) as client:
            return ask(client)
    except KommoError as error:
        return Probe(error=error)


def ask(client: KommoClient) -> Probe:
    """GET /account for the identity, GET /users/{id} for the rights (kommo-api.md section 8)."""
    about = client.get("/account") or {}
    user_id = about.get("current_user_id")
    user: Mapping[str, Any] = {}
    if isinstance(user_id, int):
        try:
            user = client.get(f"/users/{user_id}") or {}
        except Forbidden:  # only administrators see users
            user = {}
    rights = user.get("rights")
    kommo_id = about.get("id")
    return Probe(
        kommo_id=kommo_id if isinstance(kommo_id, int) else None,
        subdomain=str(about.get("subdomain") or "").lower(),
        is_admin=isinstance(rights, dict) and rights.get("is_admin") is True,
    )


def conclude(account: Account, found: Probe) -> HealthReport:
    """Compares what Kommo said with what is stored, and stores the health; an account's id is kept the first time."""
    health, reason = _judge(account, found)
    report = HealthReport(health, reason[:REASON_LENGTH], found.kommo_id, token_expiry(account.token))
    Account.objects.filter(pk=account.pk).update(
        health=report.health,
        health_reason=report.reason,
        checked_at=timezone.now(),
        token_expires_at=report.token_expires_at,
    )
    return report


def _judge(account: Account, found: Probe) -> tuple[Account.Health, str]:
    if found.error is not None:
        return _judge_error(account, found.error)
    if found.kommo_id is None:
        return Health.ERROR, _("Kommo's answer names no account id. Check KOMMO_URL_TEMPLATE.")
    stranger = _stranger(account, found.kommo_id, found.subdomain)
    if stranger:
        return Health.WRONG_ACCOUNT, f"{stranger} {_(WRONG_ACCOUNT_REMEDY)}"
    if not found.is_admin:
        return Health.NOT_ADMIN, _(Forbidden.remedy)
    return Health.CONNECTED, ""


def _stranger(account: Account, kommo_id: int, subdomain: str) -> str:
    """Why the account that answered is not the expected one; "" when it is."""
    if account.kommo_id is None and subdomain not in ("", account.subdomain):
        return _("The account that answered is %(found)s, not %(expected)s.") % {
            "found": subdomain,
            "expected": account.subdomain,
        }
    if remember_identity(account.pk, kommo_id):
        account.kommo_id = kommo_id
        return ""
    other = Account.objects.filter(kommo_id=kommo_id).exclude(pk=account.pk).only("subdomain").first()
    if other is not None:
        return _("Kommo account %(id)d is already here as %(other)s.") % {
            "id": kommo_id,
            "other": other.subdomain,
        }
    return _("Kommo account %(found)d answered; %(expected)d is expected.") % {
        "found": kommo_id,
        "expected": account.kommo_id or 0,
    }


def _judge_error(account: Account, error: KommoError) -> tuple[Account.Health, str]:
    if isinstance(error, CredentialProblem):
        return Health.NO_TOKEN, _(error.remedy)
    return HEALTH_OF_CODE.get(error.code, Health.ERROR), _sentence(error.detail, error.remedy)


def _sentence(message: str, remedy: str) -> str:
    """What happened, and what to do."""
    return " ".join(part for part in (message and message.rstrip(".") + ".", _(remedy) if remedy else "") if part)


def remember_identity(account_id: int, kommo_id: int) -> bool:
    """Keeps whose account answered, the first time; False when another id is stored, or another entry has this one."""
    entries = Account.objects.filter(pk=account_id)
    if entries.filter(kommo_id=kommo_id).exists():
        return True
    try:
        with transaction.atomic():
            return entries.filter(kommo_id=None).update(kommo_id=kommo_id) == 1
    except IntegrityError:
        return False


def record_health(account_id: int, error: RunError | None, *, wrote: bool = False) -> bool:
    """Keeps what a run learnt about the connection, in one conditional UPDATE; True when a row was written.

    `error`: what ended the account's run, as a KommoError or as the `error` of its document; None: it went well.
    Only a write that was accepted (`wrote`) shows that missing administrator rights are there again.
    """
    code, message, remedy = _facts(error)
    if code in SAYS_NOTHING:
        return False
    health = HEALTH_OF_CODE.get(code, Health.CONNECTED)
    if isinstance(error, NotFound) and not error.no_account:
        health = Health.ERROR  # an item was gone, not the account
    reason = "" if health == Health.CONNECTED else _sentence(message, remedy)[:REASON_LENGTH]
    rows = Account.objects.filter(pk=account_id)
    if health == Health.UNAUTHORISED and rows.filter(token="").exists():
        health = Health.NO_TOKEN  # the public reason codes do not tell these apart, the badge does
    if health == Health.CONNECTED and not wrote:
        rows = rows.exclude(health=Health.NOT_ADMIN)
    now = timezone.now()
    known = Q(health=health, health_reason=reason, checked_at__gt=now - FRESH)
    return bool(rows.exclude(known).update(health=health, health_reason=reason, checked_at=now))


def _facts(error: RunError | None) -> tuple[str, str, str]:
    if error is None:
        return "", "", ""
    if isinstance(error, KommoError):
        return error.code, error.detail, error.remedy
    return error.get("code", ""), error.get("message", ""), error.get("remedy", "")
