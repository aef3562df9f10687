"""What a promotion brings to the master: worked out from its picks when both accounts have been read."""

from collections.abc import Mapping, Sequence
from typing import Any

from accounts.models import Account
from syncing.adapters.outcomes import Outcome
from syncing.engine.promotion import Pick, Proposal, proposal_document, propose
from syncing.engine.refs import Kind, Ref
from syncing.engine.snapshot import Snapshot
from syncing.engine.stored_names import as_sent
from syncing.models import IdMapping, LogEntry, RunPurpose, SyncRun
from syncing.records.log import log
from syncing.records.mappings import store_mappings
from syncing.records.stored_names import known_names
from syncing.records.text import clean, error_document
from syncing.replication.contract import Mapped
from syncing.services.runs.close import end_without_master

NOTHING_LEFT = "Nothing of what was picked can be brought to the master."
LOOK_AGAIN = "See the log of the run; look for drift, then pick again."


def source_of(run: SyncRun) -> Account | None:
    """The slave that a promotion takes from, with its secrets; None when it is no slave of the group (any more)."""
    if run.purpose != RunPurpose.PROMOTION or run.source_id is None:
        return None
    return Account.objects.filter(pk=run.source_id, group=run.group_id, role=Account.Role.SLAVE).first()


def picks_of(run: SyncRun) -> list[Pick]:
    return [Pick(Kind(item["kind"]), item["slave_key"], item["attribute"]) for item in run.picked]


def document_of(run: SyncRun, source: Snapshot, master: Snapshot) -> dict[str, Any] | None:
    """The proposal as it is kept with the run; None when nothing is left of it: then the run has ended."""
    theirs = known_names([run.source_id])[run.source_id] if run.source_id else {}
    proposal = propose(as_sent(source, theirs), master, _known(run), picks_of(run))
    for sentence in proposal.problems:
        log(run.pk, sentence, code="not_promoted", level=LogEntry.Level.WARNING)
    for sentence in proposal.remarks:
        log(run.pk, sentence, code="not_promoted")
    if proposal.only:
        document: dict[str, Any] = clean(proposal_document(proposal))
        return document
    _end(run, proposal)
    return None


def _end(run: SyncRun, proposal: Proposal) -> None:
    sentence = " ".join([NOTHING_LEFT, *proposal.problems])
    end_without_master(run, "conflict", error_document("conflict", sentence, LOOK_AGAIN))


def _known(run: SyncRun) -> dict[Ref, str]:
    """The source's id mappings turned round: its own item -> the master's key."""
    rows = IdMapping.objects.filter(account=run.source_id).order_by()
    return {
        Ref(Kind(kind), slave_key): master_key
        for kind, slave_key, master_key in rows.values_list("kind", "slave_key", "master_key")
    }


def remember(
    source_id: int | None,
    origins: Mapping[Ref, str],
    account_id: int,
    outcomes: Sequence[Outcome],
    mapped: Sequence[Mapped],
    dropped: Sequence[Ref],
) -> None:
    """What the master has been given: from now on the source's own item stands for it there."""
    if source_id is None:
        return
    pairs = [
        Mapped(Ref(item.ref.kind, item.slave_key), origins[item.ref], item.name, item.parent, created_by_us=False)
        for item in mapped
        if item.ref in origins
    ]
    store_mappings(source_id, pairs, ())
