"""Replicate a simulated master to simulated branches over HTTP, without database or queue; what it did is kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from accounts.kommo.client import KommoClient
from accounts.kommo.pacing import LocalSlots, Pacer
from accounts.kommo.retry import Policy
from accounts.kommo.tokens import FixedToken
from accounts.simulator.account import SimAccount
from accounts.simulator.server import RunningServer
from syncing.adapters.reader import Reader
from syncing.engine.refs import Ref, Scope
from syncing.engine.snapshot import Snapshot
from syncing.services.contract import Job, Mapped, Outcome, Result
from syncing.services.replication import replicate


def client_of(server: RunningServer, account: SimAccount, *, read_only: bool = False) -> KommoClient:
    """A client without a pace to speak of, and with short pauses between repeats."""
    pacer = Pacer(LocalSlots(), account.subdomain, 10_000)
    url = server.url_template.format(subdomain=account.subdomain)
    return KommoClient(
        url,
        FixedToken(account.token),
        pacer,
        account=account.subdomain,
        policy=Policy(),
        read_only=read_only,
        sleep=lambda seconds: None,
    )


def read(server: RunningServer, account: SimAccount) -> Snapshot:
    with client_of(server, account, read_only=True) as client:
        return Reader(client).read(with_fields=True)


@dataclass
class Branch:
    """One slave with what we remember of it between runs."""

    server: RunningServer
    account: SimAccount
    known: dict[Ref, str] = field(default_factory=dict)
    mapped: list[Mapped] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def record(self, outcomes: Sequence[Outcome], mapped: Sequence[Mapped], dropped: Sequence[Ref]) -> None:
        self.outcomes += outcomes
        for ref in dropped:
            self.known.pop(ref, None)
        for item in mapped:
            self.mapped.append(item)
            self.known[item.ref] = item.slave_key
        keys = [(ref.kind, key) for ref, key in self.known.items()]
        assert len(keys) == len(set(keys)), "two items of the master are mapped to one item of the slave"

    def sync(self, desired: Snapshot, *, scope: Scope = Scope.FULL, writes: bool = True) -> Result:
        job = Job(self.account.subdomain, scope, writes, desired, dict(self.known), self.account.account_id)
        with client_of(self.server, self.account) as client:
            return replicate(job, client, self.record, self.notes.append)
