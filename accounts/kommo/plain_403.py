"""Finds out what a plain 403 means: this request alone is refused, this account alone, or all that this machine sends.

A firewall refuses single requests, and an account whose whitelist of IP addresses does not have ours refuses all of
them; only when others refuse us as well, Kommo has blocked our address (docs/kommo.md N1).
"""

import time
from collections.abc import Callable
from typing import ClassVar, Self
from weakref import WeakKeyDictionary

from accounts.kommo.error_answers import error_of
from accounts.kommo.errors import IpBlocked, KommoError, NetworkError, Validation, gettext_noop
from accounts.kommo.stopping import Stop
from accounts.kommo.transport import Transport

CLEARED_FOR = 3.0  # seconds that the answer of another account is good for: many accounts may refuse at once
ADDRESS = "%(address)s"  # stands for our outgoing address in a remedy
ALONE = gettext_noop("the account refuses every request of this machine")
ALONE_IT_SEEMS = gettext_noop(
    "the account refuses every request of this machine (there is no other account to ask whether it is the only one)"
)
PATHS = ("/account", "/leads/pipelines")  # both cheap; the first is asked, unless that is what was refused

# Tells whether another account answers this machine; None: there is no other one to ask.
AskOthers = Callable[[], bool | None]


class RequestRefused(Validation):
    """A plain 403 of one request of an account that answers others: a firewall dislikes what is in it."""

    remedy = gettext_noop(
        "A firewall in front of Kommo refused this request, though the account answers others: remove what looks like "
        "code (tags, scripts, queries) from the item in the master."
    )
    remedy_of_reading = gettext_noop(
        "A firewall in front of Kommo refused this request, though the account answers others; the master is not the "
        "cause. Ask whoever runs the firewall (you, if it is your proxy, else Kommo's support) to let it through."
    )

    @classmethod
    def instead_of(cls, error: IpBlocked) -> Self:
        """Returns the error of the same request, with the remedy for a reading or a writing one."""
        remedy = cls.remedy_of_reading if error.method == "GET" else cls.remedy
        return cls(
            gettext_noop("a firewall refuses this request alone: %(said)s") % {"said": error.detail},
            remedy=remedy,
            **error.request,
        )


class IpNotAllowed(KommoError):
    """A plain 403 of one account, while another one answers: its whitelist does not have our address."""

    code = "ip_not_allowed"
    remedy = gettext_noop("Add the outgoing address of this machine to the whitelist of IP addresses in that account.")
    named_remedy: ClassVar[str] = gettext_noop(
        "Add the outgoing address of this machine to the whitelist of IP addresses in that account: %(address)s."
    )

    @classmethod
    def remedy_for(cls, address: str) -> str:
        """Returns the remedy that names our outgoing address; without one the remedy that does not."""
        return cls.named_remedy.replace(ADDRESS, address) if address else cls.remedy


class Plain403Check:
    """Finds out for one account what a plain 403 means. Meanwhile nobody else of this process begins a request.

    `refused_before`: the account alone refused us the last time. If its first answer is the same again, that is what
    it means, and nobody is asked. `remedy` is what to tell about an account that refuses us alone.
    """

    def __init__(
        self, transport: Transport, ask_others: AskOthers, *, refused_before: bool = False, remedy: str = ""
    ) -> None:
        self._transport = transport
        self._ask_others = ask_others
        self._refused_before = refused_before
        self._remedy = remedy or IpNotAllowed.remedy

    def diagnose(self, error: KommoError, token: str) -> KommoError:
        """Returns the error that `error`, met with `token`, is. A blocked address stops everything."""
        stop = self._transport.pacer.stop
        if not isinstance(error, IpBlocked) or stop.is_set:
            return error
        if self._refused_before and self._transport.requests == 1:
            return self._alone(error)
        try:
            with stop.alone():
                if ask_account(self._transport, token, path=PATHS[error.path == PATHS[0]]):
                    return RequestRefused.instead_of(error)
                if time.monotonic() - _answered_at.get(stop.root, -CLEARED_FOR) < CLEARED_FOR:
                    return self._alone(error)
                others_answer = self._ask_others()
                if others_answer is False:
                    stop.set_all(IpBlocked.code)
                    return error
                if others_answer:
                    _answered_at[stop.root] = time.monotonic()
                return self._alone(error, unsure=others_answer is None)
        except KommoError as failure:  # stopped meanwhile, or our own pace is held
            failure.account, failure.method, failure.path = error.account, error.method, error.path
            return failure

    def _alone(self, error: IpBlocked, *, unsure: bool = False) -> IpNotAllowed:
        return IpNotAllowed(ALONE_IT_SEEMS if unsure else ALONE, remedy=self._remedy, **error.request)


def ask_account(transport: Transport, token: str, path: str = PATHS[0]) -> bool:
    """Sends one request; returns True if the account answers it with anything but a plain 403.

    A silent network is no answer.
    """
    url = f"{transport.base_url}/api/v4{path}"
    try:
        answer = transport.send("GET", path, url, transport.headers({"Authorization": f"Bearer {token}"}))
    except NetworkError:
        return False
    return answer.status != 403 or not isinstance(error_of(answer, token), IpBlocked)


_answered_at: "WeakKeyDictionary[Stop, float]" = WeakKeyDictionary()  # by root, when another account answered
