"""Whether other accounts answer this machine, asked when one refuses it with a plain 403."""

from itertools import islice

from django.db.models import Case, F, Q, Value, When

from accounts.fields import WrongEncryptionKey
from accounts.kommo.errors import RateLimited
from accounts.kommo.refusals import answers
from accounts.kommo.stopping import Stop
from accounts.models import HAS_LIVE_CREDENTIAL, Account
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
    """Whether one of up to three other accounts answers, one request each; None: there is no other one to ask.

    For any thread, as the database is asked in a thread of its own. Raises Halted when everything is stopped.
    """
    witnesses = database_thread.run(lambda: _witnesses(account))
    return any(_answers(witness, token, stop) for witness, token in witnesses) if witnesses else None


def _witnesses(account: Account) -> list[tuple[Account, str]]:
    """With their tokens; the master first, then those that answered a moment ago. Paused accounts get no request."""
    others = Account.objects.filter(HAS_LIVE_CREDENTIAL, paused=False).exclude(pk=account.pk)
    rank = Case(
        When(health__in=SILENT, then=Value(3)),
        When(Q(group=account.group_id, role=Account.Role.MASTER), then=Value(0)),
        When(health=Health.CONNECTED, then=Value(1)),
        default=Value(2),
    )
    rows = others.select_related("pair").order_by(rank, F("checked_at").desc(nulls_last=True), "pk")
    asked_with = ((row, _token(row)) for row in rows[:LOOKED_AT])
    return list(islice(((row, token) for row, token in asked_with if token), MOST))


def _token(account: Account) -> str:
    """Empty for one whose token no key of ours opens, or who has none at the moment."""
    try:
        return str(account.pair.access_token if account.uses_oauth else account.token)
    except WrongEncryptionKey:
        return ""


def _answers(witness: Account, token: str, stop: Stop) -> bool:
    try:
        with transport_for(witness, stop=stop, timeout=TIMEOUT, max_wait=LONGEST_HOLD) as transport:
            return answers(transport, token)
    except RateLimited:
        return False
