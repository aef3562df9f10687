"""Watching a master: which of its collections comes next and when, what has moved, and when a change is to be acted on.

A collection is what one list of Kommo shows: the pipelines with their stages, the groups or the fields of one entity,
or the descriptions of one pipeline's stages, which no other list shows.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any

from syncing.engine.refs import Kind, Scope
from syncing.engine.resources.custom_fields import ENTITIES, CustomField
from syncing.engine.resources.field_groups import DEFAULT_GROUP
from syncing.engine.resources.pipelines import Pipeline
from syncing.engine.resources.stages import Description
from syncing.engine.snapshot import Snapshot

PIPELINES, GROUPS, FIELDS, DESCRIPTIONS = "pipelines", "field_groups", "custom_fields", "descriptions"
JITTER = 0.2  # of the time between two looks, to either side
LEAST_WITH_JITTER = 10  # seconds
LONGEST_BACKOFF = 60 * 60  # seconds
IN_PIPELINES = ((Kind.PIPELINE, None), (Kind.STAGE, None))
DIGEST_LENGTH = 32  # hex characters
PATIENCE = 6  # quiet periods after which a master that never rests is taken as it is

Digests = Mapping[str, str]  # by collection


# -- collections --


def collections_of(snapshot: Snapshot, scope: Scope) -> dict[str, str]:
    """Returns the digest of each collection that `scope` covers; each is the same when its list alone was read."""
    digests = {}
    if scope.writes_pipelines:
        digests[PIPELINES] = _digest(
            [_without_descriptions(each) for each in snapshot.pipelines], snapshot, *IN_PIPELINES
        )
        for pipeline in snapshot.pipelines:
            if not pipeline.is_archive:
                texts = {stage.id: stage.descriptions or () for stage in pipeline.stages}
                digests[f"{DESCRIPTIONS}/{pipeline.id}"] = digest_of_descriptions(texts)
    for entity in ENTITIES if scope.writes_fields else ():
        groups = [group for group in snapshot.groups or () if group.entity == entity]
        digests[f"{GROUPS}/{entity}"] = _digest(groups, snapshot, (Kind.FIELD_GROUP, entity))
        fields = [_with_group(field) for field in snapshot.fields or () if field.entity == entity]
        digests[f"{FIELDS}/{entity}"] = _digest(fields, snapshot, (Kind.CUSTOM_FIELD, entity))
    return digests


def digest_of_descriptions(texts: Mapping[int, Sequence[Description]]) -> str:
    """Returns the digest of the descriptions by stage; a stage without any is as one that is not there."""
    return _hash({str(stage): [asdict(text) for text in found] for stage, found in texts.items() if found})


def moved_between(before: Digests, now: Digests) -> list[str]:
    """Returns the collections that differ, also those that only one of the two has."""
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


def _without_descriptions(pipeline: Pipeline) -> Pipeline:
    return replace(pipeline, stages=tuple(replace(stage, descriptions=None) for stage in pipeline.stages))


def _with_group(field: CustomField) -> CustomField:
    """Names the main group also where Kommo names none (docs/kommo.md 5.2): a whole reading adds it from the groups."""
    return replace(field, group_id=field.group_id or DEFAULT_GROUP)


def _digest(items: Iterable[Any], snapshot: Snapshot, *lists: tuple[Kind, str | None]) -> str:
    """Returns the digest of items with what is held back of the same lists: (kind, entity, or None for all)."""
    held = [item for item in snapshot.held if (item.kind, None) in lists or (item.kind, item.within) in lists]
    return _hash([[asdict(item) for item in items], [asdict(item) for item in held]])


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:DIGEST_LENGTH]


# -- times --


def collection_at(look: int, scope: Scope, known: Iterable[str]) -> str:
    """Returns the collection of this look: the pipelines at every second one, the others in turn in between.

    `known` are the collections of the last whole reading. The last of each round of the others are the descriptions of
    one pipeline, another one each round.
    """
    described = sorted(
        (name for name in known if name.startswith(f"{DESCRIPTIONS}/")), key=lambda name: (len(name), name)
    )
    others = [f"{kind}/{entity}" for entity in ENTITIES for kind in (GROUPS, FIELDS)] if scope.writes_fields else []
    turn = look
    if scope.writes_pipelines:
        if look % 2 == 0 or not (others or described):
            return PIPELINES
        turn = look // 2
    places = len(others) + (1 if described else 0)
    rounds, place = divmod(turn, places)
    return others[place] if place < len(others) else described[rounds % len(described)]


def until_next_look(look_seconds: int, group: int, look: int) -> timedelta:
    """Returns the time between a look and the next: of several groups another one each, the same whoever asks."""
    if look_seconds < LEAST_WITH_JITTER:
        return timedelta(seconds=look_seconds)
    drawn = int.from_bytes(hashlib.sha256(f"{group}:{look}".encode()).digest()[:4], "big") / 2**32
    return timedelta(seconds=look_seconds * (1 - JITTER + 2 * JITTER * drawn))


def after_failures(look_seconds: int, failures: int) -> timedelta:
    """Returns the time until a master that could not be read is asked again."""
    longest = max(look_seconds, LONGEST_BACKOFF)
    return timedelta(seconds=min(look_seconds * 2.0 ** min(failures, 32), longest))


def longest_wait(look_seconds: int, quiet_seconds: int) -> timedelta:
    """Returns the longest time that a next look is ever put off."""
    return timedelta(seconds=max(look_seconds * (1 + JITTER), LONGEST_BACKOFF, quiet_seconds))


def grace(look_seconds: int) -> timedelta:
    """Returns how late a look may be before the watcher is overdue."""
    return timedelta(seconds=max(2 * look_seconds, 60))


# -- what follows from a whole reading --


@dataclass(frozen=True)
class PendingChange:
    """A change that waits: the master as last read, since when it differs, and when this very master was first read."""

    fingerprint: str
    since: datetime
    read_at: datetime

    def ripe_at(self, quiet: timedelta) -> datetime:
        """Returns when the master is to be read again."""
        return min(self.read_at + quiet, self.since + PATIENCE * quiet)


class NextStep(Enum):
    """Follows from a whole reading: there is nothing to do, a change waits, or it is to be acted on."""

    NOTHING = auto()
    WAIT = auto()
    ACT = auto()


def judge(
    fingerprint: str, handled: str, pending: PendingChange | None, moment: datetime, quiet: timedelta
) -> tuple[NextStep, PendingChange | None]:
    """Judges the master as read at `moment`; `handled` is the one that nothing is left to do for.

    To be acted on: equal to what was read `quiet` before, or whatever it is when it has not rested for six times that.
    """
    if fingerprint == handled:
        return NextStep.NOTHING, None
    if pending is None:
        return NextStep.WAIT, PendingChange(fingerprint, moment, moment)
    if fingerprint == pending.fingerprint:
        return (NextStep.ACT if moment - pending.read_at >= quiet else NextStep.WAIT), pending
    restless = moment - pending.since >= PATIENCE * quiet
    return (NextStep.ACT if restless else NextStep.WAIT), replace(pending, fingerprint=fingerprint, read_at=moment)
