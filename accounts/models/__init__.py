"""Tables: sync groups with their policy, accounts with their encrypted credentials and health."""

from accounts.models.accounts import (
    HEALTH_FINE,
    HEALTH_NEEDS_CONNECTING,
    RELATED_SECRETS,
    SECRETS,
    SUBDOMAIN_PATTERN,
    Account,
    is_called,
)
from accounts.models.checks import CheckedAccount, ConnectionCheck
from accounts.models.connecting import AccountEvent, ConnectAttempt, Invite, InviteState
from accounts.models.groups import (
    HEAL_CONSEQUENCES,
    HealMode,
    SyncGroup,
    UnmatchedItems,
    WatchMode,
    WaveUnit,
    time_zones,
    validate_time_zone,
)
from accounts.models.integrations import INTEGRATION_SECRETS, RELATED_INTEGRATION_SECRETS, Integration
from accounts.models.pausing import DEFAULT_LENGTH as DEFAULT_PAUSE
from accounts.models.pausing import pause_is_on
from accounts.models.probe import WriteProbe
from accounts.models.slots import RequestSlot
from accounts.models.tokens import HAS_CREDENTIAL, HAS_LIVE_CREDENTIAL, HAS_PAIR, IS_OAUTH, NEEDS_CONNECTING, TokenPair
from accounts.models.traffic import RequestTotals

__all__ = [
    "DEFAULT_PAUSE",
    "HAS_CREDENTIAL",
    "HAS_LIVE_CREDENTIAL",
    "HAS_PAIR",
    "HEALTH_FINE",
    "HEALTH_NEEDS_CONNECTING",
    "HEAL_CONSEQUENCES",
    "INTEGRATION_SECRETS",
    "IS_OAUTH",
    "NEEDS_CONNECTING",
    "RELATED_INTEGRATION_SECRETS",
    "RELATED_SECRETS",
    "SECRETS",
    "SUBDOMAIN_PATTERN",
    "Account",
    "AccountEvent",
    "CheckedAccount",
    "ConnectAttempt",
    "ConnectionCheck",
    "HealMode",
    "Integration",
    "Invite",
    "InviteState",
    "RequestSlot",
    "RequestTotals",
    "SyncGroup",
    "TokenPair",
    "UnmatchedItems",
    "WatchMode",
    "WaveUnit",
    "WriteProbe",
    "is_called",
    "pause_is_on",
    "time_zones",
    "validate_time_zone",
]
