"""The purposes of runs: one row for each, with all that policy, services and stores have to know of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from accounts.models import Account
from syncing.models import RunPurpose

APPROVE, PROMOTE = "syncing.approve_plan", "syncing.promote"


@dataclass(frozen=True)
class Purpose:
    """Facts about all runs of a purpose.

    `role`: of the accounts that a run works; an account that has lost it is neither read nor written any more.
    `approved_by`: the permissions that it takes to approve a plan. `is_own_topic`: its plans have lines of their own
    on the dashboard, so that they are not counted as waiting for approval.
    """

    role: str = Account.Role.SLAVE
    compares_with_master: bool = False  # what a run of it sees is drift, and it can be started anew at any time
    approved_by: tuple[str, ...] = (APPROVE,)
    applied_as: str = ""  # the purpose of the run that carries out its plan; "": the same
    is_own_topic: bool = False

    @property
    def writes_master(self) -> bool:
        return self.role == Account.Role.MASTER


PURPOSES: Mapping[str, Purpose] = {
    RunPurpose.SYNC: Purpose(compares_with_master=True),
    RunPurpose.DRIFT: Purpose(compares_with_master=True, applied_as=RunPurpose.SYNC, is_own_topic=True),
    RunPurpose.ROLLBACK: Purpose(),
    RunPurpose.PROMOTION: Purpose(role=Account.Role.MASTER, approved_by=(APPROVE, PROMOTE)),
}
UNKNOWN = Purpose()
COMPARING = tuple(name for name, purpose in PURPOSES.items() if purpose.compares_with_master)
OWN_TOPICS = tuple(name for name, purpose in PURPOSES.items() if purpose.is_own_topic)


def purpose_of(name: str) -> Purpose:
    """Returns the facts of a purpose; of a name that no run has but by hand in the database, `UNKNOWN`.

    Pages and services judge by it without an error; executing such a run is refused (`execution/purposes.py`).
    """
    return PURPOSES.get(name, UNKNOWN)
