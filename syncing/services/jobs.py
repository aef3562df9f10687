"""From claims to jobs: all that a thread needs is loaded here, before."""

from collections.abc import Sequence

from django.core.exceptions import ImproperlyConfigured

from accounts.kommo.stopping import Stop
from accounts.models import Account
from syncing import store
from syncing.engine.refs import Scope
from syncing.engine.snapshot import Snapshot, from_document
from syncing.models import AccountState, MasterSnapshot, SyncRun
from syncing.services import history
from syncing.services.claims import Claim
from syncing.services.contract import Interrupted, Job, Outcome, Result
from syncing.services.hands import Hand, Pulse
from syncing.services.master import KEY_REMEDY
from syncing.services.waves import settle
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
    """A hand for each claim; an account that may not be written or read any more ends here, the others go on."""
    known = store.known_mappings(claim.account_id for claim in claims)
    again = [claim.account_run_id for claim in claims if claim.fence > 1]
    earlier = history.outcomes_so_far(again) if again else {}
    kommo_ids = dict(Account.objects.exclude(kommo_id=None).values_list("pk", "kommo_id"))
    hands = []
    for claim in claims:
        done = earlier.get(claim.account_run_id, ())
        account = _account(claim, writer, done)
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
                earlier=done,
                others=frozenset(value for pk, value in kommo_ids.items() if pk != account.pk and value),
            )
        )
    return hands


def _account(claim: Claim, writer: Writer, earlier: Sequence[Outcome]) -> Account | None:
    """The account as it is now; None when it ends here."""
    try:
        account = Account.objects.get(pk=claim.account_id)
    except ImproperlyConfigured as error:  # a secret that no key of ours can read
        problem = store.problem("internal", str(error), KEY_REMEDY)
        _end(claim, writer, _untouched(AccountState.FAILED, "internal", problem), earlier)
        return None
    reason, note = _why_not(account, claim)
    if note:
        _end(claim, writer, _untouched(AccountState.SKIPPED, reason), earlier, note)
        return None
    return account


def _why_not(account: Account, claim: Claim) -> tuple[str, str]:
    """Reason and sentence why it must not be written though it was when the run began; ("", "") when it may be."""
    if account.paused:
        return "paused", "paused since the run was asked for"
    if account.role != Account.Role.SLAVE:
        return "", "it is no slave any more"
    if not SyncRun.objects.filter(pk=claim.run_id, group=account.group_id).exists():
        return "", "it belongs to another group now"
    return "", ""


def _end(claim: Claim, writer: Writer, result: Result, earlier: Sequence[Outcome], note: str = "") -> None:
    try:
        writer.finish(claim, result, earlier, note)
    except Interrupted:
        return  # the claim was lost meanwhile: its new holder looks for itself
    settle(claim.run_id)


def _untouched(state: AccountState, reason: str, error: dict[str, str] | None = None) -> Result:
    return Result(state, reason, error, {}, "", 0, 0, 0, 0, 0, None)
