"""Replicate a simulated master to simulated branches over HTTP, without database or queue; what it did is kept."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from accounts.kommo.client import KommoClient
from accounts.kommo.pacing import LocalSlots, Pacer
from accounts.kommo.retry import Policy
from accounts.kommo.tokens import FixedToken
from accounts.kommo.transport import Transport
from accounts.simulator.account import SimAccount
from accounts.simulator.faults import Fault
from accounts.simulator.log import LoggedRequest
from accounts.simulator.model import ENTITIES
from accounts.simulator.server import RunningServer
from syncing.adapters.outcomes import Outcome
from syncing.adapters.reader import Reader
from syncing.engine.assumed import DeltaBase, delta_base
from syncing.engine.delta import PartRead, touched_part
from syncing.engine.drift import EXTRA
from syncing.engine.pending import ListKey, Pending
from syncing.engine.refs import Kind, Ref, Scope
from syncing.engine.rules import NO_RULES, Rules
from syncing.engine.snapshot import Snapshot
from syncing.engine.stored_names import ItemKey, ShownName
from syncing.replication import replicate
from syncing.replication.contract import NO_NOTES, Mapped, Notes, Result, Target

WRITES = ("POST", "PATCH", "DELETE")


class Killed(Exception):
    """The process is gone, as after kill -9."""


class Clock:
    """Time that passes only where somebody would have slept: what was waited is `now`, in seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += max(0.0, seconds)


def client_of(
    server: RunningServer,
    account: SimAccount,
    *,
    account_id: int | None = None,
    read_only: bool = False,
    clock: Clock | None = None,
) -> KommoClient:
    """A client that waits for nothing but in `clock`."""
    clock = clock or Clock()
    pacer = Pacer(LocalSlots(clock), account.subdomain, 6, clock=clock, sleep=clock.sleep)
    url = server.url_template.format(subdomain=account.subdomain)
    transport = Transport(url, pacer, account=account.subdomain)
    return KommoClient(
        transport,
        FixedToken(account.token),
        policy=Policy(),
        account_id=account_id,
        read_only=read_only,
        sleep=clock.sleep,
    )


def read(server: RunningServer, account: SimAccount, *, with_fields: bool = True) -> Snapshot:
    with client_of(server, account, read_only=True) as client:
        return Reader(client).read(with_fields=with_fields)


@dataclass
class Branch:
    """One slave with what we remember of it between runs.

    `dies_at`: the process is killed (`death` is raised) at that event, counted from 1; events are the moments before
    a request is sent and before its outcome is stored. `kommo_id`: whose we believe the account to be. `created`: the
    mapped items that we made, under the account's own keys. `snapshots`: the account before the first write of a run.
    `equal_to`: the master that the last run has left it equal to.
    """

    server: RunningServer
    account: SimAccount
    known: dict[Ref, str] = field(default_factory=dict)
    created: set[tuple[Kind, str]] = field(default_factory=set)
    equal_to: Snapshot | None = None
    snapshots: list[Snapshot] = field(default_factory=list)
    stored_names: dict[ItemKey, ShownName] = field(default_factory=dict)
    pending: dict[ListKey, Pending] = field(default_factory=dict)
    mapped: list[Mapped] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    kommo_id: int | None = None
    dies_at: int | None = None
    death: Exception = field(default_factory=Killed)
    events: int = 0
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.kommo_id = self.kommo_id or self.account.account_id

    def record(
        self, outcomes: Sequence[Outcome], mapped: Sequence[Mapped], dropped: Sequence[Ref], notes: Notes = NO_NOTES
    ) -> None:
        self._live()
        for item_key, name in notes.stored_names.items():
            if name is None:
                self.stored_names.pop(item_key, None)
            else:
                self.stored_names[item_key] = name
        for place, pending in notes.pending.items():
            if pending is None:
                self.pending.pop(place, None)
            else:
                self.pending[place] = pending
        self.outcomes += outcomes
        for ref in dropped:
            self.known.pop(ref, None)
        for item in mapped:
            self.mapped.append(item)
            self.known[item.ref] = item.slave_key
            if item.created_by_us:
                self.created.add((item.ref.kind, item.slave_key))
        keys = [(ref.kind, key) for ref, key in self.known.items()]
        self.created &= set(keys)
        assert len(keys) == len(set(keys)), "two items of the master are mapped to one item of the slave"

    def checkpoint(self, note: str) -> None:
        self._live()
        self.notes.append(note)

    def store_before(self, snapshot: Snapshot, part: PartRead | None) -> None:
        self._live()
        self.snapshots.append(snapshot)

    def _live(self) -> None:
        self.events += 1
        if self.events == self.dies_at:
            raise self.death

    def sync(
        self,
        desired: Snapshot,
        *,
        scope: Scope = Scope.FULL,
        writes: bool = True,
        rules: Rules = NO_RULES,
        approved_digest: str = "",
        base: Snapshot | None = None,
        fresh: frozenset[Ref] = frozenset(),
        delta: DeltaBase | None = None,
    ) -> Result:
        """`rules` that name nothing as created get what we remember of that."""
        target = Target(
            self.account.subdomain,
            scope,
            writes,
            desired,
            dict(self.known),
            rules=replace(rules, created=rules.created or frozenset(self.created)),
            approved_digest=approved_digest,
            base=base,
            stored_names=dict(self.stored_names),
            pending=dict(self.pending),
            fresh=fresh,
            delta=delta,
        )
        self.events, self.equal_to = 0, None
        with client_of(self.server, self.account, account_id=self.kommo_id, clock=self.clock) as client:
            result = replicate(target, client, self.record, self.checkpoint, self.store_before)
        differs = any(row["action"] != EXTRA for row in result.differences or ())
        self.equal_to = desired if result.converged and not differs else None
        return result

    def follow(self, desired: Snapshot, *, scope: Scope = Scope.FULL, rules: Rules = NO_RULES, **facts: Any) -> Result:
        """Syncs as a run of the watcher does: read only where the master has changed, if it was equal before."""
        base, delta = self.equal_to, None
        if base is not None and not self.stored_names and not self.pending:
            part = touched_part(base, desired, scope)
            delta = delta_base(base, desired, part, self.known, rules, scope)
        return self.sync(desired, scope=scope, rules=rules, base=base, delta=delta, **facts)

    # -- what a test wants to know --

    def sent(self, *methods: str) -> list[LoggedRequest]:
        """The requests that arrived for this account."""
        records = self.server.world.log.of(self.account.subdomain)
        return [each for each in records if not methods or each.method in methods]

    @property
    def wounds(self) -> tuple[int, int, int]:
        """Values of leads lost, leads moved, names blanked: all must stay 0."""
        return self.account.lost_values, self.account.moved_leads, self.account.blanked_names

    def ours(self, kind: Kind) -> dict[str, bool]:
        """Name -> made by us, of the mapped items of one kind."""
        return {item.name: item.created_by_us for item in self.mapped if item.ref.kind is kind}


class Scene:
    """A master and its branches in one simulated Kommo."""

    def __init__(self, server: RunningServer) -> None:
        self.server, self.world = server, server.world
        self.master = self.world.add_account("master")

    def branch(self, name: str = "north", **facts: Any) -> Branch:
        return Branch(self.server, self.world.add_account(name, **facts))

    def desired(self, *, with_fields: bool = True) -> Snapshot:
        return read(self.server, self.master, with_fields=with_fields)

    def fault(self, kind: str, branch: Branch | None = None, **facts: Any) -> Fault:
        subdomain = branch.account.subdomain if branch else "master"
        return self.world.faults.add(Fault(kind, subdomain=subdomain, **facts))


def inventory(account: SimAccount) -> Counter[str]:
    """Everything that an account has, without ids or numbers: two accounts alike have the same."""
    stages = {
        (pipeline.id, stage.id): f"{pipeline.name} / {stage.id if stage.id in (142, 143) else stage.name}"
        for pipeline in account.pipelines.values()
        for stage in pipeline.stages
    }
    rows = [f"stage {name}" for name in stages.values()]
    rows += [f"pipeline {each.name} {each.is_main} {each.is_unsorted_on}" for each in account.pipelines.values()]
    for entity in ENTITIES:
        groups = {group.id: group.name for group in account.groups[entity].values()}
        rows += [f"group {entity} {name}" for name in groups.values()]
        for item in account.fields[entity].values():
            values = [enum.value for enum in item.ordered_enums]
            required = sorted(stages[key] for key in item.required_statuses)
            rows.append(
                f"field {entity} {item.name} {item.type} {item.code} {groups[item.group_id]} {values} {required}"
            )
    return Counter(rows)


def changes(result: Result, **wanted: str) -> list[dict[str, Any]]:
    """The changes of a document that have these values."""
    return [
        change for change in result.document["changes"] if all(change[key] == value for key, value in wanted.items())
    ]


def shown(result: Result) -> list[tuple[str, str, str]]:
    """(action, kind, name) of every change."""
    return [(change["action"], change["kind"], change["name"]) for change in result.document["changes"]]


def bodies(records: Sequence[LoggedRequest]) -> list[Any]:
    return [json.loads(each.body) for each in records]
