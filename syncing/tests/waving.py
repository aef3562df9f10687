"""Runs in waves, for their tests: the policy of the house, a stand-in for its slaves, processes that died."""

from typing import Any

from accounts import clock
from accounts.models import Account, SyncGroup
from syncing.leases import claims
from syncing.models import AccountRun, SyncRun
from syncing.replication.contract import Checkpoint, Record, Result, StoreBefore, Target
from syncing.tests.house import House, result

PILOT = ["north"]
OTHERS = ["east", "south", "west"]


def policy(house: House, *, pilots: list[str] = PILOT, **facts: object) -> None:
    SyncGroup.objects.update(**facts)
    Account.objects.filter(subdomain__in=pilots).update(is_pilot=True)
    house.group.refresh_from_db()


def numbers(run: SyncRun) -> dict[str, int]:
    return dict(run.account_runs.values_list("account__subdomain", "wave"))


class Slaves:
    """A stand-in that keeps the order of its accounts, and fails those that it is told to."""

    def __init__(self, **states: str) -> None:
        self.states = states
        self.worked: list[str] = []

    def __call__(
        self, target: Target, client: Any, record: Record, checkpoint: Checkpoint, store_before: StoreBefore
    ) -> Result:
        self.worked.append(target.subdomain)
        state = self.states.get(target.subdomain, "changed")
        return result(state, {"failed": "unpaid", "refused": "guard"}.get(state))


def end(run: SyncRun, *names: str, state: str = "changed", **facts: object) -> None:
    """As if a process had ended these accounts, and died before it could do any more."""
    SyncRun.objects.filter(pk=run.pk).update(state="running", snapshot=snapshot(run), fence=1)
    run.account_runs.filter(account__subdomain__in=names).update(state=state, finished_at=clock.now(), **facts)


def snapshot(run: SyncRun) -> Any:
    return run.snapshot or run.group.snapshots.create(type="full", document={}, fingerprint="x")


def claimed(lane: str = "lane") -> set[str]:
    taken = [claim.account_run_id for claim in claims.claim_accounts(lane, 50)]
    return set(AccountRun.objects.filter(pk__in=taken).values_list("account__subdomain", flat=True))
