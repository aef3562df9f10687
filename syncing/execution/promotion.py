"""Promotions: the slave whose items were picked and the master are read, and the master becomes what is proposed."""

from collections.abc import Mapping, Sequence
from functools import partial

from django.db import transaction
from django.utils.translation import gettext_noop

from accounts.models import Account
from syncing.adapters.gate import Gate
from syncing.adapters.outcomes import Outcome
from syncing.engine.promotion import Pick, proposal_document, propose
from syncing.engine.refs import Kind, Ref, Scope
from syncing.engine.rules import Rules
from syncing.engine.snapshot import Snapshot
from syncing.engine.stored_names import as_sent
from syncing.execution.goals import Goal, SnapshotCache
from syncing.execution.master_reading import ReadRequest
from syncing.leases.claims import Claim, MasterClaim, freeze_master
from syncing.models import IdMapping, LogEntry, PromotionProposal, SyncRun
from syncing.records.log import log
from syncing.records.mappings import store_mappings
from syncing.records.stored_names import known_names
from syncing.records.text import clean, error_document
from syncing.replication.contract import Mapped
from syncing.services.runs.close import end_without_master

NO_SOURCE = (
    gettext_noop("The account with the picked items is no longer a slave of the group."),
    gettext_noop("Pick them in another account."),
)
NOTHING_LEFT = gettext_noop("None of the picked items can be promoted to the master.")
LOOK_AGAIN = gettext_noop("See the log of the run; look for drift, then pick again.")


def request(run: SyncRun, master: Account, scope: Scope) -> ReadRequest | None:
    """Returns what to read: the slave and the master; None, and the run has ended, when it is no slave any more."""
    slaves = Account.objects.filter(group=run.group_id, role=Account.Role.SLAVE)
    source = slaves.filter(pk=run.source_id).first() if run.source_id else None
    if source is None:
        end_without_master(run, "not_found", error_document("not_found", *NO_SOURCE))
        return None
    return ReadRequest((source, master), scope)


def accept(run: SyncRun, claim: MasterClaim, scope: Scope, snapshots: Sequence[Snapshot]) -> bool:
    """Stores what the master is to become, instead of what it is; True when the master may be worked.

    When nothing is left of what was picked, the run has ended.
    """
    source, master = snapshots
    names = known_names([run.source_id])[run.source_id] if run.source_id else {}
    picks = [Pick(Kind(item["kind"]), item["slave_key"], item["attribute"]) for item in run.picked]
    mappings = IdMapping.objects.filter(account=run.source_id).order_by()
    known = {  # turned round: the source's own item -> the master's key
        Ref(Kind(kind), slave_key): master_key
        for kind, slave_key, master_key in mappings.values_list("kind", "slave_key", "master_key")
    }
    proposal = propose(as_sent(source, names), master, known, picks)
    for sentence in proposal.problems:
        log(run.pk, sentence, code="not_promoted", level=LogEntry.Level.WARNING)
    for sentence in proposal.remarks:
        log(run.pk, sentence, code="not_promoted")
    if not proposal.only:
        sentence = " ".join([NOTHING_LEFT, *proposal.problems])
        end_without_master(run, "conflict", error_document("conflict", sentence, LOOK_AGAIN))
        return False
    with transaction.atomic():
        document = clean(proposal_document(proposal))
        row = PromotionProposal.objects.create(group_id=run.group_id, type=scope, document=document)
        return freeze_master(claim, proposal=row)


def goals(run: SyncRun, claims: Sequence[Claim], snapshots: SnapshotCache) -> dict[int, Goal]:
    """Returns what the master is to become; its gate is shut until the plan has proved to be the approved one."""
    (claim,) = claims
    proposal, scope = snapshots.proposal(run)
    remember = partial(remember_promoted, run.source_id, proposal.origins)
    rules = Rules(only=proposal.only)
    return {
        claim.account_id: Goal(proposal.desired, scope, proposal.known, rules, remember, gate=Gate(), own_words=True)
    }


def remember_promoted(
    source_id: int | None,
    origins: Mapping[Ref, str],
    account_id: int,
    outcomes: Sequence[Outcome],
    mapped: Sequence[Mapped],
    dropped: Sequence[Ref],
) -> None:
    """Stores that the source's own item stands, from now on, for what the master has been given."""
    if source_id is None:
        return
    pairs = [
        Mapped(Ref(item.ref.kind, item.slave_key), origins[item.ref], item.name, item.parent, created_by_us=False)
        for item in mapped
        if item.ref in origins
    ]
    store_mappings(source_id, pairs, ())
