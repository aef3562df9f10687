"""Conformity: which slaves of a group equal their master now, as far as anybody knows.

What was not read, or not lately, or not since the master changed or the account was worked, is unknown: not equal.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Subquery

from accounts import clock
from accounts.models import Account, SyncGroup
from syncing.models import ACCOUNT_OPEN, AccountRun, Drift, MasterSnapshot, RunType, Watch
from syncing.selectors.drift import listing

EQUAL, DIFFERS, CONFLICT, UNKNOWN = "equal", "differs", "conflict", "unknown"
NEVER_READ, LONG_AGO, MASTER_MOVED, WORKED_SINCE = "never_read", "long_ago", "master_moved", "worked_since"
LONGEST = timedelta(days=7)  # that a reading says how an account is now


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


@dataclass(frozen=True)
class _MasterAges:
    """The newest snapshots of the master, and when it was last found to be another than before."""

    pipelines: MasterSnapshot | None
    fields: MasterSnapshot | None
    moved_at: datetime | None


def conformity_of(group: SyncGroup) -> list[SlaveConformity]:
    """Returns every slave of a group, in the order of their subdomains."""
    moment, ages = clock.now(), _ages(group)
    return [_slave(account, group, ages, moment) for account in _slaves(group)]


def _slaves(group: SyncGroup) -> QuerySet[Any]:
    ended = AccountRun.objects.filter(account=OuterRef("pk"), fence__gt=0).exclude(state__in=ACCOUNT_OPEN)
    last = {name: Subquery(ended.order_by("-pk").values(name)[:1]) for name in ("run", "finished_at", "state")}
    later = AccountRun.objects.filter(account=OuterRef("pk"), fence__gt=0, run__gt=OuterRef("drift__run"))
    slaves: QuerySet[Any] = listing(group=group.pk).select_related("drift__run").annotate(worked_since=Exists(later))
    slaves = slaves.annotate(last_run=last["run"], last_run_at=last["finished_at"], last_run_state=last["state"])
    return slaves.order_by("subdomain")


def _ages(group: SyncGroup) -> _MasterAges:
    snapshots = MasterSnapshot.objects.filter(group=group).defer("document").order_by("-pk")
    pipelines = snapshots.filter(type__in=(RunType.FULL, RunType.PIPELINES)).first()
    fields = snapshots.filter(type__in=(RunType.FULL, RunType.CUSTOM_FIELDS)).first()
    times = [snapshot.taken_at for snapshot in (pipelines, fields) if snapshot]
    watch = Watch.objects.filter(group=group).exclude(pending_fingerprint="").first()
    if watch and watch.last_change:
        times.append(watch.last_change)
    return _MasterAges(pipelines, fields, max(times, default=None))


def _slave(account: Any, group: SyncGroup, ages: _MasterAges, moment: datetime) -> SlaveConformity:
    drift: Drift | None = getattr(account, "drift", None)
    state, why = _state(account, drift, group, ages, moment)
    return SlaveConformity(
        name=str(account),
        subdomain=account.subdomain,
        state=state,
        why=why,
        since=drift.since if drift else None,
        exceptions=account.exceptions,
        checked_at=drift.checked_at if drift else None,
        last_run=account.last_run,
        last_run_at=account.last_run_at,
        last_run_state=account.last_run_state or "",
    )


def _state(account: Any, drift: Drift | None, group: SyncGroup, ages: _MasterAges, moment: datetime) -> tuple[str, str]:
    """Returns the state, and why it is unknown; that a slave differs stays true until somebody finds it equal."""
    if drift is None:
        return UNKNOWN, NEVER_READ
    if drift.state != Drift.State.IN_SYNC:
        return (DIFFERS if drift.state == Drift.State.DRIFTED else CONFLICT), ""
    if drift.run is None or account.worked_since:
        return UNKNOWN, WORKED_SINCE
    if drift.converged_at is None or min(drift.checked_at, drift.converged_at) < moment - LONGEST:
        return UNKNOWN, LONG_AGO
    if ages.moved_at is None or drift.converged_at < ages.moved_at or not _covers(drift, group, ages):
        return UNKNOWN, MASTER_MOVED
    return EQUAL, ""


def _covers(drift: Drift, group: SyncGroup, ages: _MasterAges) -> bool:
    """Tells whether the slave was found equal in all that the policy covers.

    A run of everything compares all of it; after one that looked at a part, the rest has to equal the newest master
    that was read, by the snapshot itself.
    """
    pipelines = not group.sync_pipelines or drift.base_pipelines_id is not None
    fields = not group.sync_custom_fields or drift.base_fields_id is not None
    if not (pipelines and fields) or drift.run is None:
        return False
    if drift.run.type == RunType.FULL and not drift.run.picked:
        return True
    newest: Mapping[str, tuple[bool, int | None, MasterSnapshot | None]] = {
        RunType.PIPELINES: (group.sync_pipelines, drift.base_pipelines_id, ages.pipelines),
        RunType.CUSTOM_FIELDS: (group.sync_custom_fields, drift.base_fields_id, ages.fields),
    }
    return all(
        not is_covered or (kind == drift.run.type and not drift.run.picked) or (snapshot and base == snapshot.pk)
        for kind, (is_covered, base, snapshot) in newest.items()
    )


def report_of(group: SyncGroup, due: datetime) -> dict[str, Any]:
    """Returns the conformity report of a group as JSON, for the week whose report is `due`."""
    rows = conformity_of(group)
    equal = sum(row.state == EQUAL for row in rows)
    master = Account.objects.filter(group=group, role=Account.Role.MASTER).values_list("subdomain", flat=True).first()
    facts = {"due": due.isoformat(), "at": clock.now().isoformat(), "master": master or ""}
    return {**facts, "equal": equal, "total": len(rows), "slaves": [row.document for row in rows]}
