"""Reads for the guided start: how far an installation is that has not synced anything yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from accounts.models import HEALTH_FINE, Account, ConnectionCheck, SyncGroup
from syncing.models import ACCOUNT_GOOD, RunMode, RunState, SyncRun
from syncing.selectors.dashboard import ShownRuns
from syncing.selectors.fleet import DONE

MASTER, SLAVES, CHECK, PLAN, SYNC = "master", "slaves", "check", "plan", "sync"
STEPS = (MASTER, SLAVES, CHECK, PLAN, SYNC)


@dataclass(frozen=True)
class FirstSteps:
    """What was done of the way to the first sync; `group`: the one that is on its way, if there is one."""

    done: frozenset[str]
    group: SyncGroup | None = None
    slaves: int = 0
    unwell: int = 0  # accounts whose connection does not work
    check: ConnectionCheck | None = None  # the last one, until all accounts are checked
    run: SyncRun | None = None  # the last one of the group
    lost_master: Any | None = None  # the master, if it was checked and its connection does not work

    @property
    def here(self) -> str:
        """Returns the step that comes next."""
        return next(step for step in STEPS if step not in self.done)

    @property
    def is_checking(self) -> bool:
        return self.check is not None and self.check.finished_at is None

    @property
    def is_running(self) -> bool:
        return self.run is not None and self.run.is_open

    @property
    def has_failed(self) -> bool:
        """Tells if the last run ended without what this step is for."""
        return self.run is not None and self.run.state in (RunState.FAILED, RunState.REFUSED, RunState.PARTIAL)


def first_steps(accounts: Sequence[Any], groups: Sequence[SyncGroup], runs: ShownRuns) -> FirstSteps | None:
    """Returns how far the first sync is; None once some account was synced. `accounts`: those of `fleet_accounts`."""
    if any(account.last_state in DONE for account in accounts) or runs.any_synced:
        return None
    masters = {account.group_id for account in accounts if account.role == Account.Role.MASTER}
    slaves = {account.group_id for account in accounts if account.role == Account.Role.SLAVE}
    ids = sorted(masters & slaves) or sorted(masters) or sorted(slaves)
    group = next((each for each in groups if each.pk in ids[:1]), None)
    if group is None:
        return FirstSteps(frozenset())
    own = [account for account in accounts if account.group_id == group.pk]
    lost = [account for account in own if account.health not in (*HEALTH_FINE, Account.Health.UNKNOWN)]
    run = runs.last_sync.get(group.pk)
    facts = {
        MASTER: group.pk in masters,
        SLAVES: group.pk in slaves,
        CHECK: all(account.health != Account.Health.UNKNOWN for account in own),
        PLAN: any(account.last_state in ACCOUNT_GOOD for account in own)
        or bool(run and (run.mode == RunMode.APPLY or run.state == RunState.PLANNED)),
    }
    return FirstSteps(
        done=frozenset(step for step, is_done in facts.items() if is_done),
        group=group,
        slaves=sum(account.role == Account.Role.SLAVE for account in own),
        unwell=sum(account.health not in HEALTH_FINE for account in own),
        check=None if facts[CHECK] else ConnectionCheck.objects.order_by("-pk").first(),
        run=run,
        lost_master=next((account for account in lost if account.role == Account.Role.MASTER), None),
    )
