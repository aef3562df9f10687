"""Counts an account's failures during one run: a server in trouble is not searched for a culprit (docs/lifecycle.md 6).

A 5xx, a timeout or a reset may be the fault of one item, which is found by splitting batches; many of them are not.
"""

from accounts.kommo.errors import KommoError, NetworkError, RequestFacts, ServerError, gettext_noop
from accounts.kommo.plain_403 import IpNotAllowed, RequestRefused

MOST_FAILING = 25  # requests, repeats counted
MOST_IN_A_ROW = 8  # writes, each after its repeats, without one in between that went well
MOST_REFUSED = 25  # writes in a row that a firewall refuses
ATTEMPTS_IN_TROUBLE = 2
MANY_FAILED = gettext_noop("%(count)s requests of this run failed, the last one with")
IN_A_ROW = gettext_noop("%(count)s writes in a row failed, the last one with")
ALL_REFUSED = gettext_noop("a firewall refuses every write (%(count)s in a row), while the account can be read")


class OutOfService(KommoError):
    """The server of one account fails at too much: nothing more is sent to it in this run."""

    code = ServerError.code
    remedy = ServerError.remedy


class FailureCounter:
    """Counts the requests of one account's run that failed; `failing` are those of its earlier attempts."""

    def __init__(self, failing: int = 0) -> None:
        self.failing = failing
        self._in_a_row = 0
        self._refused = 0
        self._is_in_trouble = False

    def most_attempts(self, method: str, usual: int) -> int:
        """Returns the attempts to make: after a write failed through all its repeats, others are repeated once only."""
        return min(usual, ATTEMPTS_IN_TROUBLE) if self._is_in_trouble and method != "GET" else usual

    def note_success(self, method: str) -> None:
        """Takes note of a request that was answered."""
        if method != "GET":
            self._in_a_row = self._refused = 0

    def note_failure(self, error: KommoError) -> None:
        """Counts a failed request; raises OutOfService when it is one too many."""
        if isinstance(error, ServerError | NetworkError):
            self.failing += 1
            if self.failing >= MOST_FAILING:
                raise _out_of_service(error, MANY_FAILED % {"count": self.failing})

    def note_given_up(self, method: str, error: KommoError, attempts: int) -> None:
        """Counts a request that is not repeated any more; raises when the account has to end for it."""
        if method == "GET":
            return
        if isinstance(error, ServerError | NetworkError):
            self._is_in_trouble = self._is_in_trouble or attempts > 1
            self._in_a_row += 1
            if self._in_a_row >= MOST_IN_A_ROW:
                raise _out_of_service(error, IN_A_ROW % {"count": self._in_a_row})
        elif isinstance(error, RequestRefused):
            self._refused += 1
            if self._refused >= MOST_REFUSED:
                detail = ALL_REFUSED % {"count": self._refused}
                raise IpNotAllowed(detail, **error.request) from error


def _out_of_service(error: KommoError, what: str) -> OutOfService:
    last = f"{error.status} {error.detail}" if error.status else error.detail
    request = RequestFacts({**error.request, "status": None})  # it is not the answer to this request alone
    return OutOfService(f"{what}: {last}", outcome_unknown=error.outcome_unknown, **request)
