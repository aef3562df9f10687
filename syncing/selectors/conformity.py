"""Conformity: which slaves of a group equal their master now, as far as anybody knows.

What was not read, or not lately, or not since the master changed or the account was worked, is unknown: not equal.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Subquery

from accounts import clock
from accounts.models import Account, SyncGroup
from syncing.models import ACCOUNT_OPEN, AccountRun, Drift, MasterSnapshot, RunType, Watch
from syncing.selectors.drift import DriftListFilters, listing

EQUAL, DIFFERS, CONFLICT, UNKNOWN = "equal", "differs", "conflict", "unknown"
NEVER_READ, LONG_AGO, MASTER_MOVED, WORKED_SINCE = "never_read", "long_ago", "master_moved", "worked_since"
MOST_SNAPSHOTS = 50  # that are looked through
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
class _MasterNow:
    """The snapshots that show the master as it was last read, and when the watcher saw a change that no run has read.

    `pipelines` and `fields`: the ids of the snapshots that are the same in that part; a slave equals one of them.
    """

    pipelines: frozenset[int]
    fields: frozenset[int]
    changed_at: datetime | None


def conformity_of(group: SyncGroup) -> list[SlaveConformity]:
    """Returns every slave of a group, in the order of their subdomains."""
    moment = clock.now()
    watch = Watch.objects.filter(group=group).exclude(pending_fingerprint="").first()
    master = _MasterNow(
        pipelines=_same_as_newest(group, RunType.PIPELINES, "pipelines"),
        fields=_same_as_newest(group, RunType.CUSTOM_FIELDS, "groups", "fields"),
        changed_at=watch.last_change if watch else None,
    )
    return [_slave(account, group, master, moment) for account in _slaves(group)]


def _slaves(group: SyncGroup) -> QuerySet[Any]:
    """Selects the slaves by subdomain, each with its last run that was begun (`last_run`...) and `worked_since`.

    `worked_since`: a run has begun to work it after the one that its drift is of.
    """
    ended = AccountRun.objects.filter(account=OuterRef("pk"), fence__gt=0).exclude(state__in=ACCOUNT_OPEN)
    last = {name: Subquery(ended.order_by("-pk").values(name)[:1]) for name in ("run", "finished_at", "state")}
    later = AccountRun.objects.filter(account=OuterRef("pk"), fence__gt=0, run__gt=OuterRef("drift__run"))
    slaves: QuerySet[Any] = listing(DriftListFilters(group=str(group.pk))).annotate(worked_since=Exists(later))
    slaves = slaves.annotate(last_run=last["run"], last_run_at=last["finished_at"], last_run_state=last["state"])
    return slaves.order_by("subdomain")


def _same_as_newest(group: SyncGroup, part: str, *keys: str) -> frozenset[int]:
    """Returns the ids of the newest snapshots that are all the same in a part of the configuration."""
    snapshots = MasterSnapshot.objects.filter(group=group, type__in=(RunType.FULL, part)).order_by("-pk")
    newest: list[Any] = []
    known: set[tuple[str, str]] = set()  # kinds and fingerprints of documents that need not be loaded again
    same = set()
    for pk, kind, fingerprint in snapshots.values_list("pk", "type", "fingerprint")[:MOST_SNAPSHOTS]:
        if (kind, fingerprint) not in known:
            document = snapshots.values_list("document", flat=True).get(pk=pk)
            content = [document.get(key) for key in keys]
            newest = newest or content
            if content != newest:
                break
            known.add((kind, fingerprint))
        same.add(pk)
    return frozenset(same)


def _slave(account: Any, group: SyncGroup, master: _MasterNow, moment: datetime) -> SlaveConformity:
    drift: Drift | None = getattr(account, "drift", None)
    state, why = _state(account, drift, group, master, moment)
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


def _state(
    account: Any, drift: Drift | None, group: SyncGroup, master: _MasterNow, moment: datetime
) -> tuple[str, str]:
    """Returns the state, and why it is unknown; that a slave differs stays true until somebody finds it equal."""
    if drift is None:
        return UNKNOWN, NEVER_READ
    if drift.state != Drift.State.IN_SYNC:
        return (DIFFERS if drift.state == Drift.State.DRIFTED else CONFLICT), ""
    if drift.run_id is None or account.worked_since:
        return UNKNOWN, WORKED_SINCE
    if drift.converged_at is None or min(drift.checked_at, drift.converged_at) < moment - LONGEST:
        return UNKNOWN, LONG_AGO
    is_older = master.changed_at is not None and drift.converged_at < master.changed_at
    in_pipelines = not group.sync_pipelines or drift.base_pipelines_id in master.pipelines
    in_fields = not group.sync_custom_fields or drift.base_fields_id in master.fields
    return (UNKNOWN, MASTER_MOVED) if is_older or not (in_pipelines and in_fields) else (EQUAL, "")


def report_of(group: SyncGroup, due: datetime) -> dict[str, Any]:
    """Returns the conformity report of a group as JSON, for the week whose report is `due`."""
    rows = conformity_of(group)
    equal = sum(row.state == EQUAL for row in rows)
    master = Account.objects.filter(group=group, role=Account.Role.MASTER).values_list("subdomain", flat=True).first()
    facts = {"due": due.isoformat(), "at": clock.now().isoformat(), "master": master or ""}
    return {**facts, "equal": equal, "total": len(rows), "slaves": [row.document for row in rows]}
