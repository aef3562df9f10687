"""Tables: runs with their results in every account, the processes that work them, and people's decisions."""

from syncing.models.audit import AuditAction, AuditEntry, AuditIsFinal
from syncing.models.channels import EMAIL, Channel, Event, Message, Notice, TellWhen, ToldState
from syncing.models.conformity import ConformityDay
from syncing.models.drift import AcceptedDifference, Drift, DriftChange
from syncing.models.exclusions import Exclusion
from syncing.models.healing import HealedItem, HealingRule, ItemMode
from syncing.models.idempotency import IdempotentAnswer
from syncing.models.ip_block import IpBlock
from syncing.models.keys import ApiKey, KeyScope
from syncing.models.log import LogEntry
from syncing.models.mappings import IdMapping, PendingCreation, StoredName
from syncing.models.processes import Process, ProcessKind
from syncing.models.promotion import PromotionProposal
from syncing.models.runs import AccountRun, SyncRun, master_unread, run_title
from syncing.models.saved_views import SavedList, SavedView
from syncing.models.schedules import DEFAULT_GRACE, WEEK, Schedule, ScheduleKind, Window, WindowKind
from syncing.models.second_factor import RecoveryCode, SecondFactor
from syncing.models.snapshots import MasterSnapshot, SlaveSnapshot
from syncing.models.states import (
    ACCOUNT_BAD,
    ACCOUNT_GOOD,
    ACCOUNT_OPEN,
    AUTOMATIC,
    REVIEWED,
    RUN_OPEN,
    AccountState,
    RunMode,
    RunPurpose,
    RunState,
    RunType,
    Standing,
    Trigger,
)
from syncing.models.totals import RunTotal
from syncing.models.watch import AccountRetry, Watch, WatchState

__all__ = [
    "ACCOUNT_BAD",
    "ACCOUNT_GOOD",
    "ACCOUNT_OPEN",
    "AUTOMATIC",
    "DEFAULT_GRACE",
    "EMAIL",
    "REVIEWED",
    "RUN_OPEN",
    "WEEK",
    "AcceptedDifference",
    "AccountRetry",
    "AccountRun",
    "AccountState",
    "ApiKey",
    "AuditAction",
    "AuditEntry",
    "AuditIsFinal",
    "Channel",
    "ConformityDay",
    "Drift",
    "DriftChange",
    "Event",
    "Exclusion",
    "HealedItem",
    "HealingRule",
    "IdMapping",
    "IdempotentAnswer",
    "IpBlock",
    "ItemMode",
    "KeyScope",
    "LogEntry",
    "MasterSnapshot",
    "Message",
    "Notice",
    "PendingCreation",
    "Process",
    "ProcessKind",
    "PromotionProposal",
    "RecoveryCode",
    "RunMode",
    "RunPurpose",
    "RunState",
    "RunTotal",
    "RunType",
    "SavedList",
    "SavedView",
    "Schedule",
    "ScheduleKind",
    "SecondFactor",
    "SlaveSnapshot",
    "Standing",
    "StoredName",
    "SyncRun",
    "TellWhen",
    "ToldState",
    "Trigger",
    "Watch",
    "WatchState",
    "Window",
    "WindowKind",
    "master_unread",
    "run_title",
]
