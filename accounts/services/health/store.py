"""Stores the health of accounts: what checks found, and what runs learned on the way."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop

from accounts.kommo.errors import Forbidden
from accounts.models import HAS_LIVE_CREDENTIAL, HEALTH_NEEDS_CONNECTING, Account
from accounts.services import identity
from accounts.services.credentials.clients import token_expiry
from accounts.services.health import verdicts
from accounts.services.health.probe import Probe
from accounts.services.health.verdicts import RunError, Verdict

Health = Account.Health

REASON_LENGTH = 500
FRESH = timedelta(minutes=1)  # a run that confirms what is known need not write more often
WRONG_ACCOUNT_REMEDY = gettext_noop(
    "Correct the subdomain or the token; if another account really takes this place, delete this entry and add it anew."
)


@dataclass(frozen=True)
class HealthReport:
    """The outcome of one check: `health`, and one sentence why and what to do ("" when connected)."""

    health: Account.Health
    reason: str = ""
    kommo_id: int | None = None
    token_expires_at: datetime | None = None


def store_error(account_id: int, reason: str) -> HealthReport:
    """Stores that the account could not be asked, for a `reason` that is ours."""
    report = HealthReport(Health.ERROR, reason)
    Account.objects.filter(pk=account_id).update(
        health=report.health, health_reason=report.reason, checked_at=timezone.now()
    )
    return report


def conclude(account: Account, answer: Probe) -> HealthReport:
    """Compares Kommo's answer with what is stored, and stores the health; an account's id is stored the first time.

    `account` is as it was when it was asked. If it has another token by now, the answer says nothing about that.
    """
    current = Account.objects.filter(pk=account.pk).first()
    is_same = current is not None and _credential(current) == _credential(account)
    current = current if current is not None and is_same else account
    verdict = verdicts.by_own_rows(account.pk, _judge(current, answer))
    expires_at = current.token_expires_at if current.uses_oauth else token_expiry(current.token)
    report = HealthReport(verdict.health, verdict.reason[:REASON_LENGTH], answer.kommo_id, expires_at)
    if is_same:
        changes = {} if current.uses_oauth else {"token_expires_at": expires_at}
        _believable(account.pk, verdict).update(
            health=report.health, health_reason=report.reason, checked_at=timezone.now(), **changes
        )
    return report


def _credential(account: Account) -> tuple[str, str]:
    """Returns what tells one connection from another; a pair changes with every refresh, and stays the same one."""
    return account.credential_kind, "" if account.uses_oauth else account.token


def _believable(account_id: int, verdict: Verdict) -> QuerySet[Account]:
    """Returns the account's row, if it still has what it was asked with: uninstalled meanwhile, it is not connected."""
    rows = Account.objects.filter(pk=account_id)
    return rows if verdict.health in HEALTH_NEEDS_CONNECTING else rows.filter(HAS_LIVE_CREDENTIAL)


def _judge(account: Account, answer: Probe) -> Verdict:
    if answer.error is not None:
        return verdicts.of_check(answer.error)
    if answer.kommo_id is None:
        return Verdict(Health.ERROR, gettext_noop("Kommo's answer names no account id. Check KOMMO_URL_TEMPLATE."))
    mismatch = _mismatch(account, answer.kommo_id, answer.subdomain)
    if mismatch:
        return Verdict(Health.WRONG_ACCOUNT, mismatch, WRONG_ACCOUNT_REMEDY)
    if not answer.is_admin:
        return Verdict(Health.NOT_ADMIN, remedy=Forbidden.remedy)
    return Verdict(Health.CONNECTED)


def _mismatch(account: Account, kommo_id: int, subdomain: str) -> str:
    """Says why the account that answered is not the expected one; "" when it is."""
    # An answer without a name says nothing against an account that was never met.
    if account.kommo_id is None and not identity.is_expected(account, kommo_id, subdomain or account.subdomain):
        return gettext_noop("The account that answered is %(found)s, not %(expected)s.") % {
            "found": subdomain,
            "expected": account.subdomain,
        }
    if identity.remember_identity(account.pk, kommo_id):
        return ""
    other = identity.other_entry(account, kommo_id)
    if other is not None:
        return gettext_noop("Kommo account %(id)d is already in the list as %(other)s.") % {
            "id": kommo_id,
            "other": other.subdomain,
        }
    return gettext_noop("Kommo account %(found)d answered; %(expected)d is expected.") % {
        "found": kommo_id,
        "expected": account.kommo_id or 0,
    }


def record_health(account_id: int, error: RunError | None, *, wrote: bool = False) -> bool:
    """Stores what a run learned about the connection, in one conditional UPDATE; True when a row was written.

    `error`: what ended the account's run, as a KommoError or as the `error` of its document; None: it went well.
    Only a write that was accepted (`wrote`) shows that missing administrator rights are there again.
    """
    verdict = verdicts.of_run(error)
    if verdict is None:
        return False
    verdict = verdicts.by_own_rows(account_id, verdict)
    rows, reason = _believable(account_id, verdict), verdict.reason[:REASON_LENGTH]
    if verdict.health == Health.CONNECTED and not wrote:
        rows = rows.exclude(health=Health.NOT_ADMIN)
    now = timezone.now()
    known = Q(health=verdict.health, health_reason=reason, checked_at__range=(now - FRESH, now))
    return bool(rows.exclude(known).update(health=verdict.health, health_reason=reason, checked_at=now))
