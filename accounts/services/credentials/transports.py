"""The HTTP transport of one account, at the pace that all share."""

from accounts import conf, request_counts
from accounts.kommo.pacing import Pacer, Slots
from accounts.kommo.stopping import Stop
from accounts.kommo.transport import Transport
from accounts.models import Account

LONGEST_WAIT = 60.0  # seconds


def transport_for(
    account: Account,
    *,
    stop: Stop | None = None,
    slots: Slots | None = None,
    timeout: tuple[float, float] | None = None,
    max_wait: float = LONGEST_WAIT,
) -> Transport:
    """Returns the transport of `account`, at the common pace; nothing is asked of the database here.

    `max_wait`: the longest pause, in seconds, that is waited for; a longer one raises RateLimited.
    """
    pacer = Pacer(
        slots or conf.slots(),
        conf.account_key(account.pk, account.subdomain),
        conf.rate_per_account(),
        ip_key=conf.IP_KEY,
        rate_per_ip=conf.rate_per_ip(),
        stop=stop,
        max_wait=max_wait,
    )
    return Transport(
        conf.url_for(account.subdomain),
        pacer,
        account=account.subdomain,
        timeout=timeout or conf.timeout(),
        on_request=request_counts.COUNTS.note,
    )
