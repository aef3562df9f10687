"""The admin pages of groups, accounts, integrations, invites and connection events."""

from accounts.admin import accounts, events, groups, integrations, invites
from accounts.admin.accounts import AccountAdmin
from accounts.admin.groups import SyncGroupAdmin

__all__ = ["AccountAdmin", "SyncGroupAdmin", "accounts", "events", "groups", "integrations", "invites"]
