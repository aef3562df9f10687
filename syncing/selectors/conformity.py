"""Conformity: which slaves of a group equal their master now, as far as anybody knows, for reports and by day.

What is not known is not equal (`standing`).
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from accounts import clock
from accounts.models import Account, SyncGroup
from syncing.models import ACCOUNT_OPEN, AccountRun, Drift, Standing
from syncing.selectors.drift import DriftListFilters, listing

EQUAL, DIFFERS, CONFLICT, UNKNOWN = "equal", "differs", "conflict", "unknown"
NEVER_READ = "never_read"
STATES = {Standing.IN_SYNC: EQUAL, Standing.DRIFTED: DIFFERS, Standing.CONFLICT: CONFLICT}


@dataclass(frozen=True)
class SlaveConformity:
    """One slave: its state, why it is unknown ("" if it is not), since when it differs, when it was read and worked."""

    name: str
    subdomain: str
    state: str
    why: str
    since: datetime | None
    exceptions: int
    checked_at: datetime | None
    last_run: int | None
    last_run_at: datetime | None
    last_run_state: str

    @property
    def document(self) -> dict[str, Any]:
        """Returns it as JSON has it."""
        return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in asdict(self).items()}


def conformity_of(group: SyncGroup) -> list[SlaveConformity]:
    """Returns every slave of a group, in the order of their subdomains."""
    return [_slave(account) for account in _slaves(group, clock.now())]


def _slaves(group: SyncGroup, moment: datetime) -> QuerySet[Any]:
    """Selects the slaves by subdomain, each with its standing and its last run that was begun (`last_run`...)."""
    ended = AccountRun.objects.filter(account=OuterRef("pk"), fence__gt=0).exclude(state__in=ACCOUNT_OPEN)
    last = {name: Subquery(ended.order_by("-pk").values(name)[:1]) for name in ("run", "finished_at", "state")}
    slaves: QuerySet[Any] = listing(DriftListFilters(group=str(group.pk)), moment)
    slaves = slaves.annotate(last_run=last["run"], last_run_at=last["finished_at"], last_run_state=last["state"])
    return slaves.order_by("subdomain")


def _slave(account: Any) -> SlaveConformity:
    drift: Drift | None = getattr(account, "drift", None)
    return SlaveConformity(
        name=str(account),
        subdomain=account.subdomain,
        state=STATES.get(account.standing, UNKNOWN),
        why=account.standing_why if drift else NEVER_READ,
        since=drift.since if drift else None,
        exceptions=account.exceptions,
        checked_at=drift.checked_at if drift else None,
        last_run=account.last_run,
        last_run_at=account.last_run_at,
        last_run_state=account.last_run_state or "",
    )


def report_of(group: SyncGroup, due: datetime) -> dict[str, Any]:
    """Returns the conformity report of a group as JSON, for the week whose report is `due`."""
    rows = conformity_of(group)
    equal = sum(row.state == EQUAL for row in rows)
    master = Account.objects.filter(group=group, role=Account.Role.MASTER).values_list("subdomain", flat=True).first()
    facts = {"due": due.isoformat(), "at": clock.now().isoformat(), "master": master or ""}
    return {**facts, "equal": equal, "total": len(rows), "slaves": [row.document for row in rows]}
