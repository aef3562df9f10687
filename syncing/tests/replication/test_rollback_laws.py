"""Laws of rollbacks: an account is as it was, or the result says what stays (`accounts.tests.laws`)."""

from typing import Any

import pytest
from hypothesis import given

from accounts.simulator.server import RunningServer
from accounts.tests import laws
from accounts.tests.laws import seeds
from syncing.engine.changes import Action
from syncing.engine.refs import Kind
from syncing.engine.resources.custom_fields import CustomField
from syncing.engine.resources.pipelines import display_order
from syncing.engine.resources.stages import palette_color
from syncing.engine.rollback import LoggedChange, rollback_input
from syncing.engine.rules import NO_RULES
from syncing.engine.snapshot import Snapshot
from syncing.tests.branches import Branch, read
from syncing.tests.replication.policy_stories import ALL, OURS, Story, held, populate

pytestmark = pytest.mark.law
law = laws.law(daily=3)


@law
@given(seed=seeds)
def test_a_run_that_is_rolled_back_leaves_the_account_as_it_was_or_says_what_stays(
    anywhere: RunningServer, seed: int
) -> None:
    story = Story(anywhere, seed)
    south = story.south
    if seed % 3:
        story.sync(OURS)
        story.live()
    before, outcomes, mapped = read(anywhere, south.account), len(south.outcomes), len(south.mapped)
    story.sync(story.rng.choice((NO_RULES, OURS, ALL)))
    if story.rng.random() < 0.3:
        populate(south.account, story.rng, share=0.1)
    way = rollback_input(before, *_done(south, outcomes, mapped))
    back = Branch(anywhere, south.account, known=dict(way.known))
    values, wounds = held(south.account), south.wounds

    result = back.sync(before, rules=way.rules)

    assert (held(south.account), south.wounds) == (values, wounds)
    assert result.state in ("changed", "in_sync"), result.document
    rows = [*result.document["extras"], *result.document["manual"]]
    named = {(row["kind"], row["name"]) for row in rows if row.get("message")}
    assert portrait(read(anywhere, south.account), named) == portrait(before, named)
    assert back.sync(before, rules=way.rules).document["changes"] == []


def _done(branch: Branch, outcomes: int, mapped: int) -> tuple[list[LoggedChange], list[str]]:
    """What the log tells of a run: the things touched, and the options that were made."""
    rows = [each for each in branch.outcomes[outcomes:] if each.state == "done" and each.action != "adopt"]
    touches = [LoggedChange(Action(each.action), Kind(each.kind), each.key, frozenset(each.fields)) for each in rows]
    made = [each for each in branch.mapped[mapped:] if each.created_by_us and each.ref.kind is Kind.ENUM]
    return touches, [each.slave_key for each in made]


def portrait(snapshot: Snapshot, but: set[tuple[str, str]]) -> dict[Any, Any]:
    """An account without ids and numbers, without the items `but`; colours as they can be written.

    Not in it, as no API can put them back: names of system stages, and descriptions, which can only be added.
    """
    rows: dict[Any, Any] = {}
    called: dict[tuple[int, int], str] = {}
    pipelines = [each for each in sorted(snapshot.pipelines, key=display_order) if ("pipeline", each.name) not in but]
    rows["pipelines"] = [(each.name, each.is_main, each.is_unsorted_on) for each in pipelines]
    for pipeline in pipelines:
        ordered = sorted(pipeline.stages, key=lambda stage: (stage.sort, stage.id))
        stages = [stage for stage in ordered if stage.is_system or ("stage", stage.name) not in but]
        called |= {(pipeline.id, s.id): f"{pipeline.name} / {s.natural_id or s.name}" for s in stages}
        rows["stages", pipeline.name] = [(s.name, palette_color(s.color)) for s in stages if not s.is_system]
    groups = sorted(snapshot.groups or (), key=lambda group: (group.sort, group.id))
    shown = [group for group in groups if ("field_group", group.name) not in but]
    for group in shown:
        rows.setdefault(("groups", group.entity), []).append(group.name)
    for item in sorted(snapshot.fields or (), key=lambda item: (item.sort, item.id)):
        if ("custom_field", item.name) not in but:
            group = next(g.name for g in groups if (g.entity, g.id) == (item.entity, item.group_id or "default"))
            rows.setdefault((item.entity, group), []).append(_drawn(item, called, but))
    return rows


def _drawn(item: CustomField, called: dict[tuple[int, int], str], but: set[tuple[str, str]]) -> Any:
    options = [(enum.value, enum.code) for enum in sorted(item.enums, key=lambda enum: enum.sort)]
    statuses = [
        sorted(called[each] for each in kept or () if each in called)
        for kept in (item.required_statuses, item.hidden_statuses)
    ]
    rest = (item.type, item.code, item.is_api_only, item.remind or "never", item.currency, item.tracking_callback)
    return item.name, rest, [each for each in options if ("enum", each[0]) not in but], statuses
