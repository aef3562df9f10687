"""Drift: how far a slave is from its master, as runs saw it; stored with the end of the account run."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

from django.db.models import Q, QuerySet

from accounts import clock
from syncing.engine.delta import ListName, list_of
from syncing.engine.refs import Kind, Ref, Scope
from syncing.engine.rules import WHOLE, WHOLE_ITEM
from syncing.leases.claims import Claim
from syncing.models import AcceptedDifference, Drift, DriftChange, MasterSnapshot, SyncRun
from syncing.policy import Picks, local_items, picks_by_account
from syncing.purposes import purpose_of
from syncing.records.text import clean
from syncing.replication.contract import Result

DriftRow = dict[str, Any]  # a difference: as in contract.Result, and `first_seen` (ISO 8601)
EXTRA = "extra"
PIPELINE_KINDS = frozenset({Kind.PIPELINE.value, Kind.STAGE.value})
FIELD_KINDS = frozenset({Kind.FIELD_GROUP.value, Kind.CUSTOM_FIELD.value, Kind.ENUM.value})
# The columns of a difference that a change of drift stores.
HISTORY = ("action", "kind", "name", "parent", "attribute", "ours", "theirs", "cause")
HISTORY_LENGTH = 100  # of the differences that appear or go at once; of the others the number
# What makes a difference the same one in two runs, whatever its values.
identity = itemgetter("kind", "key", "attribute", "action")


@dataclass(frozen=True)
class Observation:
    """The differences that a run saw in a slave, ready to be stored."""

    rows: list[DriftRow]
    converged: bool
    lists: frozenset[ListName] | None = None  # what was read of the slave; None: all that the run covers
    rules_digest: str = ""


def observation_in(result: Result) -> Observation | None:
    """Returns what `result` tells of drift; None: nothing. Asks no database: the account's own thread does it."""
    if result.differences is None:
        return None
    text = json.dumps(result.differences, ensure_ascii=False)
    try:  # once for all: looking at each string takes ten times as long
        text.encode()
        is_clean = "\\u0000" not in text
    except UnicodeEncodeError:
        is_clean = False
    rows = json.loads(text) if is_clean else clean(result.differences)
    return Observation(rows, result.converged, result.part.lists if result.part else None, result.rules_digest)


@dataclass(frozen=True)
class Frame:
    """The run that looked: what it covers, and what the group's policy covers.

    `picks`: by account, if it is about some items alone; None: it looked at all that it covers.
    """

    group_id: int
    snapshot_id: int
    covered: frozenset[str]
    in_policy: frozenset[str]
    picks: Mapping[int, Picks] | None = None

    @property
    def bases(self) -> dict[str, Any]:
        """Returns the columns that name the master which the slave was just found equal to."""
        columns = {}
        if self.covered >= PIPELINE_KINDS:
            columns["base_pipelines_id"] = self.snapshot_id
        if self.covered >= FIELD_KINDS:
            columns["base_fields_id"] = self.snapshot_id
        return columns

    def is_about(self, account_id: int, row: Mapping[str, Any]) -> bool:
        """Tells whether the difference is about something that the run is about."""
        if self.picks is None:
            return True
        attributes = self.picks.get(account_id, {}).get(Ref(Kind(row["kind"]), row["key"]))
        return attributes is not None and (attributes == WHOLE_ITEM or row["attribute"] in attributes)


def frame_of(claim: Claim) -> Frame | None:
    """Returns the same for all accounts of a run; None: it does not compare slaves with their master."""
    policy = ("group__sync_pipelines", "group__sync_custom_fields")
    columns = ("purpose", "group", "snapshot", "snapshot__type", "picked", *policy)
    purpose, group, snapshot, scope, picked, pipelines, fields = SyncRun.objects.values_list(*columns).get(
        pk=claim.run_id
    )
    if not purpose_of(purpose).compares_with_master or snapshot is None:
        return None
    covered = Scope(scope)
    return Frame(
        group_id=group,
        snapshot_id=snapshot,
        covered=_kinds(covered.writes_pipelines, covered.writes_fields),
        in_policy=_kinds(pipelines, fields),
        picks=picks_by_account(picked) if picked else None,
    )


def _kinds(pipelines: bool, fields: bool) -> frozenset[str]:
    return (PIPELINE_KINDS if pipelines else frozenset()) | (FIELD_KINDS if fields else frozenset())


def store_drift(claim: Claim, frame: Frame, seen: Observation) -> None:
    """Stores what was seen of the account. Must run in a transaction."""
    before, now = Drift.objects.select_for_update().filter(pk=claim.account_id).first(), clock.now()
    old: list[DriftRow] = before.differences if before else []
    first_seen = {identity(row): row["first_seen"] for row in old}
    rows = [
        {**row, "first_seen": first_seen.get(identity(row), now.isoformat())}
        for row in _without_accepted(claim.account_id, frame.group_id, seen.rows)
        if frame.is_about(claim.account_id, row)
    ]
    rows += [row for row in old if not _was_looked_at(claim.account_id, row, frame, seen)]
    columns = {**columns_of(rows), "run_id": claim.run_id}
    if before is None or (seen.lists is None and frame.picks is None):  # what looks at a part is no check of the slave
        columns["checked_at"] = now
    looked_at_all = frame.in_policy <= frame.covered and frame.picks is None
    stays_in_conflict = before is not None and before.state == Drift.State.CONFLICT and not looked_at_all
    if not columns["count"] and (stays_in_conflict or not seen.converged):
        columns["state"] = Drift.State.CONFLICT
    if seen.converged and frame.picks is None:
        columns |= frame.bases
    if looked_at_all or before is None or not seen.converged or before.rules_digest != seen.rules_digest:
        columns["rules_digest"] = seen.rules_digest if seen.converged and looked_at_all else ""
    if columns["state"] == Drift.State.IN_SYNC and (seen.lists is None or seen.lists):
        columns["converged_at"] = now
    if before is None:
        Drift.objects.create(account_id=claim.account_id, **columns)
    else:
        if columns["differences"] == old:
            del columns["differences"]  # the one column that may be large
        Drift.objects.filter(pk=claim.account_id).update(**columns)
    _note_change(claim, old, rows, now)


def _was_looked_at(account_id: int, row: DriftRow, frame: Frame, seen: Observation) -> bool:
    """Tells if the run would have seen this difference again; what the policy no longer covers is forgotten."""
    if row["kind"] not in frame.covered:
        return row["kind"] not in frame.in_policy
    in_lists = seen.lists is None or list_of(Ref(Kind(row["kind"]), row["key"])) in seen.lists
    return in_lists and frame.is_about(account_id, row)


def _without_accepted(account_id: int, group_id: int, rows: Sequence[DriftRow]) -> list[DriftRow]:
    """Leaves out what was accepted while the run was under way: it does not come back with its end."""
    if not rows:
        return []
    accepted = AcceptedDifference.objects.filter(account=account_id, withdrawn_at=None)
    exceptions = list(accepted.values_list("kind", "key", "attribute"))
    exceptions += [(ref.kind, ref.key, WHOLE) for ref in local_items([account_id], group_id).get(account_id, ())]
    return [row for row in rows if not any(is_covered(row, *what) for what in exceptions)]


def is_covered(row: Mapping[str, Any], kind: str, key: str, attribute: str) -> bool:
    """Tells if an exception for this item, or for one attribute of it, covers the difference.

    A whole pipeline goes with its stages, as in the plans.
    """
    if row["kind"] == kind and row["key"] == key:
        return attribute in (WHOLE, row["attribute"])
    whole_pipeline = kind == Kind.PIPELINE and attribute == WHOLE
    return bool(whole_pipeline and row["kind"] == Kind.STAGE and row["key"].startswith(f"{key}/"))


def columns_of(rows: Sequence[DriftRow]) -> dict[str, Any]:
    """Returns the columns of Drift that follow from its differences."""
    real = [row for row in rows if row["action"] != EXTRA]
    causes = Counter(row["cause"] for row in real)
    since = min((row["first_seen"] for row in real), default=None)
    return {
        "state": Drift.State.DRIFTED if real else Drift.State.IN_SYNC,
        "differences": list(rows),
        "count": len(real),
        "by_master": causes["master"],
        "by_slave": causes["slave"],
        "by_both": causes["both"],
        "by_unknown": len(real) - causes["master"] - causes["slave"] - causes["both"],
        "extras": len(rows) - len(real),
        "since": since and datetime.fromisoformat(since),
    }


def _note_change(claim: Claim, old: Sequence[DriftRow], new: Sequence[DriftRow], now: datetime) -> None:
    """Adds what appeared in the drift of an account, and what went, to its history."""
    was, is_now = _values(old), _values(new)
    if was == is_now:
        return
    DriftChange.objects.create(
        account_id=claim.account_id,
        run_id=claim.run_id,
        at=now,
        appeared=history_rows([row for row in new if was.get(identity(row)) != is_now[identity(row)]]),
        gone=history_rows([row for row in old if is_now.get(identity(row)) != was[identity(row)]]),
    )


def take_out(account_id: int, rows: Sequence[DriftRow], gone: Sequence[DriftRow]) -> None:
    """Takes differences out of an account's drift, of which `rows` are all; its history says when.

    Must run in the transaction in which the row of the drift was locked.
    """
    Drift.objects.filter(pk=account_id).update(**columns_of([row for row in rows if row not in gone]))
    DriftChange.objects.create(account_id=account_id, at=clock.now(), appeared=[], gone=history_rows(gone))


def _values(rows: Iterable[DriftRow]) -> dict[tuple[str, str, str, str], tuple[Any, Any]]:
    return {identity(row): (row["ours"], row["theirs"]) for row in rows}


def history_rows(rows: Sequence[DriftRow]) -> list[DriftRow]:
    """Returns differences as a change of drift stores them; a last row says how many `more` than those there were."""
    stored = [{name: row[name] for name in HISTORY} for row in rows[:HISTORY_LENGTH]]
    return [*stored, {"more": len(rows) - HISTORY_LENGTH}] if len(rows) > HISTORY_LENGTH else stored


# -- what they were last equal to --


def bases_of(account_ids: Collection[int], group_id: int) -> dict[int, tuple[int | None, int | None]]:
    """Returns by account the master snapshots of its pipelines and its fields; None where this group has none."""
    columns = ("account", "base_pipelines", "base_pipelines__group", "base_fields", "base_fields__group")
    rows = Drift.objects.filter(account__in=account_ids).order_by().values_list(*columns)
    return {
        account: (pipelines if of_pipelines == group_id else None, fields if of_fields == group_id else None)
        for account, pipelines, of_pipelines, fields, of_fields in rows
    }


# -- what is old --


def bases() -> QuerySet[MasterSnapshot]:
    """Returns the masters that slaves were last equal to: without them nobody can tell whose doing a difference is."""
    return MasterSnapshot.objects.filter(Q(bases_of_pipelines__isnull=False) | Q(bases_of_fields__isnull=False))
