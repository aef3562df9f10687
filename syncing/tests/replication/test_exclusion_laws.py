"""Laws of exclusions and accepted differences (`accounts.tests.laws`)."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from accounts.simulator.account import SimAccount
from accounts.simulator.model import ENTITIES
from accounts.simulator.server import RunningServer
from accounts.tests import laws
from accounts.tests.laws import seeds
from syncing.engine.exclusions import excluded_names, excluded_refs
from syncing.engine.match import match
from syncing.engine.refs import Kind, Ref, field_key, group_key, pipeline_key, stage_key
from syncing.engine.rules import ExclusionRule, Rules
from syncing.tests.branches import read
from syncing.tests.replication.policy_stories import ALL, OURS, Key, Story, existing, names_of

pytestmark = pytest.mark.law
law = laws.law(daily=3)


@law
@given(seed=seeds)
def test_what_is_excluded_is_not_touched_and_the_rest_comes_to_rest(anywhere: RunningServer, seed: int) -> None:
    story = Story(anywhere, seed)
    if seed % 2:
        story.sync(OURS)
        story.live()
    rules = replace(ALL, exclusions=frozenset(_some_exclusions(story)))
    out = _left_out(story, rules)
    before = _portraits(story.south.account, out)

    result = story.sync(rules)

    assert _portraits(story.south.account, out) == before, rules.exclusions
    story.settled(rules, result)


def _some_exclusions(story: Story) -> Iterator[ExclusionRule]:
    rng, accounts = story.rng, (story.scene.master, story.south.account)
    for account in rng.sample(accounts, rng.randint(1, 2)):
        pipeline = rng.choice(account.ordered_pipelines)
        groups = [group.name for entity in ENTITIES for group in account.groups[entity].values()]
        fields = [item.name for entity in ENTITIES for item in account.fields[entity].values()]
        choices = [ExclusionRule(Kind.PIPELINE, pipeline.name), ExclusionRule(Kind.FIELD_GROUP, rng.choice(groups))]
        choices += [ExclusionRule(Kind.CUSTOM_FIELD, rng.choice(fields)), ExclusionRule(rng.choice(NAMED_KINDS))]
        choices += [ExclusionRule(Kind.STAGE, stage.name) for stage in pipeline.ordinary[:2]]
        yield from rng.sample(choices, 2)


NAMED_KINDS = (Kind.PIPELINE, Kind.STAGE, Kind.FIELD_GROUP, Kind.CUSTOM_FIELD)


def _left_out(story: Story, rules: Rules) -> set[Key]:
    """The slave's items that are excluded: by the master's names, or its own; with what is inside of them."""
    account, known = story.south.account, story.south.known
    found = match(story.desired(), read(story.scene.server, account), known)
    names = {key: name for key, name in names_of(account).items() if key in existing(account)}
    out = {(ref.kind, found.keys[ref]) for ref in excluded_refs(story.desired(), rules) if ref in found.keys}
    out |= {
        key
        for key, name in names.items()
        if key not in found.names and excluded_names(rules.exclusions, key[0], {name})
    }
    for key in names:
        if key not in found.names and _home(key, account) in out:
            out.add(key)
    return out


def _home(key: Key, account: SimAccount) -> Key | None:
    """The pipeline of a stage, the group of a field."""
    parent, _, number = key[1].partition("/")
    if key[0] is Kind.STAGE:
        return Kind.PIPELINE, parent
    if key[0] is Kind.CUSTOM_FIELD:
        return Kind.FIELD_GROUP, group_key(parent, account.fields[parent][int(number)].group_id)
    return None


def _portraits(account: SimAccount, out: set[Key]) -> dict[Key, Any]:
    """As they are stored, but for what Kommo itself changes meanwhile: the main flag, numbers of stages, and a stage
    that goes takes itself out of the fields that require it."""
    found: dict[Key, Any] = {}
    for pipeline in account.pipelines.values():
        stages = [(each.id, each.name, each.color, each.sort, each.descriptions) for each in pipeline.stages]
        found[Kind.PIPELINE, pipeline_key(pipeline.id)] = pipeline.name, pipeline.is_unsorted_on, stages
        for stage in pipeline.stages:
            key = stage_key(pipeline.id, stage.id)
            found[Kind.STAGE, key] = stage.name, stage.color, stage.descriptions
    for entity in ENTITIES:
        found |= {(Kind.FIELD_GROUP, group_key(entity, group.id)): group for group in account.groups[entity].values()}
        for item in account.fields[entity].values():
            found[Kind.CUSTOM_FIELD, field_key(entity, item.id)] = replace(
                item, required_statuses=[], hidden_statuses=[]
            )
    return deepcopy({key: found.get(key) for key in out})


@law
@given(seed=seeds)
def test_accepted_differences_stay_and_the_rest_comes_to_rest(anywhere: RunningServer, seed: int) -> None:
    story = Story(anywhere, seed)
    if seed % 2:
        story.sync(OURS)
        story.live()
    planned = story.south.sync(story.desired(), rules=ALL, writes=False)
    assert planned.differences is not None
    chosen = [row for row in planned.differences if story.rng.random() < 0.3]
    pairs = frozenset((Ref(Kind(row["kind"]), row["key"]), row["attribute"]) for row in chosen)
    rules = replace(ALL, accepted=pairs)

    result = story.sync(rules)
    story.settled(rules, result)

    again = story.south.sync(story.desired(), rules=ALL, writes=False)
    left = {(row["kind"], row["slave_key"] or row["key"], row["attribute"]) for row in again.differences or ()}
    for row in chosen:
        if row["attribute"] not in ("position", "required_statuses", "hidden_statuses"):  # others may have settled it
            assert (row["kind"], row["slave_key"] or row["key"], row["attribute"]) in left, row
