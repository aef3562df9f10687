"""From claims to jobs: all that a thread needs is loaded here, before."""

from collections.abc import Sequence

from django.core.exceptions import ImproperlyConfigured

from accounts.kommo.stopping import Stop
from accounts.models import Account
from syncing import store
from syncing.engine.refs import Scope
from syncing.engine.snapshot import Snapshot, from_document
from syncing.models import AccountState, MasterSnapshot
from syncing.services import history
from syncing.services.claims import Claim
from syncing.services.closing import close_run
from syncing.services.contract import Job, Result
from syncing.services.hands import Hand, Pulse
from syncing.services.master import KEY_REMEDY
from syncing.services.writer import Writer

KEPT_SNAPSHOTS = 4


class Snapshots:
    """The masters of the runs at work, parsed once per lane and shared by its threads."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Snapshot, Scope]] = {}

    def get(self, snapshot_id: int) -> tuple[Snapshot, Scope]:
        if snapshot_id not in self._kept:
            row = MasterSnapshot.objects.get(pk=snapshot_id)
            while len(self._kept) >= KEPT_SNAPSHOTS:
                del self._kept[next(iter(self._kept))]
            self._kept[snapshot_id] = from_document(row.document), Scope(row.type)
        return self._kept[snapshot_id]


def load(claims: Sequence[Claim], snapshots: Snapshots, writer: Writer, pulse: Pulse, stop: Stop) -> list[Hand]:
    """A hand for each claim; an account whose secrets cannot be read ends here, the others go on."""
    known = store.known_mappings(claim.account_id for claim in claims)
    again = [claim.account_run_id for claim in claims if claim.fence > 1]
    earlier = history.outcomes_so_far(again) if again else {}
    kommo_ids = dict(Account.objects.exclude(kommo_id=None).values_list("pk", "kommo_id"))
    hands = []
    for claim in claims:
        account = _account(claim, writer)
        if account is None:
            continue
        desired, scope = snapshots.get(claim.snapshot_id)
        hands.append(
            Hand(
                claim=claim,
                account=account,
                job=Job(account.subdomain, scope, claim.writes, desired, known[claim.account_id], account.kommo_id),
                writer=writer,
                pulse=pulse,
                stop=Stop(stop),
                earlier=earlier.get(claim.account_run_id, ()),
                others=frozenset(value for pk, value in kommo_ids.items() if pk != account.pk and value),
            )
        )
    return hands


def _account(claim: Claim, writer: Writer) -> Account | None:
    try:
        return Account.objects.get(pk=claim.account_id)
    except ImproperlyConfigured as error:  # a secret that no key of ours can read
        writer.finish(claim, _unreadable(str(error)), ())
        close_run(claim.run_id)
        return None


def _unreadable(message: str) -> Result:
    error = store.problem("internal", message, KEY_REMEDY)
    return Result(AccountState.FAILED, "internal", error, {}, "", 0, 0, 0, 0, 0, None)
