"""Asks other accounts when one refuses this machine with a plain 403: is the machine blocked, or only there?"""

from contextlib import suppress

from django.db.models import Case, F, Q, Value, When

from accounts.fields import WrongEncryptionKey
from accounts.kommo.errors import RateLimited
from accounts.kommo.plain_403 import ask_account
from accounts.kommo.stopping import Stop
from accounts.models import HAS_LIVE_CREDENTIAL, Account, pause_is_on
from accounts.services.credentials import database_thread
from accounts.services.credentials.transports import transport_for

MOST = 3
LOOKED_AT = 30  # of which some may have nothing to be asked with
TIMEOUT = (3.0, 5.0)  # seconds; everybody waits meanwhile
LONGEST_HOLD = 3.0  # seconds that the pace of an account may ask for; with more, the next one is asked
Health = Account.Health
# The last that we know of these is that they did not answer.
SILENT = (Health.IP_NOT_ALLOWED, Health.IP_BLOCKED, Health.UNREACHABLE, Health.NOT_FOUND)


def others_answer(account: Account, stop: Stop) -> bool | None:
    """Returns True if one of up to three other accounts answers, one request each; None: there is no other to ask.

    For any thread, as the database is asked in a thread of its own. Raises Stopped when everything is stopped.
    """
    others = database_thread.run(lambda: _others_with_token(account))
    for other, token in others:
        try:
            with transport_for(other, stop=stop, timeout=TIMEOUT, max_wait=LONGEST_HOLD) as transport:
                if ask_account(transport, token):
                    return True
        except RateLimited:
            continue
    return False if others else None


def _others_with_token(account: Account) -> list[tuple[Account, str]]:
    """Returns the master first, then those that answered a moment ago. Paused accounts get no request.

    One whose token no key of ours opens, or that has none at the moment, is left out.
    """
    others = Account.objects.filter(~pause_is_on(), HAS_LIVE_CREDENTIAL).exclude(pk=account.pk)
    rank = Case(
        When(health__in=SILENT, then=Value(3)),
        When(Q(group=account.group_id, role=Account.Role.MASTER), then=Value(0)),
        When(health=Health.CONNECTED, then=Value(1)),
        default=Value(2),
    )
    rows = others.select_related("pair").order_by(rank, F("checked_at").desc(nulls_last=True), "pk")
    others_with_token: list[tuple[Account, str]] = []
    for row in rows[:LOOKED_AT]:
        with suppress(WrongEncryptionKey):
            token = str(row.pair.access_token if row.uses_oauth else row.token)
            others_with_token += [(row, token)] if token else []
        if len(others_with_token) == MOST:
            break
    return others_with_token
