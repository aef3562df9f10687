"""Reports every minute to a monitor outside (`PING_URL`) that the workers live, and whether all is well.

The monitor knows what cannot be told from here: that the whole machine is silent. The protocol is that of
healthchecks.io: `/start` when a round begins, the address itself when all is well, `/fail` with the reasons when not.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import requests

from accounts import conf as accounts_conf
from syncing import conf
from syncing.error_boundary import survived
from syncing.selectors.automation import automation_state, badly_ended, failing, overdue

PATIENCE = 5.0  # seconds for each of the two messages; then the round goes on, and the message is lost
LONGEST = 10_000  # characters of the reasons

logger = logging.getLogger(__name__)


@contextmanager
def reported() -> Iterator[None]:
    """Surrounds a round: tells its beginning beside it, and its end when it is over. An error of its own ends nothing.

    A round that raises has no end, which the monitor notices.
    """
    if not conf.ping_url():
        yield
        return
    beginning = _send("/start")
    yield
    beginning.join(PATIENCE)  # or the end could be there first
    with survived("the report to PING_URL", but=()):
        reasons = what_is_wrong()
        _send("/fail" if reasons else "", "\n".join(reasons)).join(PATIENCE)


def what_is_wrong() -> list[str]:
    """Returns what a person should see to, in sentences without secrets; [] when all is well."""
    state = automation_state()
    return [str(trouble) for trouble in (*overdue(state), *failing(state), *badly_ended())]


def _send(suffix: str, text: str = "") -> Thread:
    """Sends a message beside the caller, who decides how long to wait: a monitor that hangs delays nobody."""
    thread = Thread(target=MONITOR.tell, args=(conf.ping_url() + suffix, text), name="ping", daemon=True)
    thread.start()
    return thread


class Monitor:
    """The other end. What is wrong with it is logged once, and never with the address, which is a secret."""

    def __init__(self) -> None:
        self._problem = ""

    def tell(self, url: str, text: str) -> None:
        problem = _problem_of(url, text)
        if problem and problem != self._problem:
            logger.warning("the monitor of PING_URL was not told: %s", problem)
        self._problem = problem


MONITOR = Monitor()


def _problem_of(url: str, text: str) -> str:
    """Sends the message; returns why it did not arrive, "" when it did."""
    method, body = ("POST", text[:LONGEST].encode("utf-8", "replace")) if text else ("GET", None)
    headers = {"User-Agent": accounts_conf.USER_AGENT, "Content-Type": "text/plain; charset=utf-8"}
    try:
        # Only the head of the answer is read, and no other address is gone to.
        with requests.request(
            method, url, data=body, headers=headers, timeout=PATIENCE, allow_redirects=False, stream=True
        ) as answer:
            return "" if 200 <= answer.status_code < 300 else f"it answered {answer.status_code}"
    except (requests.RequestException, ValueError) as error:  # ValueError: an address that only looked like one
        return type(error).__name__
