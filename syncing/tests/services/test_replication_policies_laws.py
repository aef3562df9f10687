"""Laws of the policies, for any master, any slave and any edits (`syncing.tests.laws`)."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given

from accounts.simulator.account import SimAccount
from accounts.simulator.model import ENTITIES, ENUM_TYPES
from accounts.simulator.server import RunningServer, serve
from accounts.simulator.world import World
from syncing.engine.changes import Action
from syncing.engine.exclusions import excluded_names, excluded_refs
from syncing.engine.match import match
from syncing.engine.refs import Kind, Ref, enum_key, field_key, group_key, pipeline_key, stage_key
from syncing.engine.resources.custom_fields import CustomField
from syncing.engine.resources.pipelines import display_order
from syncing.engine.resources.stages import palette_color
from syncing.engine.rollback import LoggedChange, rollback_input
from syncing.engine.rules import NO_RULES, ExclusionRule, Rules, Unmatched
from syncing.engine.safety import inconsistency
from syncing.engine.snapshot import Snapshot, refs_in
from syncing.replication.contract import Result
from syncing.tests import laws
from syncing.tests.branches import Branch, Killed, Scene, inventory, read
from syncing.tests.laws import IS_DEEP, seeds
from syncing.tests.random_edits import edit
from syncing.tests.services.test_replication_laws import scene_of, slave_of

pytestmark = pytest.mark.law
law = laws.law(daily=3)
OURS = Rules(unmatched=dict.fromkeys(Kind, Unmatched.DELETE_CREATED))
ALL = Rules(unmatched=dict.fromkeys(Kind, Unmatched.DELETE_ALL))
DELETION_VARIANTS: dict[str, tuple[Any, ...]] = {
    "delete_status": (204, 200),
    "undeletable_status": (400, 422),
    "main_pipeline_deletable": (False, True),
    "trash_is_bare": (True, False),
    "trash_filtered": (True, True, False),
    "unsorted_in_leads": (False, True),
    "unknown_filter": ("ignore", "400"),
    "filters_enabled": (True, True, True, False),
}
Key = tuple[Kind, str]


@pytest.fixture(scope="module")
def anywhere() -> Iterator[RunningServer]:
    """One server for all worlds of this file: each example puts a world of its own into it."""
    with serve(World()) as running:
        yield running


# -- what an account has, and what is held in it --


def here(account: SimAccount) -> set[Key]:
    """Everything that could be deleted, as engine keys; without system stages and what is predefined."""
    found: set[Key] = set()
    for pipeline in account.pipelines.values():
        found.add((Kind.PIPELINE, pipeline_key(pipeline.id)))
        found |= {(Kind.STAGE, stage_key(pipeline.id, stage.id)) for stage in pipeline.ordinary}
    for entity in ENTITIES:
        groups = [group for group in account.groups[entity].values() if not group.is_predefined]
        found |= {(Kind.FIELD_GROUP, group_key(entity, group.id)) for group in groups}
        for item in account.fields[entity].values():
            if not item.is_predefined:
                found.add((Kind.CUSTOM_FIELD, field_key(entity, item.id)))
                found |= {(Kind.ENUM, enum_key(entity, item.id, enum.id)) for enum in item.enums}
    return found


def system(account: SimAccount) -> set[Any]:
    """What Kommo has made itself."""
    found: set[Any] = {(p.id, stage.id) for p in account.pipelines.values() for stage in p.stages if stage.is_system}
    for entity in ENTITIES:
        found |= {(entity, group.id) for group in account.groups[entity].values() if group.is_predefined}
        found |= {(entity, item.id) for item in account.fields[entity].values() if item.is_predefined}
    return found


def held(account: SimAccount) -> dict[tuple[str, int], Any]:
    """Where every lead stands, and every value that anybody holds."""
    everybody: dict[tuple[str, int], Any] = {
        ("leads", lead.id): (lead.pipeline_id, lead.status_id, dict(lead.values)) for lead in account.leads.values()
    }
    everybody |= {("contacts", card.id): dict(card.values) for card in account.contacts.values()}
    return everybody | {("companies", card.id): dict(card.values) for card in account.companies.values()}


def populate(account: SimAccount, rng: Random, *, share: float = 0.3) -> None:
    """Somebody in some of the stages, values in some of the fields, one option or another chosen."""
    for pipeline in account.ordered_pipelines:
        for stage in [each for each in pipeline.listed if each.type == 0]:
            if rng.random() < share:
                account.add_lead(pipeline.id, stage.id, _values(account, "leads", rng, share))
            if rng.random() < share / 3:
                account.add_lead(pipeline.id, stage.id, is_deleted=True)
    account.add_contact(_values(account, "contacts", rng, share))
    account.add_company(_values(account, "companies", rng, share))


def _values(account: SimAccount, entity: str, rng: Random, share: float) -> dict[int, Any]:
    values: dict[int, Any] = {}
    for item in account.fields[entity].values():
        if rng.random() >= share:
            continue
        chosen = [enum.id for enum in item.enums if rng.random() < 0.5][:2]
        if item.type in ENUM_TYPES:
            values |= {item.id: chosen if item.type == "multiselect" else chosen[0]} if chosen else {}
        elif item.type != "multitext":
            values[item.id] = "something"
    return values


def used(account: SimAccount) -> set[Key]:
    """Everything that somebody stands in or holds a value of."""
    found: set[Key] = set()
    for lead in account.leads.values():
        found |= {(Kind.PIPELINE, str(lead.pipeline_id)), (Kind.STAGE, stage_key(lead.pipeline_id, lead.status_id))}
    for entity, everybody in (
        ("leads", account.leads),
        ("contacts", account.contacts),
        ("companies", account.companies),
    ):
        for each in everybody.values():
            for number, value in each.values.items():
                found.add((Kind.CUSTOM_FIELD, field_key(entity, number)))
                chosen = value if isinstance(value, list) else [value]
                found |= {(Kind.ENUM, enum_key(entity, number, option)) for option in chosen if isinstance(option, int)}
    return found


def _not_empty(account: SimAccount) -> set[Key]:
    """The pipelines with stages of their own and the fields with options."""
    full: set[Key] = {(Kind.PIPELINE, str(number)) for number, each in account.pipelines.items() if each.ordinary}
    for entity in ENTITIES:
        fields = account.fields[entity].values()
        full |= {(Kind.CUSTOM_FIELD, field_key(entity, item.id)) for item in fields if item.enums}
    return full


class Story:
    """A master and a slave that live on between the runs; each run is watched."""

    def __init__(self, server: RunningServer, seed: int) -> None:
        self.rng = Random(f"story/{seed}")
        self.scene: Scene = scene_of(server, seed, duplicates=self.rng.random() < 0.2)
        for variant, choices in DELETION_VARIANTS.items():
            setattr(self.scene.world.variants, variant, self.rng.choice(choices))
        self.south: Branch = slave_of(self.scene, seed)
        self._incoming(self.south.account)
        populate(self.south.account, self.rng)

    def _incoming(self, account: SimAccount) -> None:
        """Leads that nobody has accepted yet hide what they hold: mostly there is none."""
        waiting = [lead for lead in account.leads.values() if account.is_unsorted(lead)]
        if self.rng.random() < 0.8:
            for lead in waiting:
                del account.leads[lead.id]
        elif waiting:
            account.add_contact(_values(account, "contacts", self.rng, 0.3), is_unsorted=True)

    def desired(self) -> Snapshot:
        return self.scene.desired()

    def live(self) -> None:
        """Something happens in the master, in the slave, or in both; new things come into use."""
        edit(self.scene.master, self.rng, self.rng.randint(2, 12))
        edit(self.south.account, self.rng, self.rng.randint(0, 3))
        populate(self.south.account, self.rng, share=self.rng.choice((0.05, 0.2)))

    def sync(self, rules: Rules, desired: Snapshot | None = None) -> Result:
        with self.watched():
            return self.south.sync(desired or self.desired(), rules=rules)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Whatever the rules: nobody loses a value or a place, no name is blanked, what Kommo needs stays."""
        account = self.south.account
        before, wounds, own, full = held(account), self.south.wounds, system(account), _not_empty(account)
        yield
        assert held(account) == before
        assert self.south.wounds == wounds
        assert [pipeline.is_main for pipeline in account.pipelines.values()].count(True) == 1
        gone = {each for each in own - system(account) if each[0] in account.pipelines or isinstance(each[0], str)}
        assert gone == set()
        assert (full & here(account)) <= _not_empty(account), "the last stage, the last option"

    def settled(self, rules: Rules, result: Result) -> None:
        """The next plan is empty."""
        assert result.state in ("changed", "in_sync") or result.reason == "conflict", result.document
        again = self.sync(rules)
        assert again.document["changes"] == [], result.document


@law
@given(seed=seeds)
def test_with_keep_nothing_of_the_slave_ever_goes(anywhere: RunningServer, seed: int) -> None:
    story = Story(anywhere, seed)
    for _ in range(3):
        before = here(story.south.account)
        result = story.sync(NO_RULES)
        assert before <= here(story.south.account)
        assert story.south.sent("DELETE") == []
        story.settled(NO_RULES, result)
        story.live()


@law
@given(seed=seeds)
def test_with_delete_created_only_what_we_made_goes_and_what_the_master_gave_up_does(
    anywhere: RunningServer, seed: int
) -> None:
    story = Story(anywhere, seed)
    account = story.south.account
    for _ in range(3):
        desired = story.desired()
        wanted = set(refs_in(desired))
        before, made, busy = here(account), set(story.south.created), used(account)
        given_up = {(ref.kind, key) for ref, key in story.south.known.items() if ref not in wanted} & made

        result = story.sync(OURS, desired)

        gone = before - here(account)
        assert gone <= made, "nobody else's things"
        assert gone.isdisjoint(busy)
        kept_in_step = {(ref.kind, key) for ref, key in story.south.known.items() if ref in wanted}
        left = (given_up & here(account)) - kept_in_step
        assert left == {key for key in left if _is_explained(key, kept_in_step, account, result)}, result.document
        story.settled(OURS, result)
        story.live()


def _is_explained(key: Key, kept_in_step: set[Key], account: SimAccount, result: Result) -> bool:
    """By an extra that says why it stays, or because what it is inside of stays as the slave's own."""
    kind, name = key[0], _names(account)[key]
    owner = {Kind.STAGE: Kind.PIPELINE, Kind.ENUM: Kind.CUSTOM_FIELD}.get(kind)
    if owner is not None and (owner, key[1].rpartition("/")[0]) not in kept_in_step:
        return True
    extras = [row for row in result.document["extras"] if (row["kind"], row["name"]) == (str(kind), name)]
    return any(row.get("message") for row in extras)


def _names(account: SimAccount) -> dict[Key, str]:
    found: dict[Key, str] = {}
    for pipeline in account.pipelines.values():
        found[Kind.PIPELINE, pipeline_key(pipeline.id)] = pipeline.name
        found |= {(Kind.STAGE, stage_key(pipeline.id, stage.id)): stage.name for stage in pipeline.stages}
    for entity in ENTITIES:
        found |= {(Kind.FIELD_GROUP, group_key(entity, g.id)): g.name for g in account.groups[entity].values()}
        for item in account.fields[entity].values():
            found[Kind.CUSTOM_FIELD, field_key(entity, item.id)] = item.name
            found |= {(Kind.ENUM, enum_key(entity, item.id, enum.id)): enum.value for enum in item.enums}
    return found


@law
@given(seed=seeds)
def test_with_delete_all_nothing_in_use_goes_and_what_stays_says_why(anywhere: RunningServer, seed: int) -> None:
    story = Story(anywhere, seed)
    account = story.south.account
    for _ in range(2):
        before, busy = here(account), used(account)

        result = story.sync(ALL)

        assert (before - here(account)).isdisjoint(busy)
        assert all(row.get("message") for row in result.document["extras"]), result.document["extras"]
        story.settled(ALL, result)
        story.live()


# -- exclusions and accepted differences --


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
    names = {key: name for key, name in _names(account).items() if key in here(account)}
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


# -- killed, and answers that get lost: at random --

TROUBLE = ("reset", "reset_applied", "504", "504_applied", "500", "500_applied", "garbage", "429", "no_content", "half")


@law
@given(seed=seeds)
def test_whatever_befalls_a_run_nothing_is_lost_and_the_next_one_gets_there(anywhere: RunningServer, seed: int) -> None:
    story = Story(anywhere, seed)
    south, rng = story.south, story.rng
    rules = rng.choice((OURS, ALL))
    story.sync(rules)
    story.live()
    desired, before, made = story.desired(), here(south.account), set(south.created)
    with story.watched():
        if seed % 2:
            south.dies_at = rng.randint(1, 60)
        for _ in range(rng.randint(1, 3)):
            facts = {"method": rng.choice((None, "GET", "POST", "PATCH", "DELETE")), "skip": rng.randint(0, 20)}
            story.scene.fault(rng.choice(TROUBLE), south, **facts)
        with suppress(Killed):
            south.sync(desired, rules=rules)
    south.dies_at = None
    story.scene.world.faults.clear()
    assert rules is ALL or before - here(south.account) <= made

    result = story.sync(rules, desired)

    story.settled(rules, result)


# -- taken back --


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


# -- half a master --


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


# -- killed, and answers that get lost --


def furnished(anywhere: RunningServer) -> tuple[Scene, Snapshot, Snapshot]:
    """A master with two of each kind, as it is at first and when one of each kind has gone."""
    anywhere.world = anywhere.app.world = World()
    anywhere.world.limits.key = "none"
    scene = Scene(anywhere)
    master = scene.master
    sales = master.add_pipeline("Sales", stages=["New", "Offer", "Deal"])
    old = master.add_pipeline("Old", stages=["Was"])
    group = master.add_group("leads", "Deal")
    source = master.add_field("leads", "Source", "select", enums=["Web", "Fair", "Radio"], group=group)
    note = master.add_field("leads", "Note", group=group, required_statuses=[(sales.id, sales.stage("Offer").id)])
    first = scene.desired()
    master.delete_stage(sales, sales.stage("Offer"))
    master.delete_pipeline(old)
    master.delete_enum(source, source.enum("Fair"))
    master.delete_enum(source, source.enum("Web"))
    master.delete_field(note)
    master.delete_group("leads", group)
    sales.name = "Deals"
    return scene, first, scene.desired()


def grown(scene: Scene, first: Snapshot, name: str) -> Branch:
    """A branch that has what the master had at first, and something of its own."""
    branch = scene.branch(name)
    branch.sync(first, rules=OURS)
    account = branch.account
    account.add_stage(account.pipeline("Sales"), "Own")
    account.add_enum(account.field("leads", "Source"), "Own")
    account.add_lead(account.pipeline("Sales").id, account.pipeline("Sales").stage("Deal").id)
    return branch


def test_killed_anywhere_among_deletions_and_run_again_ends_in_the_same_state(anywhere: RunningServer) -> None:
    scene, first, desired = furnished(anywhere)
    quiet = grown(scene, first, "quiet")
    assert quiet.sync(desired, rules=OURS).state == "changed"
    reference, events = inventory(quiet.account), quiet.events
    for moment in range(1, events + 1, 1 if IS_DEEP else 7):
        north = grown(scene, first, f"north-{moment}")
        north.dies_at = moment
        with pytest.raises(Killed):
            north.sync(desired, rules=OURS)
        north.dies_at = None

        result = north.sync(desired, rules=OURS)

        assert result.state in ("changed", "in_sync"), (moment, result.document["changes"])
        assert inventory(north.account) == reference, moment
        assert north.sync(desired, rules=OURS).state == "in_sync", moment
        assert north.wounds == (0, 0, 0), moment
        assert {key for key in north.created if key in here(north.account)} == north.created - _vanished(north), moment


def _vanished(branch: Branch) -> set[Key]:
    """What we made and went unseen when the process died: remembered, and harmless."""
    return {key for key in branch.created if key not in here(branch.account) and not _is_system(key)}


def _is_system(key: Key) -> bool:
    return key[0] is Kind.STAGE and key[1].rpartition("/")[2] in ("142", "143")


DELETIONS = [
    ("DELETE", "/statuses/"), ("DELETE", "/leads/pipelines/"), ("DELETE", "/custom_fields/"), ("DELETE", "/groups/"),
    ("PATCH", "/leads/custom_fields/"),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["reset", "reset_applied", "504", "504_applied", "500_applied", "garbage"])
def test_a_lost_answer_to_a_deletion_loses_nothing_else_and_does_nothing_twice(
    anywhere: RunningServer, kind: str
) -> None:
    scene, first, desired = furnished(anywhere)
    quiet = grown(scene, first, "quiet")
    quiet.sync(desired, rules=OURS)
    north = grown(scene, first, "north")
    faults = [scene.fault(kind, north, method=method, path=path) for method, path in DELETIONS]

    result = north.sync(desired, rules=OURS)

    assert [fault.hits for fault in faults] == [1] * len(faults)
    assert (result.state, result.reason) == ("changed", None), result.document
    assert {row["outcome"] for row in result.document["changes"]} == {"done"}
    assert inventory(north.account) == inventory(quiet.account)
    assert north.sync(desired, rules=OURS).state == "in_sync"
    assert north.wounds == (0, 0, 0)


@pytest.mark.parametrize(("method", "path"), [("DELETE", ""), ("PATCH", "/leads/custom_fields/")])
def test_deletions_that_never_get_through_are_failed_and_made_by_the_next_run(
    anywhere: RunningServer, method: str, path: str
) -> None:
    scene, first, desired = furnished(anywhere)
    north = grown(scene, first, "north")
    scene.fault("504", north, method=method, path=path, times=None)

    result = north.sync(desired, rules=OURS)
    scene.world.faults.clear()
    again = north.sync(desired, rules=OURS)

    assert (result.state, result.reason) == ("partial", "server_error")
    assert not result.converged
    assert again.state == "changed"
    assert north.sync(desired, rules=OURS).state == "in_sync"
