"""Keeps connections alive: every hour, pairs are renewed long before they end, and near ends are warned of.

A refresh token dies after three months without use (docs/kommo.md 1.3), also that of an account that is paused
or that nobody syncs. A round is a chain of small tasks; lost, doubled or late ones do no harm: what is due is looked
up anew in each, and once more in each account's pair before it is renewed.
"""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from django.contrib.sessions.backends.db import SessionStore
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts import request_counts
from accounts.clock import beyond
from accounts.kommo.errors import IpBlocked, KommoError
from accounts.kommo.stopping import Stop, Stopped
from accounts.log_context import log_ids
from accounts.models import (
    HAS_LIVE_CREDENTIAL,
    HEALTH_NEEDS_CONNECTING,
    SECRETS,
    Account,
    AccountEvent,
    ConnectAttempt,
    TokenPair,
)
from accounts.services import queue
from accounts.services.connecting import invites
from accounts.services.credentials import database_thread
from accounts.services.credentials.clients import tokens_for
from accounts.services.credentials.transports import transport_for
from accounts.services.upkeep import emails, expiry_warnings

logger = logging.getLogger(__name__)

TASK = "accounts.tasks.upkeep"  # by name: tasks import services, not the reverse
RENEW_BEFORE = timedelta(hours=6)  # of the 24 that an access token lives: several rounds may fail
LONGEST_IDLE = timedelta(days=6)  # so that every refresh token is used weekly
SLICE = 25  # accounts, each in a thread of its own: far below the queue's timeout, even if nobody answers
ATTEMPTS_KEPT = timedelta(days=1)
EVENTS_KEPT = timedelta(days=365)


def run_round(after: int = 0) -> str:
    """Runs the next slice of a round: the accounts whose id is greater than `after`. Says what there was to do."""
    ids = list(due(timezone.now()).filter(pk__gt=after).values_list("pk", flat=True)[:SLICE])
    blocked = renew(ids)
    if len(ids) == SLICE and not blocked:
        queue.send(TASK, ids[-1])
        return "to be continued"
    emails.send_warnings(expiry_warnings.take_warnings(timezone.now()))
    invites.queue_mails(invites.unsent())
    moment = timezone.now()
    ConnectAttempt.objects.filter(created_at__lt=moment - ATTEMPTS_KEPT).delete()
    AccountEvent.objects.filter(at__lt=moment - EVENTS_KEPT).delete()
    SessionStore.clear_expired()
    return "blocked" if blocked else "done"


def due(moment: datetime) -> QuerySet[TokenPair]:
    """Returns the pairs to renew, in the order of their accounts; not those that are over or forgotten."""
    kind = Account.CredentialKind.OAUTH
    pairs = TokenPair.objects.filter(ended_at=None, account__credential_kind=kind).exclude(refresh_token="")
    ends = Q(access_expires_at=None) | Q(access_expires_at__lt=moment + RENEW_BEFORE)
    idle = Q(obtained_at__lt=moment - LONGEST_IDLE) | beyond("obtained_at", moment)
    return pairs.filter(ends | idle).order_by("pk")


def renew(account_ids: Sequence[int]) -> bool:
    """Renews the pairs of these accounts that are due; returns True when the IP turned out to be blocked.

    One that fails stops nobody else: refused ones need reconnecting, the others are tried again in the next round.
    """
    accounts = list(Account.objects.filter(pk__in=account_ids).defer(*SECRETS))
    stop = Stop()
    with ThreadPoolExecutor(len(accounts) or 1) as pool:
        renewals = [pool.submit(_renew, account, stop) for account in accounts]
    failures = [each.exception() or each.result() for each in renewals]
    request_counts.flush()
    for account, failure in zip(accounts, failures, strict=True):
        if failure is not None and not isinstance(failure, Stopped):
            # The text of an error that is not Kommo's may hold values.
            text = str(failure) if isinstance(failure, KommoError) else type(failure).__name__
            ids = {"group": account.group_id, "account": account.pk}
            logger.warning("account %s: its tokens were not renewed: %s", account.subdomain, text, extra=ids)
    renewed = [account.pk for account, failure in zip(accounts, failures, strict=True) if failure is None]
    # A file brought them a pair, or their integration was corrected: whether all is well, a check or a run will tell.
    lost = Account.objects.filter(HAS_LIVE_CREDENTIAL, pk__in=renewed, health__in=HEALTH_NEEDS_CONNECTING)
    lost.update(health=Account.Health.UNKNOWN, health_reason="")
    if stop.is_set:
        logger.error("%s", IpBlocked.remedy)
    return stop.is_set


def _renew(account: Account, stop: Stop) -> KommoError | None:
    """Runs in a thread of its own, without the database; returns the error that it failed with."""
    try:
        with log_ids(group=account.group_id, account=account.pk), transport_for(account, stop=stop) as transport:
            tokens = tokens_for(account, transport)
            tokens.current()  # renews a pair that can be used no more
            if database_thread.run(due(timezone.now()).filter(pk=account.pk).exists):
                tokens.renew()
    except KommoError as error:
        return error
    return None
