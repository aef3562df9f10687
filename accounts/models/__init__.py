"""Tables: sync groups with their policy, accounts with their encrypted credentials and health."""

from accounts.models.accounts import (
    HEALTH_FINE,
    HEALTH_NEEDS_CONNECTING,
    RELATED_SECRETS,
    SECRETS,
    SUBDOMAIN_PATTERN,
    Account,
)
from accounts.models.checks import CheckedAccount, ConnectionCheck
from accounts.models.connecting import AccountEvent, ConnectAttempt, Invite, InviteState
from accounts.models.groups import SyncGroup, UnmatchedItems, WaveUnit
from accounts.models.integrations import INTEGRATION_SECRETS, RELATED_INTEGRATION_SECRETS, Integration
from accounts.models.probe import WriteProbe
from accounts.models.slots import RequestSlot
from accounts.models.tokens import HAS_CREDENTIAL, HAS_LIVE_CREDENTIAL, HAS_PAIR, IS_OAUTH, NEEDS_CONNECTING, TokenPair

__all__ = [
    "HAS_CREDENTIAL",
    "HAS_LIVE_CREDENTIAL",
    "HAS_PAIR",
    "HEALTH_FINE",
    "HEALTH_NEEDS_CONNECTING",
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
    "Integration",
    "Invite",
    "InviteState",
    "RequestSlot",
    "SyncGroup",
    "TokenPair",
    "UnmatchedItems",
    "WaveUnit",
    "WriteProbe",
]
