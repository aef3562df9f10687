"""What was run, what came of it in every account, and what people decided about it."""

from syncing.models.audit import AuditEntry, Final
from syncing.models.drift import AcceptedDifference, Drift, DriftChange
from syncing.models.exclusions import Exclusion
from syncing.models.ip_block import IpBlock
from syncing.models.keys import ApiKey
from syncing.models.log import LogEntry
from syncing.models.mappings import IdMapping, PendingCreation, StoredName
from syncing.models.processes import Process
from syncing.models.promotion import PromotionProposal
from syncing.models.runs import AccountRun, SyncRun, master_unread
from syncing.models.snapshots import MasterSnapshot, SlaveSnapshot
from syncing.models.states import (
    ACCOUNT_GOOD,
    ACCOUNT_OPEN,
    RUN_OPEN,
    AccountState,
    RunMode,
    RunPurpose,
    RunState,
    RunType,
    Trigger,
)

__all__ = [
    "ACCOUNT_GOOD",
    "ACCOUNT_OPEN",
    "RUN_OPEN",
    "AcceptedDifference",
    "AccountRun",
    "AccountState",
    "ApiKey",
    "AuditEntry",
    "Drift",
    "DriftChange",
    "Exclusion",
    "Final",
    "IdMapping",
    "IpBlock",
    "LogEntry",
    "MasterSnapshot",
    "PendingCreation",
    "Process",
    "PromotionProposal",
    "RunMode",
    "RunPurpose",
    "RunState",
    "RunType",
    "SlaveSnapshot",
    "StoredName",
    "SyncRun",
    "Trigger",
    "master_unread",
]
