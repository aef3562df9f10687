"""What the laws of the policies share: a master and a slave that live on, and what an account has and holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

from accounts.simulator.account import SimAccount
from accounts.simulator.model import ENTITIES, ENUM_TYPES
from accounts.simulator.server import RunningServer
from syncing.engine.refs import Kind, enum_key, field_key, group_key, pipeline_key, stage_key
from syncing.engine.rules import Rules, Unmatched
from syncing.engine.snapshot import Snapshot
from syncing.replication.contract import Result
from syncing.tests.branches import Branch, Scene
from syncing.tests.random_edits import edit
from syncing.tests.replication.law_scenes import scene_of, slave_of

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


def existing(account: SimAccount) -> set[Key]:
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
        assert (full & existing(account)) <= _not_empty(account), "the last stage, the last option"

    def settled(self, rules: Rules, result: Result) -> None:
        """The next plan is empty."""
        assert result.state in ("changed", "in_sync") or result.reason == "conflict", result.document
        again = self.sync(rules)
        assert again.document["changes"] == [], result.document


def names_of(account: SimAccount) -> dict[Key, str]:
    """Maps the engine key of every item to its name."""
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
