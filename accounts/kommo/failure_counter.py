"""How an account's server does during one run: one in trouble is not searched for a culprit (docs/lifecycle.md 6).

A 5xx, a timeout or a reset may be the fault of one item, which is found by splitting batches; many of them are not.
"""

from accounts.kommo.errors import Asked, KommoError, NetworkError, ServerError
from accounts.kommo.plain_403 import IpNotAllowed, RequestRefused

MOST_FAILING = 25  # requests, repeats counted
MOST_IN_A_ROW = 8  # writes, each after its repeats, without one in between that went well
MOST_REFUSED = 25  # writes in a row that a firewall refuses
ATTEMPTS_IN_TROUBLE = 2


class OutOfService(KommoError):
    """The server of one account fails at too much: nothing more is sent to it in this run."""

    code = ServerError.code
    remedy = ServerError.remedy


class FailureCounter:
    """What one account's run has met so far; `failing` requests are those of its earlier attempts."""

    def __init__(self, failing: int = 0) -> None:
        self.failing = failing
        self._in_a_row = 0
        self._refused = 0
        self._is_bad = False

    def attempts(self, method: str, usual: int) -> int:
        """After the first write that failed through all its repeats, later ones are repeated once only."""
        return min(usual, ATTEMPTS_IN_TROUBLE) if self._is_bad and method != "GET" else usual

    def went_well(self, method: str) -> None:
        """Told of a request that was answered."""
        if method != "GET":
            self._in_a_row = self._refused = 0

    def failed(self, error: KommoError) -> None:
        """Told of every failed request; raises OutOfService when it is one too many."""
        if isinstance(error, ServerError | NetworkError):
            self.failing += 1
            if self.failing >= MOST_FAILING:
                raise _out_of_service(error, f"{self.failing} requests of this run failed, the last one with")

    def gave_up(self, method: str, error: KommoError, attempts: int) -> None:
        """Told of a request that is not repeated any more; raises when the account has to end for it."""
        if method == "GET":
            return
        if isinstance(error, ServerError | NetworkError):
            self._is_bad = self._is_bad or attempts > 1
            self._in_a_row += 1
            if self._in_a_row >= MOST_IN_A_ROW:
                raise _out_of_service(error, f"{self._in_a_row} writes in a row failed, the last one with")
        elif isinstance(error, RequestRefused):
            self._refused += 1
            if self._refused >= MOST_REFUSED:
                detail = f"a firewall refuses every write ({self._refused} in a row), while the account can be read"
                raise IpNotAllowed(detail, **error.request) from error


def _out_of_service(error: KommoError, what: str) -> OutOfService:
    last = f"{error.status} {error.detail}" if error.status else error.detail
    asked = Asked({**error.request, "status": None})  # it is not the answer to this request alone
    return OutOfService(f"{what}: {last}", outcome_unknown=error.outcome_unknown, **asked)
