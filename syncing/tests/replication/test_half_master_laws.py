"""The law of half a master (`accounts.tests.laws`)."""

from dataclasses import replace

import pytest
from hypothesis import given

from accounts.simulator.model import ENTITIES
from accounts.simulator.server import RunningServer
from accounts.tests import laws
from accounts.tests.laws import seeds
from syncing.engine.safety import inconsistency
from syncing.engine.snapshot import Snapshot
from syncing.tests.replication.law_scenes import scene_of

pytestmark = pytest.mark.law
law = laws.law(daily=3)


@law
@given(seed=seeds)
def test_half_a_master_is_doubted_wherever_the_rest_names_what_is_missing(anywhere: RunningServer, seed: int) -> None:
    """Otherwise it is the guard against a shrunken master, and asking again, that find out."""
    whole = scene_of(anywhere, seed, duplicates=seed % 2 == 0).desired()
    assert inconsistency(whole) is None
    groups, fields = whole.groups or (), whole.fields or ()
    halves = [replace(whole, pipelines=whole.pipelines[: len(whole.pipelines) // 2])]
    for entity in ENTITIES:
        theirs = [group for group in groups if group.entity == entity]
        gone = theirs[len(theirs) // 2 :]
        halves.append(replace(whole, groups=tuple(group for group in groups if group not in gone)))
        some = [item for item in fields if item.entity == entity]
        lost = some[len(some) // 2 :]
        halves.append(replace(whole, fields=tuple(item for item in fields if item not in lost)))
    for half in halves:
        assert (inconsistency(half) is not None) == _names_what_is_missing(half), half


def _names_what_is_missing(master: Snapshot) -> bool:
    fields = {(item.entity, item.id) for item in master.fields or ()}
    groups = {(group.entity, group.id) for group in master.groups or ()} | {(entity, None) for entity in ENTITIES}
    groups |= {(entity, name) for entity in ENTITIES for name in ("default", "statistic")}
    pipelines = {pipeline.id for pipeline in master.pipelines}
    named = {(group.entity, number) for group in master.groups or () for number in group.fields}
    homes = {(item.entity, item.group_id) for item in master.fields or ()}
    statuses = [(*item.required_statuses, *(item.hidden_statuses or ())) for item in master.fields or ()]
    required = {pipeline for each in statuses for pipeline, _ in each}
    has_main = any(pipeline.is_main for pipeline in master.pipelines)
    return not (has_main and named <= fields and homes <= groups and required <= pipelines)
