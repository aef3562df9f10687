"""Pictures: an account's funnels and fields beside the master's, as the last reading found them.

No reading of a slave is kept for this: it is the master's snapshot with the account's differences put in.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from accounts.models import Account, SyncGroup
from syncing.engine.exclusions import excluded_refs
from syncing.engine.refs import Kind, field_key, group_key, pipeline_key, stage_key
from syncing.engine.rules import ExclusionRule, Rules
from syncing.engine.snapshot import Snapshot, from_document, unpacked
from syncing.models import AcceptedDifference, Drift, Exclusion, IdMapping, MasterSnapshot, RunType, SlaveSnapshot
from syncing.presentation.drawing import DrawnEdit, DrawnGroup, DrawnPipeline, ItemName, Mark, Side
from syncing.presentation.painting import draw
from syncing.selectors.drift import ListedDifference
from syncing.selectors.todo import Task


@dataclass(frozen=True)
class _Paired:
    """A part of the account's drawing, beside which the master's stands."""

    theirs: DrawnPipeline | DrawnGroup

    @property
    def rows(self) -> list[ListedDifference]:
        return [edit.row for edit in self.theirs.edits]

    @property
    def causes(self) -> list[tuple[str, int]]:
        """Returns how many of the differences have which cause; what only the account has, and keeps, has none."""
        return Counter(row.cause for row in self.rows if not row.is_extra).most_common()


@dataclass(frozen=True)
class PairedFunnel(_Paired):
    """A funnel of the account, and the master's (None: only the account has it); `slave_key`: "" if not known.

    `read_at`: when the stages of a funnel that only the account has were read; None: never.
    """

    theirs: DrawnPipeline
    ours: DrawnPipeline | None
    slave_key: str
    read_at: datetime | None = None


@dataclass(frozen=True)
class PairedGroup(_Paired):
    """A group of fields of the account, and the master's (None: only the account has it)."""

    theirs: DrawnGroup
    ours: DrawnGroup | None


@dataclass(frozen=True)
class Picture:
    """`taken_at`: when the master was read so; `undrawn`: differences of what has no place in it."""

    funnels: Sequence[PairedFunnel]
    groups: Sequence[PairedGroup]
    taken_at: datetime
    undrawn: Sequence[ListedDifference] = ()


def master_snapshot(group: SyncGroup, drift: Drift | None = None) -> tuple[Snapshot, datetime] | None:
    """Returns the master as it was read last (for a drift: as its run read it), and when; None: never."""
    wanted = MasterSnapshot.objects.filter(group=group).order_by("-pk")
    known = wanted.filter(pk=drift.run.snapshot_id).first() if drift and drift.run and drift.run.snapshot_id else None
    newest = known or wanted.first()
    if newest is None:
        return None
    snapshot = from_document(newest.document)
    if newest.type == RunType.FULL:
        return snapshot, newest.taken_at
    other = RunType.CUSTOM_FIELDS if newest.type == RunType.PIPELINES else RunType.PIPELINES
    rest = wanted.filter(type__in=(RunType.FULL, other)).first()
    if rest is None:
        return snapshot, newest.taken_at
    second = from_document(rest.document)
    fields, pipelines = (second, snapshot) if newest.type == RunType.PIPELINES else (snapshot, second)
    return Snapshot(pipelines.pipelines, fields.groups, fields.fields), newest.taken_at


def picture_of(
    account: Account, drift: Drift | None, rows: Sequence[ListedDifference], by_hand: Iterable[Task] = ()
) -> Picture | None:
    """Returns the account beside its master; None while nobody has read the master.

    `rows`: its differences; `by_hand`: what is to be done in it, of which nobody knows how it is there.
    """
    last_reading = master_snapshot(account.group, drift)
    if last_reading is None:
        return None
    snapshot, taken_at = last_reading
    edits = [DrawnEdit.of_difference(row) for row in rows]
    aside = _left_aside(account, snapshot)
    ours = draw(snapshot, edits, Side.MASTER, aside)
    theirs = draw(snapshot, edits, Side.ACCOUNT, _by_hand(snapshot, by_hand) | aside)
    keys = dict(IdMapping.objects.filter(account=account, kind=Kind.PIPELINE).values_list("master_key", "slave_key"))
    funnels = {each.title.key: each for each in ours.pipelines}
    groups = {each.title.key: each for each in ours.groups}
    paired_funnels = []
    for each in theirs.pipelines:
        own_key = next((edit.row.slave_key for edit in each.title.edits if edit.row.slave_key), "")
        paired_funnels.append(PairedFunnel(each, funnels.get(each.title.key), keys.get(each.title.key) or own_key))
    paired_funnels = _with_own_stages(account, paired_funnels)
    paired_groups = [PairedGroup(each, groups.get(each.title.key)) for each in theirs.groups]
    drawn = {id(row) for funnel in paired_funnels for row in funnel.rows}
    drawn |= {id(row) for group in paired_groups for row in group.rows}
    return Picture(paired_funnels, paired_groups, taken_at, [row for row in rows if id(row) not in drawn])


def _with_own_stages(account: Account, funnels: list[PairedFunnel]) -> list[PairedFunnel]:
    """Draws the stages of the funnels that only the account has, as they were before the last run that wrote there."""
    if all(each.ours for each in funnels):
        return funnels
    before = SlaveSnapshot.objects.filter(account=account, part__isnull=True).order_by("-taken_at").first()
    if before is None:
        return funnels
    read = Snapshot(unpacked(bytes(before.document)).pipelines, None, None)
    own = {each.title.key: each.stages for each in draw(read, (), Side.ACCOUNT).pipelines}
    return [
        replace(each, theirs=replace(each.theirs, stages=own[each.slave_key]), read_at=before.taken_at)
        if each.ours is None and each.slave_key in own
        else each
        for each in funnels
    ]


def _left_aside(account: Account, snapshot: Snapshot) -> dict[ItemName, Mark]:
    """Returns the marks of what the account is not given, and of what differs with permission."""
    accepted = AcceptedDifference.objects.filter(account=account, withdrawn_at=None).values_list("kind", "key")
    marks: dict[ItemName, Mark] = dict.fromkeys(accepted, Mark.ACCEPTED)
    stored = Exclusion.objects.filter(account=account).values_list("kind", "name")
    rules = Rules(exclusions=frozenset(ExclusionRule(Kind(kind), name) for kind, name in stored))
    marks |= {(str(ref.kind), ref.key): Mark.EXCLUDED for ref in excluded_refs(snapshot, rules)}
    return marks


def _by_hand(snapshot: Snapshot, tasks: Iterable[Task]) -> dict[ItemName, Mark]:
    """Returns the marks of what a person has to do; tasks name their items, as no document has the key."""
    keys: dict[tuple[str, str, str], str] = {}
    for pipeline, stage in snapshot.stages():
        keys[Kind.STAGE, stage.name, pipeline.name] = stage_key(pipeline.id, stage.id)
        keys[Kind.PIPELINE, pipeline.name, ""] = pipeline_key(pipeline.id)
    for item in snapshot.fields or ():
        keys[Kind.CUSTOM_FIELD, item.name, item.entity] = field_key(item.entity, item.id)
    names = (
        (task.kind, task.name, task.parent.partition("/")[0] if not task.funnel else task.parent) for task in tasks
    )
    return {(name[0], keys[name]): Mark.MANUAL for name in names if name in keys}


def items_of(snapshot: Snapshot) -> Iterable[tuple[str, str, str]]:
    """Yields (kind, key, name) of everything that can be excluded."""
    for pipeline in snapshot.pipelines:
        yield Kind.PIPELINE.value, pipeline_key(pipeline.id), pipeline.name
        for stage in pipeline.stages:
            if not stage.is_system:
                yield Kind.STAGE.value, stage_key(pipeline.id, stage.id), stage.name
    for group in snapshot.groups or ():
        yield Kind.FIELD_GROUP.value, group_key(group.entity, group.id), group.name
    for item in snapshot.fields or ():
        yield Kind.CUSTOM_FIELD.value, field_key(item.entity, item.id), item.name
